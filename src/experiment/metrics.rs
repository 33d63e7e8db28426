//! Figures of merit of a cell, and what can be said of several together.
//!
//! Ties are settled by expectation: where equal scores leave an order open, a figure is its mean over all orders. So a
//! method that knows nothing gets what guessing gets, not the best or the worst of it.

use std::collections::BTreeMap;

use hearth_operators::words::ActionId;
use rand::Rng;
use serde::{Deserialize, Serialize};

use crate::evaluate::statistics::{Calls, Judged, auroc, average_precision};
use crate::models::generator;

/// A figure, or a row of figures (a histogram, shares by hour …).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Figure {
    /// One number.
    One(f64),
    /// Several, in an order that the figure's name implies.
    Many(Vec<f64>),
}

/// Figures by name. What a figure is of stands behind a colon: `auroc:burst`.
pub type Figures = BTreeMap<String, Figure>;

/// Adds the figures of a detector: `auroc`, `ap`, `recall`, `precision`, `f1`, and `false_alarms`, which are counted per 100
/// normal sequences. An item is called where `called` says so of its score. `of` is put behind the names.
pub fn detection(figures: &mut Figures, of: &str, items: &[Judged], called: impl Fn(f64) -> bool) {
    let mut calls = Calls::default();
    for &(score, anomaly) in items {
        calls.add(called(score), anomaly);
    }
    let normal = items.iter().filter(|(_, anomaly)| !anomaly).count();
    let mut put = |name: &str, figure: Option<f64>| {
        if let Some(figure) = figure {
            figures.insert(named(name, of), Figure::One(figure));
        }
    };
    put("auroc", auroc(items));
    put("ap", average_precision(items));
    if normal < items.len() {
        put("recall", Some(calls.recall()));
        put("precision", Some(calls.precision()));
        put("f1", Some(calls.f1()));
    }
    if normal > 0 {
        put(
            "false_alarms",
            Some(100.0 * calls.false_alarms as f64 / normal as f64),
        );
    }
}

fn named(name: &str, of: &str) -> String {
    if of.is_empty() {
        name.to_owned()
    } else {
        format!("{name}:{of}")
    }
}

/// How deep lists are looked at.
const DEPTHS: [u64; 3] = [1, 5, 10];

/// How well ranked lists held what then happened.
#[derive(Clone, Debug, Default)]
pub struct Lists {
    count: f64,
    hits: [f64; DEPTHS.len()],
    gains: [f64; DEPTHS.len()],
    reciprocal: f64,
}

impl Lists {
    /// Counts a list in which `above` others scored higher than the truth and `tied` others the same.
    pub fn add(&mut self, above: u64, tied: u64) {
        self.count += 1.0;
        let places = (tied + 1) as f64;
        // The truth stands at each of these ranks equally often.
        let ranks = |last: u64| above + 1..=last.min(above + 1 + tied);
        for (i, &depth) in DEPTHS.iter().enumerate() {
            self.hits[i] += ranks(depth).count() as f64 / places;
            let gain = |rank: u64| 1.0 / ((rank + 1) as f64).log2();
            self.gains[i] += ranks(depth).map(gain).sum::<f64>() / places;
        }
        self.reciprocal += ranks(u64::MAX).map(|rank| 1.0 / rank as f64).sum::<f64>() / places;
    }

    /// Counts a list in which the truth has a score and the others theirs. No number is the lowest.
    pub fn add_scores(&mut self, truth: f32, others: impl Iterator<Item = f32>) {
        let lowest = |score: f32| {
            if score.is_nan() {
                f32::NEG_INFINITY
            } else {
                score
            }
        };
        let truth = lowest(truth);
        let (mut above, mut tied) = (0, 0);
        for other in others.map(lowest) {
            above += u64::from(other > truth);
            tied += u64::from(other == truth);
        }
        self.add(above, tied);
    }

    /// Counts a list of all actions, scored by action id; returns what the true one scored.
    pub fn add_action(&mut self, scores: &[f32], truth: ActionId) -> f32 {
        let truth = usize::from(truth.0);
        let own = scores.get(truth).copied().unwrap_or(f32::NEG_INFINITY);
        let others = scores
            .iter()
            .enumerate()
            .filter(|(action, _)| *action != truth);
        self.add_scores(own, others.map(|(_, score)| *score));
        own
    }

