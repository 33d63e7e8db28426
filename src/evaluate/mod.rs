//! How well a replay did against a known truth, beside trivial answers to the same questions.
//!
//! - **Detection**: every scored behaviour (its last line) is an item; the planted anomalies are to be told from the
//!   rest. Trivial: call all, call none, call an action that its home never did before.
//! - **Prediction**: at every scored behaviour that was not planted, the rank of what happened in the line's
//!   predictions; what is not among them is a miss. Trivial: the home's most frequent actions so far; the actions
//!   that followed its previous one most often so far (then the most frequent). They are cut to the length of the
//!   longest list of predictions, so that all lists are equally long.
//! - **Shifts**: how many planted ones led to a request, to candidates, to a new version.
//!
//! "So far" means all behaviours of the home's segments before, scored or not. Detection and prediction are told for
//! all items and for those after their home's first planted shift, which is where adaptation counts.
//! Memory: about 50 bytes a behaviour.

mod report;
pub mod statistics;
mod trivial;
mod truth;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use crate::outputs::read::{each, line};
use crate::outputs::{
    AdaptationLine, RequestLine, ScoreLine, SegmentLine, ShiftLine, Stream, VerdictLine,
};

pub use report::{Evaluation, Part, Shifts};
use statistics::Judged;
use trivial::Habits;
use truth::Truth;

/// Home, time in microseconds, action: the identity of a behaviour, names interned in order of the alphabet.
type Key = (u32, i64, u32);

/// Names to numbers, in order of meeting.
#[derive(Default)]
struct Interner {
    ids: HashMap<String, u32>,
}

impl Interner {
    fn intern(&mut self, name: &str) -> u32 {
        if let Some(&id) = self.ids.get(name) {
            return id;
        }
        let id = self.ids.len() as u32;
        self.ids.insert(name.to_owned(), id);
        id
    }

    /// By number: the name's place in the alphabet, which does not depend on the order of meeting.
    fn places(&self) -> Vec<u32> {
        let mut names: Vec<(&String, u32)> =
            self.ids.iter().map(|(name, id)| (name, *id)).collect();
        names.sort_unstable();
        let mut places = vec![0; names.len()];
        for (place, (_, id)) in names.into_iter().enumerate() {
            places[id as usize] = place as u32;
        }
        places
    }
}

/// A line of `scores`, as far as it matters here.
#[derive(Clone, Copy)]
struct Scored {
    key: Key,
    epoch: u64,
    score: f32,
    called: bool,
    /// Place of the behaviour's action among its predictions, from 1; 0 where it is not among them.
    rank: u32,
}

/// Compares the output folder `dir` with the simulator's `truth`.
///
/// # Errors
/// A file cannot be read or holds a damaged line.
pub fn evaluate(dir: &Path, truth: &Path) -> anyhow::Result<Evaluation> {
    let truth = Truth::read(truth)?;
    let (mut homes, mut actions) = (Interner::default(), Interner::default());
    let mut behaviors: Vec<(Key, i64)> = Vec::new();
    each(dir, Stream::Segments, |text| {
        let line: SegmentLine<'_> = line(text)?;
        let home = homes.intern(&line.home);
        behaviors.extend(line.behaviors.iter().map(|behavior| {
            let action = actions.intern(&behavior.action);
            ((home, behavior.time.time.0, action), line.diff)
        }));
        Ok(())
    })?;
    let mut scores: Vec<Scored> = Vec::new();
    let mut longest = 0;
    each(dir, Stream::Scores, |text| {
        let line: ScoreLine<'_> = line(text)?;
        let mut predicted = line.predictions.iter();
        let place = predicted.position(|prediction| prediction.action == line.action);
        longest = longest.max(line.predictions.len());
        // A loss that was no number is written as null; the call tells on which side of the threshold it was.
        let beyond = if line.anomaly {
            f32::INFINITY
        } else {
            f32::NEG_INFINITY
        };
        scores.push(Scored {
            key: (
                homes.intern(&line.home),
                line.time.time.0,
                actions.intern(&line.action),
            ),
            epoch: line.epoch,
            score: line.score.unwrap_or(beyond),
            called: line.anomaly,
            rank: place.map_or(0, |place| place as u32 + 1),
        });
        Ok(())
    })?;
    let shifts = shifts(dir, &truth)?;

    // Names in alphabetical order from here on, so that nothing depends on the order of lines.
    let (home_places, action_places) = (homes.places(), actions.places());
    let renamed = |(home, time, action): Key| {
        (
            home_places[home as usize],
            time,
            action_places[action as usize],
        )
    };
    let key_of = |home: &str, time: i64, action: &str| -> Option<Key> {
        Some(renamed((
            *homes.ids.get(home)?,
            time,
            *actions.ids.get(action)?,
        )))
    };
    for (key, _) in &mut behaviors {
        *key = renamed(*key);
    }
    for scored in &mut scores {
        scored.key = renamed(scored.key);
    }
    behaviors.sort_unstable_by_key(|(key, _)| *key);
    scores.sort_by_key(|scored| (scored.key, scored.epoch));
    let planted = truth.anomalies.iter();
    let planted: BTreeSet<Key> = planted
        .filter_map(|(home, time, action)| key_of(home, *time, action))
        .collect();
    let mut first_shift: BTreeMap<u32, i64> = BTreeMap::new();
    for shift in &truth.shifts {
        if let Some(&home) = homes.ids.get(&shift.home) {
            let first = first_shift
                .entry(home_places[home as usize])
                .or_insert(shift.time);
            *first = shift.time.min(*first);
        }
    }

    let mut all = Items::default();
    let mut after = Items::default();
    let mut habits = Habits::new(actions.ids.len());
    let mut last_scores = scores
        .chunk_by(|a, b| a.key == b.key)
        .filter_map(<[Scored]>::last)
        .peekable();
    let mut withdrawn = 0_u64;
    for same in behaviors.chunk_by(|a, b| a.0 == b.0) {
        let Some(&(key, _)) = same.first() else {
            continue;
        };
        if same.iter().map(|(_, diff)| diff).sum::<i64>() <= 0 {
            continue;
        }
        let (home, time, action) = key;
        habits.enter(home);
        while last_scores.next_if(|scored| scored.key < key).is_some() {
            withdrawn += 1;
        }
        if let Some(scored) = last_scores.next_if(|scored| scored.key == key) {
            let item = Item {
                scored: *scored,
                planted: planted.contains(&key),
                unseen: habits.is_new(action),
                frequent: habits.rank_by_frequency(action),
                following: habits.rank_by_succession(action),
            };
            all.add(&item, longest);
            if first_shift.get(&home).is_some_and(|shift| *shift <= time) {
                after.add(&item, longest);
            }
        }
        habits.learn(action);
    }
    withdrawn += last_scores.count() as u64;
    Ok(Evaluation {
        all: all.part(),
        after: (!first_shift.is_empty()).then(|| after.part()),
        planted: truth.anomalies.len() as u64,
        longest,
        withdrawn,
        shifts,
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
