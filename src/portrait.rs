//! A home's model in words and figures: one that a run left, or that of a run which goes on.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::io::{self, Write};

use hearth_operators::portrait::Portrait;
use hearth_operators::words::{ActionId, Catalog, Time};
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::outputs::Stamp;
use crate::time::offset_at;

/// What a person is shown of each list.
const SHOWN: usize = 12;
const SHOWN_NEXT: usize = 3;

/// Whose model it is.
pub struct Whose<'a> {
    /// The home.
    pub home: &'a str,
    /// Its cohort, where that has a name.
    pub cohort: Option<&'a str>,
    /// Its catalog.
    pub catalog: &'a Catalog,
    /// Its zone, where one was given.
    pub zone: Option<&'a TimeZone>,
}

/// A home's model: what is kept of its history, counted.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct View {
    /// The home.
    pub home: String,
    /// Its cohort, where that has a name.
    pub cohort: Option<String>,
    /// Behaviours that were learnt.
    pub behaviors: i64,
    /// Of these, those that are kept.
    pub kept: usize,
    /// When the first segment started that counts.
    pub since: Option<Stamp>,
    /// When the newest one ended that was learnt.
    pub until: Option<Stamp>,
    /// What the home lives in; none: no shift has begun it.
    pub context: Option<ContextView>,
    /// How its alarms stand.
    pub alarms: AlarmsView,
    /// What it does, the most frequent first.
    pub actions: Vec<ActionView>,
}

/// What a home lives in.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ContextView {
    /// The kind of the shift that began it.
    pub kind: String,
    /// What it shifted to.
    pub to: String,
    /// Since when.
    pub since: Stamp,
}

/// How a home's alarms stand.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AlarmsView {
    /// A score above this is an anomaly; none while the home is being learnt.
    pub threshold: Option<f32>,
    /// Alarms so far.
    pub raised: u32,
    /// How many more the budget allowed up to now.
    pub left: Option<f32>,
    /// The budget in words.
    pub budget: String,
}

/// What a home does.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ActionView {
    /// `Device:action`.
    pub action: String,
    /// How often.
    pub times: u32,
    /// How often by hour of the day.
    pub hours: [u32; 24],
    /// What came next in its segment, the most frequent first.
    pub next: Vec<NextView>,
}

/// What comes next.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NextView {
    /// `Device:action`.
    pub action: String,
    /// How often.
    pub times: u32,
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
    pub fn of(portrait: &Portrait, whose: &Whose<'_>) -> Self {
        let stamp = |time: Option<Time>| time.map(|time| stamp(time, whose.zone));
        let Portrait { alarms, budget, .. } = portrait;
        View {
            home: whose.home.to_owned(),
            cohort: whose.cohort.map(str::to_owned),
            behaviors: portrait.behaviors,
            kept: portrait.kept.len(),
            since: stamp(portrait.since),
            until: stamp(portrait.until),
            context: portrait.shift.as_ref().map(|shift| ContextView {
                kind: shift.kind.name().to_owned(),
                to: shift.to.clone(),
                since: Stamp {
                    time: shift.time,
                    offset: shift.offset,
                },
            }),
            alarms: AlarmsView {
                threshold: alarms.threshold,
                raised: alarms.raised,
                left: alarms.left,
                budget: format!(
                    "{} in {} days",
                    budget.alarms,
                    budget.per as f64 / Time::DAY as f64
                ),
            },
            actions: actions(portrait, whose.catalog),
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

fn actions(portrait: &Portrait, catalog: &Catalog) -> Vec<ActionView> {
    let mut counted: BTreeMap<ActionId, Counted> = BTreeMap::new();
    let mut last = None;
    let kept = portrait.kept.iter().copied();
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

/// A time of a home, by its clock where its zone was given.
pub fn stamp(time: Time, zone: Option<&TimeZone>) -> Stamp {
    let offset = zone.map_or(0, |zone| offset_at(time, zone));
    Stamp { time, offset }
}

/// Text from outside as a terminal may see it.
pub fn plain(text: &str) -> String {
    text.replace(char::is_control, "·")
}