    /// Adds `hr@1`, `hr@5`, `hr@10`, `ndcg@5`, `ndcg@10` (one relevant item, so `ndcg@1` is `hr@1`), `mrr` and `lists`. `of` is
    /// put behind the names. Without a list there is no figure.
    pub fn report(&self, figures: &mut Figures, of: &str) {
        if self.count == 0.0 {
            return;
        }
        let mut put = |name: &str, sum: f64| {
            figures.insert(named(name, of), Figure::One(sum / self.count));
        };
        for (i, depth) in DEPTHS.iter().enumerate() {
            put(&format!("hr@{depth}"), self.hits[i]);
            put(&format!("ndcg@{depth}"), self.gains[i]);
        }
        put("mrr", self.reciprocal);
        figures.insert(named("lists", of), Figure::One(self.count));
    }
}

/// A mean and half the width of its 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mean {
    /// The mean.
    pub mean: f64,
    /// From the mean to either end; `None` where one value tells nothing of the spread.
    pub margin: Option<f64>,
    /// How many values.
    pub count: usize,
}

/// Quantiles of Student's t at 97.5 % for 1, 2, … degrees of freedom; beyond, the normal one is near enough.
const STUDENT: [f64; 30] = [
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160,
    2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056,
    2.052, 2.048, 2.045, 2.042,
];

/// The mean of values that repeat one measurement, with Student's 95 % interval. `None` without values.
pub fn mean(values: &[f64]) -> Option<Mean> {
    let count = values.len();
    let of = count.checked_sub(1)?;
    let mean = values.iter().sum::<f64>() / count as f64;
    let margin = (of > 0).then(|| {
        let squares: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
        let t = STUDENT.get(of - 1).copied().unwrap_or(1.96);
        t * (squares / of as f64 / count as f64).sqrt()
    });
    Some(Mean {
        mean,
        margin,
        count,
    })
}

/// How often the bootstrap draws.
const DRAWS: usize = 2000;

