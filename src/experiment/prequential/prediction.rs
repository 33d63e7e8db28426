//! How well the next action is foretold, nothing of it given.

use std::collections::BTreeMap;

use anyhow::Result;

use super::draws::Draws;
use super::found::Found;
use super::lines::{Metrics, Slice, Task};
use super::log::{Action, Behavior, Home};
use super::material::Material;
use super::methods::{Opening, Place, Predictor, predictors};
use super::scores::Scored;
use super::shifts::Days;
use crate::stop::Stop;

/// How long lists are.
const FIVE: usize = 5;
/// No probability counts as less, so that one action that was held to be impossible does not outweigh all others.
const LEAST: f64 = 1e-6;

/// What a behaviour adds to the figures of a method.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Judged {
    hr1: f64,
    hr5: f64,
    ndcg5: f64,
    /// In nats, where there is a probability for each action.
    loss: Option<f64>,
    /// The same where five actions are named with their probabilities and the others share the rest evenly.
    loss_of_five: Option<f64>,
}

impl Judged {
    /// Of a list in which `above` others stand before the action and `tied` are as good as it: the mean over their orders.
    fn ranked(above: usize, tied: usize) -> Self {
        let ranks = || (above + 1..=above + 1 + tied).take_while(|rank| *rank <= FIVE);
        let mean = |sum: f64| sum / (tied + 1) as f64;
        Judged {
            hr1: mean(ranks().filter(|rank| *rank == 1).count() as f64),
            hr5: mean(ranks().count() as f64),
            ndcg5: mean(ranks().map(|rank| 1.0 / ((rank + 1) as f64).log2()).sum()),
            ..Judged::default()
        }
    }

    /// Of scores of all actions.
    fn of_scores(scores: &[f64], action: Action, is_distribution: bool) -> Self {
        let own = scores[action as usize];
        let above = scores.iter().filter(|score| **score > own).count();
        let tied = scores.iter().filter(|score| **score == own).count() - 1;
        let mut judged = Judged::ranked(above, tied);
        if is_distribution {
            judged.loss = Some(nats(own));
            let (named, left) = five(scores);
            let others = scores.len().saturating_sub(FIVE).max(1) as f64;
            let own = if named.contains(&action) {
                own
            } else {
                left / others
            };
            judged.loss_of_five = Some(nats(own));
        }
        judged
    }

    /// Of a list that Hearth gave, among so many actions.
    fn of_list(scored: &Scored, actions: usize) -> Self {
        let rank = usize::from(scored.rank);
        let mut judged = match rank.checked_sub(1) {
            Some(above) => Judged::ranked(above, 0),
            None => Judged::default(),
        };
        let others = actions.saturating_sub(usize::from(scored.named)).max(1) as f64;
        let own = if rank > 0 {
            scored.probability
        } else {
            scored.left / others
        };
        judged.loss_of_five = Some(nats(own));
        judged
    }
}

/// The five likeliest actions, ties by their order, and what they leave.
fn five(scores: &[f64]) -> ([Action; FIVE], f64) {
    let mut best = [Action::MAX; FIVE];
    let of = |action: Action| {
        scores
            .get(action as usize)
            .copied()
            .unwrap_or(f64::NEG_INFINITY)
    };
    for action in 0..scores.len() as Action {
        let place = best.iter().position(|other| of(*other) < of(action));
        if let Some(place) = place {
            best[place..].rotate_right(1);
            best[place] = action;
        }
    }
    let named = best.iter().filter(|action| **action != Action::MAX);
    let left = 1.0 - named.map(|action| of(*action)).sum::<f64>();
    (best, left.max(0.0))
}

fn nats(probability: f64) -> f64 {
    -probability.max(LEAST).ln()
}

/// Sums over behaviours.
#[derive(Clone, Debug, Default)]
struct Sums {
    count: f64,
    hr1: f64,
    hr5: f64,
    ndcg5: f64,
    loss: Option<f64>,
    loss_of_five: Option<f64>,
}

impl Sums {
    fn add(&mut self, judged: &Judged) {
        self.add_weighted(
            &Sums {
                count: 1.0,
                hr1: judged.hr1,
                hr5: judged.hr5,
                ndcg5: judged.ndcg5,
                loss: judged.loss,
                loss_of_five: judged.loss_of_five,
            },
            1.0,
        );
    }

    fn add_weighted(&mut self, other: &Sums, weight: f64) {
        self.count += weight * other.count;
        self.hr1 += weight * other.hr1;
        self.hr5 += weight * other.hr5;
        self.ndcg5 += weight * other.ndcg5;
        for (sum, more) in [
            (&mut self.loss, other.loss),
            (&mut self.loss_of_five, other.loss_of_five),
        ] {
            if let Some(more) = more {
                *sum = Some(sum.unwrap_or(0.0) + weight * more);
            }
        }
    }

    fn metrics(&self) -> Metrics {
        let mut metrics = Metrics::new();
        if self.count > 0.0 {
            let mut put = |name: &str, sum: f64| metrics.insert(name.to_owned(), sum / self.count);
            put("hr@1", self.hr1);
            put("hr@5", self.hr5);
            put("ndcg@5", self.ndcg5);
            self.loss.map(|sum| put("log_loss", sum));
            self.loss_of_five.map(|sum| put("log_loss@5", sum));
        }
        metrics
    }
}

/// Sums of a method by kind of shift and days since it (none where the home has no shift), and home.
type ByPart = BTreeMap<(Option<(usize, Days)>, Home), Sums>;

