//! Planted anomalies: each adds events that do not belong, and says which.
//!
//! A closing that is *missing* is left out of the kinds on purpose: there is no event that could bear the label, and the event
//! after it is usual in itself.

use hearth_operators::words::ActionId;
use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;

use super::devices::{Kind, World};
use super::home::Home;
use super::occurrence::{Anomaly, DAY, Occurrence};
use super::routines::{Routine, against};
use super::state::State;

/// Repeats of a burst, each with its label.
const REPEATS: std::ops::RangeInclusive<u32> = 3..=4;
/// What a planting draws from. A burst has several labels, so it is drawn less often.
const DRAWN: [Anomaly; 9] = [
    Anomaly::WrongHour,
    Anomaly::WrongHour,
    Anomaly::OutOfSeason,
    Anomaly::OutOfSeason,
    Anomaly::UnknownOrder,
    Anomaly::UnknownOrder,
    Anomaly::ForeignDevice,
    Anomaly::ForeignDevice,
    Anomaly::Repeat,
];
/// Labelled events that a planting yields on average: eight draws with one, one with three or four.
const YIELD: f64 = 11.5 / 9.0;

/// Plants anomalies into a home's log (in order of time): so many labelled events a usual one, on average.
pub(super) fn plant(
    home: &Home,
    world: &World,
    log: &mut Vec<Occurrence>,
    share: f64,
    rng: &mut ChaCha8Rng,
) {
    let chance = (share / YIELD).min(1.0);
    if chance == 0.0 {
        return;
    }
    let usual = log.len();
    let mut state = State::new(world);
    for i in 0..usual {
        let occurrence = log[i];
        state.apply(occurrence.action);
        if rng.random_bool(chance) {
            let planting = Planting {
                home,
                world,
                state: &state,
                usual: occurrence,
                day: u16::try_from(occurrence.at / DAY).unwrap_or(u16::MAX),
            };
            // Not every home has room for every kind; each has room for the last.
            let drawn = DRAWN[rng.random_range(0..DRAWN.len())];
            for kind in [drawn, Anomaly::UnknownOrder, Anomaly::Repeat] {
                if planting.plant(kind, log, rng) {
                    break;
                }
            }
        }
    }
    log.sort_by_key(|occurrence| occurrence.at);
}

struct Planting<'a> {
    home: &'a Home,
    world: &'a World,
    /// As the usual behaviour leaves it.
    state: &'a State<'a>,
    /// The behaviour beside which something is planted.
    usual: Occurrence,
    day: u16,
}

impl Planting<'_> {
    /// Adds the events of a kind; false if this home, here, has no room for it.
    fn plant(&self, kind: Anomaly, log: &mut Vec<Occurrence>, rng: &mut ChaCha8Rng) -> bool {
        let soon = self.usual.at + rng.random_range(5..120);
        let found = match kind {
            Anomaly::WrongHour if self.nightly() => None,
            Anomaly::WrongHour => Some((self.asleep(rng), self.usual.action)),
            Anomaly::OutOfSeason => self.out_of_season(rng).map(|action| (soon, action)),
            Anomaly::UnknownOrder => self.unknown_order(rng).map(|action| (soon, action)),
            Anomaly::ForeignDevice => self.foreign(rng).map(|action| (soon, action)),
            Anomaly::Repeat => {
                let mut at = self.usual.at;
                for _ in 0..rng.random_range(REPEATS) {
                    at += rng.random_range(1..6);
                    log.push(labelled(at, self.usual.action, kind));
                }
                return true;
            }
        };
        if let Some((at, action)) = found {
            log.push(labelled(at, action, kind));
        }
        found.is_some()
    }

    /// Whether the usual behaviour is one that a broken night has too.
    fn nightly(&self) -> bool {
        let steps = Routine::Night.steps(self.world);
        steps.iter().any(|step| step.action == self.usual.action)
    }

    /// A time of the same day at which everybody sleeps: the middle between the latest bedtime and the earliest alarm.
    fn asleep(&self, rng: &mut ChaCha8Rng) -> i64 {
        let people = &self.home.people;
        let wake = people.iter().fold(24.0_f32, |least, p| least.min(p.wake));
        let dark = self.home.turned((wake - 2.4).max(2.2), self.day);
        let dark = dark + rng.random_range(-0.5..0.9);
        i64::from(self.day) * DAY + (dark * 3_600.0) as i64
    }

    fn out_of_season(&self, rng: &mut ChaCha8Rng) -> Option<ActionId> {
        let odd: Vec<ActionId> = against(self.home.season(self.day))
            .iter()
            .filter_map(|(device, action)| self.world.catalog.lookup(device, action))
            .filter(|&action| self.home.owned[self.world.device(action)])
            .collect();
        odd.choose(rng).copied()
    }

    fn unknown_order(&self, rng: &mut ChaCha8Rng) -> Option<ActionId> {
        let closed = (0..self.world.devices())
            .filter(|&device| self.home.uses(device, self.day) && !self.state.is_open(device));
        let odd = self
            .world
            .of_kind(closed, |kind| matches!(kind, Kind::Sets | Kind::Closes));
        odd.choose(rng).copied()
    }

    fn foreign(&self, rng: &mut ChaCha8Rng) -> Option<ActionId> {
        let foreign = (0..self.world.devices()).filter(|&device| !self.home.owned[device]);
        let odd = self.world.of_kind(foreign, |kind| kind != Kind::Closes);
        odd.choose(rng).copied()
    }
}

fn labelled(at: i64, action: ActionId, kind: Anomaly) -> Occurrence {
    Occurrence {
        at,
        action,
        anomaly: Some(kind),
    }
}
