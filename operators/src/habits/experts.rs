//! The experts: who looks where for what comes next.

use super::Vocabulary;
use super::expert::Expert;
use super::numbers::{fading, ln_1p};
use super::places::{Clock, DAY, Places};
use super::pooled::{Context, Outcomes, Pooled, Situation};
use super::said::Said;
use super::timeline::Timeline;
use crate::words::{ActionId, Moment};

/// By kind of [`Situation::after`].
const COHORT: [Expert; Situation::KINDS] = [
    Expert::CohortLast,
    Expert::CohortTwo,
    Expert::CohortHour,
    Expert::CohortHoursLast,
    Expert::ContextHours,
    Expert::ContextHoursLast,
];

/// Places after one action (or starts) that are looked at, the last ones.
pub(super) const LOOKED_AT: usize = 512;
/// Places that are looked at whatever came before, the last ones.
pub(super) const LATELY: usize = 300;
/// Where less than this share of the cohort's counts is a home's own, the cohort says enough of what people do at all.
pub(super) const ALONE: f32 = 0.05;
/// Behaviours that can be imagined.
pub(super) const IMAGINED: usize = 1024;
/// How many actions before can be alike.
pub(super) const ALIKE: usize = 6;

const HALF_DAY: usize = DAY as usize / 2 + 1;
/// By minutes apart: e^(-t/45 min).
const NEAR: [f32; HALF_DAY] = fading(0.978_022_9);
/// By minutes apart: e^(-t/90 min).
const AROUND: [f32; HALF_DAY] = fading(0.988_950_4);
/// By days apart: e^(-t/15 d).
const RECENT: [f32; 64] = fading(0.935_507);
/// By how many actions agree: e^n.
const AGREED: [f32; ALIKE + 1] = fading(std::f32::consts::E);

/// Weights below these count as nothing.
const LEAST_NEAR: f32 = 0.02;
const LEAST_ALIKE: f32 = 0.01;
/// Where no action agrees, only what is as near as this is alike.
const LEAST_ALONE: f32 = 0.1;
/// What is imagined in other hours is alike by this much less.
const OTHER_HOURS: f32 = 0.2;

/// What is known before a behaviour: those of its segment before it, and when the last one was (at a segment's start: of the
/// segment before).
#[derive(Clone, Copy, Debug)]
pub(super) struct Before<'a> {
    pub moments: &'a [Moment],
    pub clock: Option<Clock>,
}

impl Before<'_> {
    fn action(&self, back: usize) -> Option<ActionId> {
        let at = self.moments.len().checked_sub(back)?;
        Some(self.moments[at].action)
    }

    /// How many actions before a place (of that depth) agree with those before the behaviour; that both segments start is one, too.
    fn agreeing(&self, places: &Places, place: usize, depth: usize) -> usize {
        for back in 1..=ALIKE {
            let there = (depth >= back).then(|| places.action(place - back));
            let here = self.action(back);
            if there != here {
                return back - 1;
            }
            if here.is_none() {
                return back;
            }
        }
        ALIKE
    }
}

/// Lets a home that is alone say what it does at all; at a segment's start [`ask_home`] has said it.
pub(super) fn ask_lone(home: &Timeline, before: &Before<'_>, said: &mut Said) {
    if before.moments.is_empty() {
        return;
    }
    let places = home.places();
    for place in places.len().saturating_sub(LATELY)..places.len() {
        said.add(Expert::Any, places.action(place), 1.0);
    }
}

/// Lets a home's own history speak. `regime`: from which place on its current regime is.
pub(super) fn ask_home(home: &Timeline, before: &Before<'_>, regime: usize, said: &mut Said) {
    let places = home.places();
    match before.action(1) {
        None => {
            for place in home.starts().take(LOOKED_AT) {
                say_after(places, before, place, said);
                say_lately(places, before, place, regime, said);
            }
        }
        Some(last) => {
            let after = places.of(last).map(|place| place + 1);
            let after = after.filter(|place| places.continues(*place));
            for place in after.take(LOOKED_AT) {
                say_after(places, before, place, said);
            }
            let Some(clock) = before.clock else {
                return;
            };
            let first = places.len().saturating_sub(LATELY);
            for (place, minute) in places.since(first) {
                if NEAR[clock.apart(minute)] > LEAST_NEAR && places.continues(place) {
                    say_lately(places, before, place, regime, said);
                }
            }
        }
    }
}

/// Of a place after the same last action.
fn say_after(places: &Places, before: &Before<'_>, place: usize, said: &mut Said) {
    let action = places.action(place);
    said.add(Expert::Last, action, 1.0);
    let agreeing = before.agreeing(places, place, usize::from(places.depth(place)));
    if agreeing >= 2 {
        said.add(Expert::Two, action, 1.0);
    }
    if agreeing >= 3 {
        said.add(Expert::Three, action, 1.0);
    }
    let Some((clock, apart)) = apart(places, before, place) else {
        return;
    };
    if NEAR[apart] > LEAST_NEAR {
        said.add(Expert::LastNear, action, NEAR[apart]);
    }
    let alike = AGREED[agreeing] * AROUND[apart] * recent(clock, places.day(place - 1));
    if alike > LEAST_ALIKE {
        said.add(Expert::Alike, action, alike);
    }
}

