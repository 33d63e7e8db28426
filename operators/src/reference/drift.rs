//! Drift: a home's final behaviours, grouped into days from scratch after each epoch, and every score by its definition.

use std::collections::BTreeSet;

use super::HomeLife;
use crate::drift::{Alertness, MEMORY, SUSPECTS, SUSPICION, e_value};
use crate::words::{Catalog, Epoch, HomeId, Moment, Time};

/// A shift that was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Drifted {
    /// In which epoch.
    pub epoch: Epoch,
    /// The end of the day that made it certain.
    pub time: Time,
    /// When the first day began that differs.
    pub since: Time,
    /// How strong the case is.
    pub evidence: f64,
    /// Behaviours a day before and after.
    pub rate: (f64, f64),
}

type Day = Vec<Moment>;

/// Days before now, and how the case stands.
#[derive(Default)]
struct Case {
    days: Vec<Day>,
    suspects: usize,
    peaks: [f64; 6],
}

/// As [`drift`](crate::drift) promises, where nothing is erased; `declared`: the shifts of the home that are declared by the end of an
/// epoch.
pub fn drifts(
    home: HomeId,
    life: &HomeLife,
    declared: impl Fn(Epoch) -> Vec<Time>,
    alertness: &Alertness,
) -> Vec<Drifted> {
    let catalog = alertness.catalogs.of(home);
    let (mut found, mut case) = (Vec::new(), Case::default());
    let (mut all, mut newest) = (Vec::<Moment>::new(), None::<Time>);
    let (mut known, mut passed) = (BTreeSet::new(), None::<Time>);
    let mut closed = 0;
    let mut open = None;
    for (epoch, updates) in &life.updates {
        known.extend(declared(*epoch));
        for update in updates.iter().filter(|update| update.diff > 0) {
            all.extend(&update.segment.moments);
            newest = newest.max(Some(update.segment.end()));
        }
        for gone in updates.iter().filter(|update| update.diff < 0) {
            for moment in &gone.segment.moments {
                let place = all.iter().position(|m| m == moment);
                all.swap_remove(place.expect("what goes was there"));
            }
        }
        all.sort();
        case.pass(&known, &mut passed, open);
        // The last segment before the lateness may still grow.
        let late = newest.map(|newest| Time(newest.0.saturating_sub(alertness.lateness)));
        let standing = life.standing(*epoch);
        let starts = standing.iter().map(|placed| placed.segment.start());
        let horizon = starts.filter(|start| Some(*start) < late).max();
        let days = days(all.iter().filter(|m| Some(m.time) < horizon));
        let complete = days.len().saturating_sub(1);
        for place in closed..complete {
            let (start, end) = ends(&days[place]);
            case.pass(&known, &mut passed, Some(start));
            if known.range(start..end).any(|shift| *shift > start) {
                continue;
            }
            if let Some((evidence, before, after)) = case.judge(&days[place], alertness, catalog) {
                let rate = |days: &[Day]| {
                    days.iter().map(Vec::len).sum::<usize>() as f64 / days.len() as f64
                };
                found.push(Drifted {
                    epoch: *epoch,
                    time: end.min(days[place + 1][0].time),
                    since: ends(&after[0]).0,
                    evidence,
                    rate: (rate(&before), rate(&after)),
                });
            }
        }
        closed = complete.max(closed);
        open = days.last().map(|day| ends(day).0);
        case.pass(&known, &mut passed, open);
    }
    found
}

/// Local days from four to four; a clock that goes back stays in its day.
fn days<'a>(moments: impl Iterator<Item = &'a Moment>) -> Vec<Day> {
    let mut days: Vec<Day> = Vec::new();
    for moment in moments {
        match days.last_mut() {
            Some(day) if number(moment) <= number(&day[0]) => day.push(*moment),
            _ => days.push(vec![*moment]),
        }
    }
    days
}

fn number(moment: &Moment) -> i64 {
    let minutes = moment.time.0 / 60 / Time::SECOND + i64::from(moment.offset);
    (minutes - 4 * 60).div_euclid(24 * 60)
}

fn ends(day: &Day) -> (Time, Time) {
    let start = number(&day[0]) * Time::DAY + 4 * Time::HOUR;
    let start = start - i64::from(day[0].offset) * 60 * Time::SECOND;
    (Time(start), Time(start + Time::DAY))
}

/// Evidence, the days before and the days after.
type Verdict = (f64, Vec<Day>, Vec<Day>);

