//! How well a replay did against a known truth, beside trivial answers to the same questions.
//!
//! - **Detection**: every scored behaviour (its last line) is an item; the planted anomalies are to be told from the
//!   rest. Trivial: call all, call none, call an action that its home never did before.
//! - **Prediction**: at every scored behaviour that was not planted, the rank of what happened in the line's
//!   predictions; what is not among them is a miss. Trivial: the home's most frequent actions so far; the actions
//!   that followed its previous one most often so far (then the most frequent). They are cut to the length of the
//!   longest list of predictions, so that all lists are equally long.
//! - **Shifts**: how many planted ones led to a request, to candidates, to a new version.
//! - **Drift**: how many of them were found within five days where nobody declared them, and how often one was found that was not
//!   there.
//!
//! "So far" means all behaviours of the home's segments before, scored or not. Detection and prediction are told for
//! all items and for those after their home's first planted shift, which is where adaptation counts.
//! Memory: about 50 bytes a behaviour.

mod drift;
mod report;
mod run;
pub mod statistics;
mod trivial;
mod truth;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use crate::outputs::read::{each, line};
use crate::outputs::{AdaptationLine, RequestLine, ShiftLine, Stream, VerdictLine};

pub use drift::{Drifts, Kind};
pub use report::{Evaluation, Part, Shifts};
pub(crate) use run::{Interner, Places};
use run::{Key, Run, Scored};
use statistics::Judged;
pub(crate) use truth::Truth;

/// Compares the output folder `dir` with the simulator's `truth`.
///
/// # Errors
/// A file cannot be read or holds a damaged line.
pub fn evaluate(dir: &Path, truth: &Path) -> anyhow::Result<Evaluation> {
    let truth = Truth::read(truth)?;
    let run = Run::read(dir)?;
    let shifts = shifts(dir, &truth)?;
    let drifts = drift::drifts(dir, &truth)?;
    let planted = truth.anomalies.iter();
    let planted: BTreeSet<Key> = planted
        .filter_map(|(home, time, action)| run.key(home, *time, action))
        .collect();
    let mut first_shift: BTreeMap<u32, i64> = BTreeMap::new();
    for shift in &truth.shifts {
        if let Some(home) = run.homes.place(&shift.home) {
            let first = first_shift.entry(home).or_insert(shift.time);
            *first = shift.time.min(*first);
        }
    }

    let longest = run.longest;
    let mut all = Items::default();
    let mut after = Items::default();
    let withdrawn = run.each_scored(|scored, trivial| {
        let (home, time, action) = scored.key;
        let item = Item {
            scored,
            planted: planted.contains(&scored.key),
            unseen: trivial.is_new(action),
            frequent: trivial.rank_by_frequency(action),
            following: trivial.rank_by_succession(action),
        };
        all.add(&item, longest);
        if first_shift.get(&home).is_some_and(|shift| *shift <= time) {
            after.add(&item, longest);
        }
    });
    Ok(Evaluation {
        all: all.part(),
        after: (!first_shift.is_empty()).then(|| after.part()),
        planted: truth.anomalies.len() as u64,
        longest,
        withdrawn,
        shifts,
        drifts,
    })
}

/// A scored behaviour and the trivial answers at its place.
struct Item {
    scored: Scored,
    planted: bool,
    unseen: bool,
    /// From 1.
    frequent: u32,
    /// From 1.
    following: u32,
}

/// Scored behaviours, gathered for the figures.
#[derive(Default)]
struct Items {
    model: Vec<Judged>,
    unseen: Vec<Judged>,
    part: Part,
}

impl Items {
    fn add(&mut self, item: &Item, longest: usize) {
        let Item {
            scored, planted, ..
        } = item;
        self.model.push((f64::from(scored.score), *planted));
        self.unseen
            .push((f64::from(u8::from(item.unseen)), *planted));
        self.part.calls.add(scored.called, *planted);
        self.part.always.add(true, *planted);
        self.part.never.add(false, *planted);
        self.part.unseen.add(item.unseen, *planted);
        if !planted {
            let within = |rank: u32| (1..=longest as u32).contains(&rank).then_some(rank);
            self.part.predictor.add(within(scored.rank));
            self.part.frequent.add(within(item.frequent));
            self.part.following.add(within(item.following));
        }
    }

    fn part(self) -> Part {
        let curves = |items: &[Judged]| {
            let average = statistics::average_precision(items);
            statistics::auroc(items).zip(average)
        };
        Part {
            curves: curves(&self.model),
            unseen_curves: curves(&self.unseen),
            ..self.part
        }
    }
}

/// Follows each planted shift through requests, verdicts and adaptations.
fn shifts(dir: &Path, truth: &Truth) -> anyhow::Result<Shifts> {
    let places: HashMap<(&str, i64, &str), usize> = truth
        .shifts
        .iter()
        .enumerate()
        .map(|(place, shift)| {
            (
                (shift.home.as_str(), shift.time, shift.kind.as_str()),
                place,
            )
        })
        .collect();
    let find = |home: &str, shift: &ShiftLine<'_>| {
        places
            .get(&(home, shift.time.time.0, shift.kind.name()))
            .copied()
    };
    let mut by_request: HashMap<String, usize> = HashMap::new();
    let [mut requested, mut answered, mut adapted] = [const { BTreeSet::<usize>::new() }; 3];
    each(dir, Stream::Requests, |text| {
        let line: RequestLine<'_> = line(text)?;
        if let Some(place) = find(&line.home, &line.shift) {
            requested.insert(place);
            by_request.insert(line.request.into_owned(), place);
        }
        Ok(())
    })?;
    each(dir, Stream::Verdicts, |text| {
        let line: VerdictLine<'_> = line(text)?;
        if line.stage > 0 {
            answered.extend(by_request.get(line.request.as_ref()));
        }
        Ok(())
    })?;
    each(dir, Stream::Adaptations, |text| {
        let line: AdaptationLine<'_> = line(text)?;
        if line.event == "promoted" {
            adapted.extend(find(&line.home, &line.shift));
        }
        Ok(())
    })?;
    Ok(Shifts {
        planted: truth.shifts.len() as u64,
        requested: requested.len() as u64,
        answered: answered.len() as u64,
        adapted: adapted.len() as u64,
    })
}

#[cfg(test)]
mod tests;