/// Of a place lately, whatever came before it.
fn say_lately(places: &Places, before: &Before<'_>, place: usize, regime: usize, said: &mut Said) {
    let Some((clock, apart)) = apart(places, before, place) else {
        return;
    };
    let near = NEAR[apart];
    if near <= LEAST_NEAR {
        return;
    }
    let action = places.action(place);
    if place >= regime {
        said.add(Expert::Regime, action, near);
    }
    let other = before
        .action(1)
        .is_some_and(|last| last != places.action(place - 1));
    if other && near > LEAST_ALONE {
        let alike = AROUND[apart] * recent(clock, places.day(place - 1));
        if alike > LEAST_ALIKE {
            said.add(Expert::Alike, action, alike);
        }
    }
}

/// When the last behaviour was, and how far from it, as times of the day, the behaviour before a place.
fn apart(places: &Places, before: &Before<'_>, place: usize) -> Option<(Clock, usize)> {
    let clock = before.clock?;
    let minute = places.minute(place.checked_sub(1)?);
    Some((clock, clock.apart(minute)))
}

fn recent(clock: Clock, day: i32) -> f32 {
    let days = clock.day.abs_diff(day) as usize;
    RECENT.get(days).copied().unwrap_or(0.0)
}

/// Lets what was imagined speak.
pub(super) fn ask_imagined(imagined: &Timeline, before: &Before<'_>, said: &mut Said) {
    let places = imagined.places();
    let Some(last) = before.action(1) else {
        // Sequences have hours, no days: their starts are at any time.
        for place in imagined.starts() {
            say_imagined(places, before, place, true, said);
        }
        return;
    };
    let Some(hours) = before.clock.map(Clock::hours) else {
        return;
    };
    for (place, minute) in places.since(0) {
        let same = minute / 180 == hours;
        if (same || places.action(place - 1) == last) && places.continues(place) {
            say_imagined(places, before, place, same, said);
        }
    }
}

/// Of a place that was imagined, in the same hours or after the same last action.
fn say_imagined(
    places: &Places,
    before: &Before<'_>,
    place: usize,
    same_hours: bool,
    said: &mut Said,
) {
    let action = places.action(place);
    let agreeing = before.agreeing(places, place, usize::from(places.depth(place)));
    let mut alike = AGREED[agreeing];
    if same_hours {
        said.add(Expert::ImaginedHours, action, 1.0);
        if agreeing > 0 {
            said.add(Expert::ImaginedHoursLast, action, 1.0);
        }
    } else {
        alike *= OTHER_HOURS;
    }
    said.add(Expert::ImaginedAlike, action, alike);
}

/// Lets the cohort speak of what comes next.
pub(super) fn ask_cohort(
    pooled: &Pooled,
    words: &Vocabulary<'_>,
    before: &Before<'_>,
    context: Context,
    said: &mut Said,
) {
    let word = |action: Option<ActionId>| action.map(|action| words.to_cohort(action));
    let (last, second) = (word(before.action(1)), word(before.action(2)));
    let clock = before.clock.filter(|_| last.is_some());
    let situations = Situation::after(last, second, clock, context);
    for (expert, situation) in COHORT.into_iter().zip(situations) {
        let outcomes = situation.and_then(|situation| pooled.of(situation));
        for (action, n) in outcomes.into_iter().flat_map(Outcomes::usual) {
            if let Some(own) = words.from_cohort(action) {
                said.add(expert, own, n);
            }
        }
    }
}

/// What the cohort says of devices by what each did last; what was found stands until the device acts.
#[derive(Debug)]
pub(super) struct Devices<'a> {
    pooled: &'a Pooled,
    words: Vocabulary<'a>,
    /// By device.
    states: Vec<State<'a>>,
    /// By action: what was said, and after how many acts of its device.
    said: Vec<(u32, f32)>,
}

#[derive(Clone, Copy, Debug, Default)]
struct State<'a> {
    /// How often the device acted in this segment.
    acts: u32,
    last: Option<ActionId>,
    /// What the cohort does then, once it was asked for.
    outcomes: Option<Option<&'a Outcomes>>,
}

impl<'a> Devices<'a> {
    /// As they were before a place of the home's history.
    pub fn new(pooled: &'a Pooled, words: Vocabulary<'a>, places: &Places, at: usize) -> Self {
        let mut states = vec![State::default(); words.catalog().devices().len()];
        let mut unknown = states.len();
        for place in (0..at).rev() {
            if unknown == 0 {
                break;
            }
            let action = places.action(place);
            let last = &mut states[usize::from(words.device_of(action).0)].last;
            if last.is_none() {
                *last = Some(action);
                unknown -= 1;
            }
        }
        Devices {
            pooled,
            words,
            states,
            said: vec![(u32::MAX, 0.0); words.actions()],
        }
    }

    /// An action happened.
    pub fn happened(&mut self, action: ActionId) {
        let state = &mut self.states[usize::from(self.words.device_of(action).0)];
        state.acts += 1;
        state.last = Some(action);
        state.outcomes = None;
    }

    /// How much likelier an action is than any other of its device: a logarithm.
    pub fn say(&mut self, action: ActionId) -> f32 {
        let device = usize::from(self.words.device_of(action).0);
        let state = &mut self.states[device];
        let (acts, said) = &mut self.said[usize::from(action.0)];
        if *acts == state.acts {
            return *said;
        }
        let word = self.words.to_cohort(action);
        let outcomes = state.outcomes.get_or_insert_with(|| {
            let last = state.last.map(|last| self.words.to_cohort(last));
            let kind = self.words.cohort_device_of(word);
            self.pooled.of(Situation::of_device(kind, last))
        });
        *acts = state.acts;
        *said = outcomes.map_or(0.0, |outcomes| {
            let actions = self.words.catalog().devices()[device].actions.len();
            ln_1p(outcomes.count(word) * actions as f32) - ln_1p(outcomes.total())
        });
        *said
    }
}
