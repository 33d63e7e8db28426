//! Habits, counted online: the sum of four surprises of a behaviour.
//!
//! What it does after what came before it, and before what comes after it, each at its hours (both count half); its hours, after
//! the hours before and for its action; that its action comes at least so often among the last ten.

use hearth_operators::words::HOURS;

use super::super::log::{Action, Behavior, Segment};
use super::Detector;
use super::chain::links;
use super::counts::{Counts, Pooled};
use super::places::Context;

/// Among how many behaviours repetitions are counted.
const WINDOW: usize = 10;

/// Counts of the home, over those of all homes or alone.
#[derive(Default)]
struct Layered {
    home: Counts,
    cohort: Option<Pooled>,
}

impl Layered {
    fn probability(&self, home: u32, chain: &[Context], outcome: Action, lower: f64) -> f64 {
        let cohort = self.cohort.as_ref();
        let lower = cohort.map_or(lower, |c| c.probability(chain, outcome, lower));
        self.home.probability(home, chain, outcome, lower)
    }

    fn learn(&mut self, home: u32, chain: Vec<Context>, outcome: Action) {
        for context in chain {
            if let Some(cohort) = &mut self.cohort {
                cohort.learn(context.clone(), outcome);
            }
            self.home.learn(home, context, outcome);
        }
    }
}

/// The four of them.
pub(super) struct Habits {
    name: &'static str,
    actions: usize,
    before: Layered,
    after: Layered,
    hours: Layered,
    repeats: Layered,
}

impl Habits {
    /// A home's own counts.
    pub fn alone(actions: usize) -> Self {
        Habits {
            name: "habits, home alone",
            actions,
            before: Layered::default(),
            after: Layered::default(),
            hours: Layered::default(),
            repeats: Layered::default(),
        }
    }

    /// A home's own over those of all homes.
    pub fn over_cohort(actions: usize) -> Self {
        let layered = || Layered {
            cohort: Some(Pooled::default()),
            ..Layered::default()
        };
        Habits {
            name: "habits, home over cohort",
            actions,
            before: layered(),
            after: layered(),
            hours: layered(),
            repeats: layered(),
        }
    }

    fn surprise(&self, home: u32, s: &[Behavior], i: usize) -> f64 {
        let (action, even) = (s[i].action, 1.0 / self.actions as f64);
        let before = self.before.probability(home, &before(s, i), action, even);
        let after = self.after.probability(home, &after(s, i), action, even);
        let hours = Action::from(s[i].hours);
        let hours = self
            .hours
            .probability(home, &hours_of(s, i), hours, 1.0 / HOURS.len() as f64);
        let chain = repeats_of(s, i);
        let at_least = (repeats(s, i)..=WINDOW as Action).map(|times| {
            self.repeats
                .probability(home, &chain, times, 1.0 / WINDOW as f64)
        });
        let times = at_least.sum::<f64>().min(1.0);
        -(f64::midpoint(before.ln(), after.ln()) + hours.ln() + times.ln())
    }
}

fn before(s: &[Behavior], i: usize) -> Vec<Context> {
    links(|| s[..i].iter().rev().map(|b| b.action), s[i].hours)
}

fn after(s: &[Behavior], i: usize) -> Vec<Context> {
    links(|| s[i + 1..].iter().map(|b| b.action), s[i].hours)
}

/// Any; after the hours before; there for the action.
fn hours_of(s: &[Behavior], i: usize) -> Vec<Context> {
    // Where the segment begins, the hours are none of a day's.
    let before = i.checked_sub(1).map_or(HOURS.len() as u8, |i| s[i].hours);
    vec![
        Context::Any,
        Context::Hours(before),
        Context::HoursLast(before, Some(s[i].action)),
    ]
}

/// Any action; this one.
fn repeats_of(s: &[Behavior], i: usize) -> Vec<Context> {
    vec![Context::Any, Context::Of(s[i].action)]
}

/// How often the action came among the last ten of the segment, this time included.
fn repeats(s: &[Behavior], i: usize) -> Action {
    let window = &s[(i + 1).saturating_sub(WINDOW)..=i];
    window.iter().filter(|b| b.action == s[i].action).count() as Action
}

impl Detector for Habits {
    fn name(&self) -> &'static str {
        self.name
    }

    fn judge(&mut self, segment: &Segment) -> Vec<f64> {
        for layered in [
            &mut self.before,
            &mut self.after,
            &mut self.hours,
            &mut self.repeats,
        ] {
            if let Some(cohort) = &mut layered.cohort {
                cohort.enter(segment.epoch);
            }
        }
        let s = &segment.behaviors;
        (0..s.len())
            .map(|i| self.surprise(segment.home, s, i))
            .collect()
    }

    fn learn(&mut self, segment: &Segment) {
        let (home, s) = (segment.home, &segment.behaviors);
        for (i, behavior) in s.iter().enumerate() {
            self.before.learn(home, before(s, i), behavior.action);
            self.after.learn(home, after(s, i), behavior.action);
            self.hours
                .learn(home, hours_of(s, i), behavior.hours.into());
            self.repeats.learn(home, repeats_of(s, i), repeats(s, i));
        }
    }
}
