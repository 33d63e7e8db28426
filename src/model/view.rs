//! A home's model in words and figures.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::io::{self, Write};

use hearth_operators::words::{ActionId, Time};
use serde::Serialize;

use super::list::{plain, stamp};
use crate::kept::{Opened, Terms};
use crate::outputs::Stamp;

/// What a person is shown of each list.
const SHOWN: usize = 12;
const SHOWN_NEXT: usize = 3;

/// A home's model: what is kept of its history, counted.
#[derive(Debug, Serialize)]
pub struct View {
    home: String,
    cohort: Option<String>,
    /// Learnt so far, and of these those that are kept.
    behaviors: i64,
    kept: usize,
    since: Option<Stamp>,
    until: Option<Stamp>,
    context: Option<ContextView>,
    alarms: AlarmsView,
    /// The most frequent first.
    actions: Vec<ActionView>,
}

#[derive(Debug, Serialize)]
struct ContextView {
    kind: &'static str,
    to: String,
    since: Stamp,
}

#[derive(Debug, Serialize)]
struct AlarmsView {
    /// A score above this is an anomaly; none while the home is being learnt.
    threshold: Option<f32>,
    raised: u32,
    /// How many more the budget allowed up to now.
    left: Option<f32>,
    budget: String,
}

#[derive(Debug, Serialize)]
struct ActionView {
    action: String,
    times: u32,
    /// By hour of the day.
    hours: [u32; 24],
    /// What came next in its segment, the most frequent first.
    next: Vec<NextView>,
}

#[derive(Debug, Serialize)]
struct NextView {
    action: String,
    times: u32,
}

/// What is counted of an action.
#[derive(Default)]
struct Counted {
    times: u32,
    hours: [u32; 24],
    next: BTreeMap<ActionId, u32>,
}

impl View {
    /// Of a model.
    pub fn of(opened: &Opened, terms: &Terms) -> Self {
        let (entry, model) = (&opened.entry, &opened.model);
        let standing = model.alarms(&opened.cohort, terms.budget);
        let stamp = |time: Option<Time>| time.map(|time| stamp(entry, time));
        View {
            home: entry.home.clone(),
            cohort: opened.cohort_name.clone(),
            behaviors: entry.behaviors,
            kept: model.habits().behaviors(),
            since: stamp(entry.since),
            until: stamp(entry.until),
            context: model.shift().map(|shift| ContextView {
                kind: shift.kind.name(),
                to: shift.to.clone(),
                since: Stamp {
                    time: shift.time,
                    offset: shift.offset,
                },
            }),
            alarms: AlarmsView {
                threshold: standing.threshold,
                raised: standing.raised,
                left: standing.left,
                budget: format!(
                    "{} in {} days",
                    terms.budget.alarms,
                    terms.budget.per as f64 / Time::DAY as f64
                ),
            },
            actions: actions(opened),
        }
    }

    /// Tells a person.
    pub fn tell(&self, out: &mut impl Write) -> io::Result<()> {
        let day = |stamp: &Option<Stamp>| {
            let text = stamp.map(|s| crate::time::format(s.time, s.offset));
            text.unwrap_or_else(|| "-".to_owned())
        };
        writeln!(out, "home {}", plain(&self.home))?;
        writeln!(
            out,
            "{} behaviors learnt from {} to {}",
            self.behaviors,
            day(&self.since),
            day(&self.until)
        )?;
        if let Some(ContextView { kind, to, since }) = &self.context {
            writeln!(out, "{kind} {} since {}", plain(to), day(&Some(*since)))?;
        }
        let AlarmsView {
            threshold,
            raised,
            left,
            budget,
        } = &self.alarms;
        match (threshold, left) {
            (Some(threshold), Some(left)) => writeln!(
                out,
                "a score above {threshold:.1} is an anomaly; {raised} alarms so far, {left:.1} left of the budget of {budget}"
            )?,
            _ => writeln!(out, "no alarms yet: the home is still being learnt")?,
        }
        writeln!(out, "\nwhat it does most often, when, and what comes next")?;
        let width = self
            .actions
            .iter()
            .take(SHOWN)
            .map(|a| a.action.chars().count());
        let width = width.max().unwrap_or(0);
        for action in self.actions.iter().take(SHOWN) {
            let name = plain(&action.action);
            writeln!(
                out,
                "  {name:<width$}  {:>6}  {}",
                action.times,
                action.tell()
            )?;
        }
        match self.actions.len().saturating_sub(SHOWN) {
            0 => Ok(()),
            more => writeln!(out, "  and {more} more actions"),
        }
    }
}

impl ActionView {
    fn tell(&self) -> String {
        let mut hours: Vec<usize> = (0..24).filter(|hour| self.hours[*hour] > 0).collect();
        hours.sort_by_key(|hour| Reverse(self.hours[*hour]));
        let hours = hours.iter().take(SHOWN_NEXT);
        let hours: Vec<String> = hours
            .map(|hour| format!("{hour:02}h ({})", self.hours[*hour]))
            .collect();
        let next = self.next.iter().take(SHOWN_NEXT);
        let next: Vec<String> = next
            .map(|next| format!("{} ({})", plain(&next.action), next.times))
            .collect();
        match next.is_empty() {
            true => hours.join(" "),
            false => format!("{}; then {}", hours.join(" "), next.join(", ")),
        }
    }
}

fn actions(opened: &Opened) -> Vec<ActionView> {
    let catalog = opened.catalogs.others();
    let mut counted: BTreeMap<ActionId, Counted> = BTreeMap::new();
    let mut last = None;
    let kept = opened.model.habits().kept();
    // A file may hold what no catalog has, whoever made it.
    for (action, hour, begins) in kept.filter(|(action, ..)| catalog.contains(*action)) {
        let here = counted.entry(action).or_default();
        here.times += 1;
        here.hours[usize::from(hour % 24)] += 1;
        if let Some(before) = last.filter(|_| !begins) {
            let before: &mut Counted = counted.entry(before).or_default();
            *before.next.entry(action).or_default() += 1;
        }
        last = Some(action);
    }
    let name = |action: ActionId| catalog.full_name(action);
    let view = |(action, counted): (ActionId, Counted)| {
        let next = counted.next.into_iter();
        let mut next: Vec<NextView> = next
            .map(|(action, times)| NextView {
                action: name(action),
                times,
            })
            .collect();
        next.sort_by_key(|next| Reverse(next.times));
        ActionView {
            action: name(action),
            times: counted.times,
            hours: counted.hours,
            next,
        }
    };
    let mut actions: Vec<ActionView> = counted.into_iter().map(view).collect();
    actions.sort_by_key(|action| Reverse(action.times));
    actions
}
