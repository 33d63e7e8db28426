//! How the words of experts become one: a product, each to the power of its weight.

use serde::{Deserialize, Serialize};

use super::expert::{EXPERTS, Expert};
use super::numbers::exp;
use super::said::{ByExpert, Said};
use super::weights::{AGES, CLASSES, FIRST, SINCE, WITHIN};
use crate::words::{ActionId, Time};

/// One in fixed point: sums of contributions do not depend on their order.
const ONE: f32 = (1 << 20) as f32;
/// How far a behaviour moves a weight.
const RATE: f32 = 0.001;
/// What one behaviour may say at most.
const MOST: f32 = 4.0;
/// How far a home's own evidence may move a weight.
const FURTHEST: f32 = 1.0;
/// The experts whose counts are the home's own where it is alone.
const COHORT: std::ops::Range<usize> = Expert::CohortLast as usize..Expert::ImaginedHours as usize;
/// The experts that look into what was imagined.
pub(super) const IMAGINING: std::ops::Range<usize> =
    Expert::ImaginedHours as usize..Expert::Device as usize;
/// How many predictions there are.
const BEST: usize = 5;

/// What segments add to the weights of a home's experts, in fixed point: it is summed, and taken back, exactly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contribution([i32; EXPERTS]);

impl Contribution {
    /// Adds another one.
    pub(super) fn add(&mut self, other: &Contribution) {
        for (sum, part) in self.0.iter_mut().zip(other.0) {
            *sum = sum.wrapping_add(part);
        }
    }

    /// Takes one back.
    pub(super) fn subtract(&mut self, other: &Contribution) {
        for (sum, part) in self.0.iter_mut().zip(other.0) {
            *sum = sum.wrapping_sub(part);
        }
    }

    /// One step: by how much more each expert said of what happened than of what was expected.
    fn step(&mut self, advantage: &ByExpert) {
        for (sum, advantage) in self.0.iter_mut().zip(advantage) {
            let step = RATE * advantage.clamp(-MOST, MOST) * ONE;
            *sum = sum.wrapping_add(step.round() as i32);
        }
    }

    /// What the experts said more of what happened than of what was expected, in all.
    #[cfg(test)]
    pub(super) fn steps(&self) -> impl Iterator<Item = f64> {
        self.0
            .iter()
            .map(|sum| f64::from(*sum) / f64::from(RATE * ONE))
    }

    fn weight(&self, expert: usize) -> f32 {
        (self.0[expert] as f32 / ONE).clamp(-FURTHEST, FURTHEST)
    }
}

/// In which class of weights a behaviour is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Class {
    /// Whether it is the first of its segment.
    pub first: bool,
    /// How old the regime is.
    pub age: usize,
    /// Which share of the cohort's counts is not the home's own.
    pub others: f32,
}

/// The class of a regime's age: none began yet, less than a day, than three days, than a week, or older.
pub(super) fn age(regime: Option<Time>, now: Time) -> usize {
    let Some(begun) = regime.filter(|regime| *regime <= now) else {
        return 0;
    };
    let since = now.0.saturating_sub(begun.0);
    let older = |days: &&i64| since >= **days * Time::DAY;
    1 + [1, 3, 7].iter().filter(older).count()
}

/// The class of how much an expert has counted.
fn amount(total: f32) -> usize {
    const BOUNDS: [f32; CLASSES - 1] = [1.5, 3.0, 6.0, 12.0, 30.0, 100.0];
    BOUNDS.iter().filter(|bound| total >= **bound).count()
}

/// The weights of a home's experts for one behaviour; 0 where one has nothing to say.
pub(super) fn weights(totals: &ByExpert, class: Class, learnt: &Contribution) -> ByExpert {
    let table = if class.first { &FIRST } else { &WITHIN };
    std::array::from_fn(|expert| {
        if totals[expert] <= 0.0 {
            return 0.0;
        }
        let fixed = table[expert][amount(totals[expert])] + SINCE[expert][class.age];
        let share = match COHORT.contains(&expert) {
            true => class.others,
            false if expert == Expert::Any as usize => 1.0 - class.others,
            false => 1.0,
        };
        share * (fixed + learnt.weight(expert))
    })
}