impl Case {
    /// Starts anew with each shift that is at or before a time.
    fn pass(&mut self, known: &BTreeSet<Time>, passed: &mut Option<Time>, until: Option<Time>) {
        for shift in known.iter().filter(|shift| Some(**shift) <= until) {
            if Some(*shift) > *passed {
                *passed = Some(*shift);
                let mut days = std::mem::take(&mut self.days);
                days.retain(|day| ends(day).0 >= *shift);
                *self = Case {
                    days,
                    ..Case::default()
                };
            }
        }
    }

    fn judge(&mut self, day: &Day, alertness: &Alertness, catalog: &Catalog) -> Option<Verdict> {
        let strictness = alertness.strictness;
        if self.days.len() < strictness.learning {
            self.days.push(day.clone());
            return None;
        }
        let e_values = self.e_values(day, catalog);
        self.days.push(day.clone());
        self.suspects += 1;
        for (peak, e) in self.peaks.iter_mut().zip(e_values) {
            *peak = peak.max(1.0) * e;
        }
        let evidence = self.peaks.iter().sum::<f64>() / 6.0;
        let mut before = self.days.clone();
        let after = before.split_off(before.len() - self.suspects);
        if evidence >= strictness.evidence {
            *self = Case::default();
            return Some((evidence, before, after));
        }
        if evidence < SUSPICION {
            self.suspects = 0;
        }
        self.suspects = self.suspects.min(SUSPECTS);
        while self.days.len() - self.suspects > MEMORY {
            self.days.remove(0);
        }
        None
    }

    fn e_values(&self, today: &Day, catalog: &Catalog) -> [f64; 6] {
        let actions = |m: &Moment| u32::from(m.action.0);
        let hour = |m: &Moment| u32::from(m.time.local(m.offset).1);
        let quarters = |m: &Moment| 1000 * u32::from(catalog.device_of(m.action).0) + hour(m) / 2;
        let reference = self.days.len() - self.suspects;
        let (days, suspects) = self.days.split_at(reference);
        // Direction: suspects or the latest day, four at most.
        let recent = self.days.len() - suspects.len().clamp(1, 4);
        let (older, latest) = self.days.split_at(recent);
        // Each of the days and today by all the others.
        let compare = |days: &[Day], score: &dyn Fn(&Day, &[&Day]) -> f64| {
            let all: Vec<&Day> = days.iter().chain([today]).collect();
            let scored = (0..all.len()).map(|place| {
                let mut others = all.clone();
                score(others.remove(place), &others)
            });
            e_value(&scored.collect::<Vec<_>>())
        };
        let strange = |days: &[Day], of: &dyn Fn(&Moment) -> u32, rarity: bool| {
            let universe = universe(days.iter().chain([today]), of);
            compare(days, &|day, others| {
                let add = |feature: &u32| {
                    let (p, has) = (share(others, *feature, of), has(day, *feature, of));
                    match (rarity, has) {
                        (true, true) => (1.0 - p) / p,
                        (true, false) => p / (1.0 - p),
                        (false, true) => -p.ln(),
                        (false, false) => -(1.0 - p).ln(),
                    }
                };
                universe.iter().map(add).sum()
            })
        };
        let like = |of: &dyn Fn(&Moment) -> u32| {
            let universe = universe(older.iter().chain([today]), of);
            let latest: Vec<&Day> = latest.iter().collect();
            compare(older, &|day, others| {
                let add = |feature: &u32| {
                    let (p, q) = (share(others, *feature, of), share(&latest, *feature, of));
                    match has(day, *feature, of) {
                        true => (q / p).ln(),
                        false => ((1.0 - q) / (1.0 - p)).ln(),
                    }
                };
                universe.iter().map(add).sum()
            })
        };
        let rate = compare(days, &|day, others| {
            let root = |day: &Day| (day.len() as f64).sqrt();
            let usual = others.iter().map(|day| root(day)).sum::<f64>() / others.len() as f64;
            (root(day) - usual).abs()
        });
        [
            strange(days, &actions, true),
            strange(days, &quarters, false),
            strange(days, &hour, false),
            rate,
            like(&actions),
            like(&quarters),
        ]
    }
}

fn universe<'a>(days: impl Iterator<Item = &'a Day>, of: &dyn Fn(&Moment) -> u32) -> BTreeSet<u32> {
    days.flatten().map(of).collect()
}

fn has(day: &Day, feature: u32, of: &dyn Fn(&Moment) -> u32) -> bool {
    day.iter().any(|moment| of(moment) == feature)
}

/// The share of days with a feature, half a day with and half a day without it added.
fn share(days: &[&Day], feature: u32, of: &dyn Fn(&Moment) -> u32) -> f64 {
    let having = days.iter().filter(|day| has(day, feature, of)).count();
    (having as f64 + 0.5) / (days.len() as f64 + 1.0)
}