/// The mean over groups of the means of their values, with its 95 % bootstrap interval: groups (pairs of contexts) are drawn
/// with replacement, and within each its values (seeds) too, so the interval speaks of other pairs as well as of other
/// seeds. Given differences of two methods on the same cells, it is the paired bootstrap of the difference. Groups without
/// values do not count; `None` if there is none else.
pub fn bootstrap(groups: &[Vec<f64>]) -> Option<(f64, [f64; 2])> {
    let groups: Vec<&[f64]> = groups
        .iter()
        .map(Vec::as_slice)
        .filter(|group| !group.is_empty())
        .collect();
    if groups.is_empty() {
        return None;
    }
    let average =
        |values: &mut dyn Iterator<Item = f64>, count: usize| values.sum::<f64>() / count as f64;
    let whole = average(
        &mut groups
            .iter()
            .map(|g| average(&mut g.iter().copied(), g.len())),
        groups.len(),
    );
    let mut rng = generator(0, 0);
    let mut draws: Vec<f64> = Vec::with_capacity(DRAWS);
    for _ in 0..DRAWS {
        let mut sum = 0.0;
        for _ in 0..groups.len() {
            let group = groups[rng.random_range(0..groups.len())];
            let drawn = (0..group.len()).map(|_| group[rng.random_range(0..group.len())]);
            sum += drawn.sum::<f64>() / group.len() as f64;
        }
        draws.push(sum / groups.len() as f64);
    }
    draws.sort_by(f64::total_cmp);
    let at = |share: f64| draws[((DRAWS - 1) as f64 * share).round() as usize];
    Some((whole, [at(0.025), at(0.975)]))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn one(figures: &Figures, name: &str) -> f64 {
        match figures.get(name) {
            Some(Figure::One(number)) => *number,
            other => panic!("{name}: {other:?}"),
        }
    }

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-12
    }

    #[test]
    fn detection_by_hand() {
        let items = [(1.0, false), (2.0, false), (3.0, true), (2.0, true)];
        let mut figures = Figures::new();
        detection(&mut figures, "burst", &items, |score| score > 1.5);
        // Called: a normal one of two, both anomalies. Pairs won: 3>1, 3>2, 2>1, and 2=2 counts half.
        assert!(close(one(&figures, "recall:burst"), 1.0));
        assert!(close(one(&figures, "precision:burst"), 2.0 / 3.0));
        assert!(close(one(&figures, "f1:burst"), 0.8));
        assert!(close(one(&figures, "false_alarms:burst"), 50.0));
        assert!(close(one(&figures, "auroc:burst"), 3.5 / 4.0));
        // Thresholds 3: 1/1; 2: two of three.
        assert!(close(one(&figures, "ap:burst"), 0.5 + 0.5 * 2.0 / 3.0));
    }

    #[test]
    fn what_cannot_be_told_is_left_out() {
        let mut figures = Figures::new();
        detection(&mut figures, "", &[(1.0, false)], |_| true);
        assert_eq!(figures.keys().collect::<Vec<_>>(), ["false_alarms"]);
        Lists::default().report(&mut figures, "");
        assert_eq!(figures.len(), 1);
    }

    #[test]
    fn lists_by_hand() {
        let mut lists = Lists::default();
        lists.add_scores(0.5, [0.1, 0.2].into_iter()); // rank 1
        lists.add_scores(0.5, [0.9, 0.5, 0.5].into_iter()); // ranks 2, 3 and 4 alike
        let mut figures = Figures::new();
        lists.report(&mut figures, "");
        let log = f64::log2;
        let gain = (1.0 / log(3.0) + 1.0 / log(4.0) + 1.0 / log(5.0)) / 3.0;
        assert!(close(one(&figures, "hr@1"), 0.5));
        assert!(close(one(&figures, "hr@5"), 1.0));
        assert!(close(one(&figures, "ndcg@10"), (1.0 + gain) / 2.0));
        let reciprocal = (1.0 / 2.0 + 1.0 / 3.0 + 1.0 / 4.0) / 3.0;
        assert!(close(one(&figures, "mrr"), (1.0 + reciprocal) / 2.0));
    }

    #[test]
    fn a_score_that_is_no_number_is_the_lowest() {
        let mut lists = Lists::default();
        lists.add_scores(f32::NAN, [0.0; 20].into_iter());
        let mut figures = Figures::new();
        lists.report(&mut figures, "");
        assert_eq!(one(&figures, "hr@10"), 0.0);
    }

    #[test]
    fn mean_by_hand() {
        // s² = (1 + 0 + 1) / 2 = 1; t of two degrees of freedom.
        let found = mean(&[1.0, 2.0, 3.0]).unwrap();
        assert!(close(found.mean, 2.0));
        assert!(close(found.margin.unwrap(), 4.303 / 3f64.sqrt()));
        assert_eq!(mean(&[7.0]).unwrap().margin, None);
        assert_eq!(mean(&[]), None);
    }

    #[test]
    fn bootstrap_of_what_does_not_vary() {
        let found = bootstrap(&[vec![0.5; 3], vec![0.5], Vec::new()]);
        assert_eq!(found, Some((0.5, [0.5, 0.5])));
        assert_eq!(bootstrap(&[Vec::new()]), None);
        // Groups weigh alike, however many values they have.
        let (whole, _) = bootstrap(&[vec![0.0; 9], vec![1.0]]).unwrap();
        assert!(close(whole, 0.5));
    }

    proptest! {
        /// Against the definition: the mean over all orders of what is tied.
        #[test]
        fn ties_are_the_mean_over_orders(above in 0u64..15, tied in 0u64..15) {
            let mut tie = Lists::default();
            tie.add(above, tied);
            let mut orders = Lists::default();
            for before in 0..=tied {
                orders.add(above + before, 0);
            }
            let (mut a, mut b) = (Figures::new(), Figures::new());
            tie.report(&mut a, "");
            orders.report(&mut b, "");
            for name in ["hr@1", "hr@5", "hr@10", "ndcg@5", "ndcg@10", "mrr"] {
                prop_assert!(close(one(&a, name), one(&b, name)), "{}", name);
            }
        }

        #[test]
        fn the_interval_lies_within_the_values(
            groups in prop::collection::vec(prop::collection::vec(-1.0f64..1.0, 1..6), 1..6)
        ) {
            let (_, [low, high]) = bootstrap(&groups).unwrap();
            let all = || groups.iter().flatten().copied();
            prop_assert!(low <= high);
            prop_assert!(all().fold(f64::INFINITY, f64::min) <= low + 1e-12);
            prop_assert!(high <= all().fold(f64::NEG_INFINITY, f64::max) + 1e-12);
        }
    }
}