/// The weights as if nothing had been imagined; none where nothing speaks that was.
pub(super) fn unimagined(weights: &ByExpert) -> Option<ByExpert> {
    let mut without = *weights;
    without[IMAGINING].fill(0.0);
    (without != *weights).then_some(without)
}

const _: () = assert!(SINCE[0].len() == AGES);

/// What all experts together say of one behaviour.
#[derive(Debug, Default)]
pub(super) struct Mixed {
    /// By action that is spoken of: its probability.
    spoken: Vec<f32>,
    /// That of any other.
    other: f32,
}

impl Mixed {
    /// Mixes.
    pub fn mix(&mut self, said: &Said, weights: &ByExpert) {
        let sum = |of: &ByExpert| -> f32 { of.iter().zip(weights).map(|(s, w)| s * w).sum() };
        self.spoken.clear();
        self.spoken.extend(said.of().iter().map(sum));
        // Of actions that nobody speaks of, everybody says 0.
        let most = self.spoken.iter().copied().fold(0.0, f32::max);
        let mut total = 0.0;
        for q in &mut self.spoken {
            *q = exp(*q - most);
            total += *q;
        }
        self.other = exp(-most);
        total += self.other * said.silent() as f32;
        self.other /= total;
        for q in &mut self.spoken {
            *q /= total;
        }
    }

    /// The probability of an action.
    pub fn of(&self, said: &Said, action: ActionId) -> f32 {
        said.slot(action)
            .map_or(self.other, |slot| self.spoken[slot])
    }

    /// What is learnt from what happened. The home's other experts learn from what was expected as if nothing had been imagined
    /// (`without`, where something was): what fades must not leave them with less than they would have earned alone.
    pub fn learn(
        &self,
        without: Option<&Mixed>,
        said: &Said,
        happened: ActionId,
        learnt: &mut Contribution,
    ) {
        let mut advantage = self.advantage(said, happened);
        if let Some(without) = without {
            let imagining = advantage;
            advantage = without.advantage(said, happened);
            advantage[IMAGINING].copy_from_slice(&imagining[IMAGINING]);
        }
        learnt.step(&advantage);
    }

    /// By how much more each expert said of what happened than of what was expected.
    fn advantage(&self, said: &Said, happened: ActionId) -> ByExpert {
        let mut advantage = said
            .slot(happened)
            .map_or([0.0; EXPERTS], |slot| said.of()[slot]);
        for (of, q) in said.of().iter().zip(&self.spoken) {
            for (advantage, said) in advantage.iter_mut().zip(of) {
                *advantage -= q * said;
            }
        }
        for (advantage, total) in advantage.iter_mut().zip(said.totals()) {
            if *total <= 0.0 {
                *advantage = 0.0;
            }
        }
        advantage
    }

    /// The most probable actions, best first, ties by action id.
    pub fn best(&self, said: &Said) -> Vec<(ActionId, f32)> {
        let mut best: Vec<(ActionId, f32)> = Vec::with_capacity(BEST + 1);
        let spoken = said
            .actions()
            .iter()
            .copied()
            .zip(self.spoken.iter().copied());
        let silent = (0..)
            .map(ActionId)
            .filter(|action| said.slot(*action).is_none())
            .map(|action| (action, self.other));
        for (action, q) in spoken.chain(silent.take(said.silent().min(BEST))) {
            let better = |known: &(ActionId, f32)| (known.1, action) > (q, known.0);
            // Nearly all are not among the best.
            if best.get(BEST - 1).is_some_and(better) {
                continue;
            }
            let place = best.iter().take_while(|known| better(known)).count();
            if place < BEST {
                best.insert(place, (action, q));
                best.truncate(BEST);
            }
        }
        best
    }
}