/// Judges all predictors, Hearth's first. Planted anomalies are learnt like all else, but nobody has to foretell them.
///
/// # Errors
/// The run is stopped.
pub(super) fn measure(
    material: &Material,
    draws: &Draws,
    stop: &Stop,
    tell: &dyn Fn(&str),
) -> Result<Vec<Found>> {
    let mut found = Vec::new();
    for replay in &material.replays {
        let mut sums = ByPart::new();
        for key in material.log.keys() {
            if let Some(scored) = replay.scores.get(&key).filter(|_| judged(material, &key)) {
                let judged = Judged::of_list(scored, material.log.actions());
                let part = (material.shifts.at(key.0, key.1), key.0);
                sums.entry(part).or_default().add(&judged);
            }
        }
        found.extend(of_slices(replay.name, &sums, material, draws));
    }
    for mut method in predictors(material.log.actions()) {
        tell(method.name());
        let sums = through(method.as_mut(), material, stop)?;
        found.extend(of_slices(method.name(), &sums, material, draws));
    }
    Ok(found)
}

fn judged(material: &Material, key: &super::log::Key) -> bool {
    material.counts(key) && !material.is_planted(key)
}

/// Takes a predictor through a log: each segment is judged, then learnt.
fn through(method: &mut dyn Predictor, material: &Material, stop: &Stop) -> Result<ByPart> {
    let log = &material.log;
    let mut sums = ByPart::new();
    let mut scores = vec![0.0; log.actions()];
    let mut latest: Vec<Option<Behavior>> = vec![None; log.homes()];
    let is_distribution = method.is_distribution();
    for segment in &log.segments {
        anyhow::ensure!(!stop.is_stopped(), "stopped");
        method.begin(&Opening::of(segment));
        let earlier = latest[segment.home as usize];
        for ((place, action), key) in Place::of(segment, earlier.as_ref()).zip(segment.keys()) {
            if !judged(material, &key) {
                continue;
            }
            method.predict(&place, &mut scores);
            let judged = Judged::of_scores(&scores, action, is_distribution);
            let part = (material.shifts.at(key.0, key.1), key.0);
            sums.entry(part).or_default().add(&judged);
        }
        method.learn(segment, earlier.as_ref());
        latest[segment.home as usize] = Some(*segment.last());
    }
    Ok(sums)
}

/// The figures of all slices that have any behaviours.
fn of_slices(method: &str, sums: &ByPart, material: &Material, draws: &Draws) -> Vec<Found> {
    let mut kinds: Vec<usize> = sums
        .keys()
        .filter_map(|(part, _)| part.map(|p| p.0))
        .collect();
    kinds.sort_unstable();
    kinds.dedup();
    let mut slices = vec![(None, None)];
    if !kinds.is_empty() {
        for kind in [None].into_iter().chain(kinds.into_iter().map(Some)) {
            let all = Days::ALL.into_iter().chain([Days::FirstWeek]);
            slices.extend(all.map(|days| (kind, Some(days))));
        }
    }
    let homes = material.log.homes();
    let found = slices.into_iter().filter_map(|(kind, days)| {
        let of_slice = |part: &Option<(usize, Days)>| match part {
            Some((k, d)) => {
                kind.is_none_or(|kind| kind == *k) && days.is_none_or(|days| days.hold(*d))
            }
            None => kind.is_none() && days.is_none(),
        };
        let mut by_home: BTreeMap<Home, Sums> = BTreeMap::new();
        for ((_, home), more) in sums.iter().filter(|((part, _), _)| of_slice(part)) {
            by_home.entry(*home).or_default().add_weighted(more, 1.0);
        }
        let behaviors: f64 = by_home.values().map(|sums| sums.count).sum();
        if by_home.is_empty() {
            return None;
        }
        let slice = Slice {
            kind: kind.map(|kind| material.shifts.kind(kind).to_owned()),
            days,
            month_after: false,
        };
        let what = (Task::NextAction, method, slice);
        let size = (by_home.len() as u64, behaviors as u64);
        Some(Found::new(what, size, draws, homes, |weights| {
            let mut all = Sums::default();
            for (home, sums) in &by_home {
                all.add_weighted(sums, weights[*home as usize]);
            }
            all.metrics()
        }))
    });
    found.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-12
    }

    #[test]
    fn ranks_by_hand() {
        let first = Judged::ranked(0, 0);
        assert_eq!((first.hr1, first.hr5, first.ndcg5), (1.0, 1.0, 1.0));
        // Second or third, as often.
        let tied = Judged::ranked(1, 1);
        assert_eq!((tied.hr1, tied.hr5), (0.0, 1.0));
        assert!(close(tied.ndcg5, f64::midpoint(1.0 / 3f64.log2(), 0.5)));
        // Fifth or sixth.
        assert!(close(Judged::ranked(4, 1).hr5, 0.5));
        assert_eq!(Judged::ranked(5, 3), Judged::default());
    }

    #[test]
    fn losses_by_hand() {
        let scores = [0.3, 0.1, 0.1, 0.2, 0.1, 0.1, 0.06, 0.04];
        let judged = Judged::of_scores(&scores, 6, true);
        assert!(close(judged.loss.unwrap(), -(0.06f64.ln())));
        // Five name .8; three share the rest.
        let (named, left) = five(&scores);
        assert_eq!(named, [0, 3, 1, 2, 4]);
        assert!(close(left, 0.2));
        assert!(close(judged.loss_of_five.unwrap(), -((0.2f64 / 3.0).ln())));
        let named = Judged::of_scores(&scores, 3, true);
        assert!(close(named.loss_of_five.unwrap(), -(0.2f64.ln())));
        let unsure = Judged::of_scores(&scores, 3, false);
        assert_eq!((unsure.loss, unsure.hr5), (None, 1.0));
        // Fewer actions than five: nothing is left, and the impossible is bounded.
        let few = Judged::of_scores(&[1.0, 0.0], 1, true);
        assert!(close(few.loss.unwrap(), -(LEAST.ln())));
    }
}
