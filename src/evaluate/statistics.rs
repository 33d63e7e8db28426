//! Figures of merit, ties handled: each is checked by hand below.

/// A judged item: its score (the higher the more anomalous) and whether it is an anomaly indeed.
pub type Judged = (f64, bool);

/// Area under the ROC curve: how probably an anomaly scores above a normal item, ties counting half. `None` where
/// one of the two kinds is missing.
pub fn auroc(items: &[Judged]) -> Option<f64> {
    let positives = items.iter().filter(|(_, anomaly)| *anomaly).count() as f64;
    let negatives = items.len() as f64 - positives;
    if positives == 0.0 || negatives == 0.0 {
        return None;
    }
    let (mut below, mut won) = (0.0, 0.0);
    for tie in by_score(items).chunk_by(|a, b| a.0.total_cmp(&b.0).is_eq()) {
        let anomalies = tie.iter().filter(|(_, anomaly)| *anomaly).count() as f64;
        let normal = tie.len() as f64 - anomalies;
        won += anomalies * (below + normal / 2.0);
        below += normal;
    }
    Some(won / (positives * negatives))
}

/// Average precision: the precision at each threshold, weighted by the recall gained there. `None` without anomalies.
pub fn average_precision(items: &[Judged]) -> Option<f64> {
    let positives = items.iter().filter(|(_, anomaly)| *anomaly).count() as f64;
    if positives == 0.0 {
        return None;
    }
    let (mut found, mut taken, mut sum) = (0.0, 0.0, 0.0);
    let sorted = by_score(items);
    // From the strangest down; equal scores cross the threshold together.
    for tie in sorted.chunk_by(|a, b| a.0.total_cmp(&b.0).is_eq()).rev() {
        let anomalies = tie.iter().filter(|(_, anomaly)| *anomaly).count() as f64;
        found += anomalies;
        taken += tie.len() as f64;
        sum += anomalies / positives * (found / taken);
    }
    Some(sum)
}

fn by_score(items: &[Judged]) -> Vec<Judged> {
    let mut sorted = items.to_vec();
    sorted.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    sorted
}

/// What calls were made, right and wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Calls {
    /// Anomalies that were called.
    pub hits: u64,
    /// Normal items that were called.
    pub false_alarms: u64,
    /// Anomalies that were not called.
    pub misses: u64,
}

impl Calls {
    /// Counts an item.
    pub fn add(&mut self, called: bool, anomaly: bool) {
        match (called, anomaly) {
            (true, true) => self.hits += 1,
            (true, false) => self.false_alarms += 1,
            (false, true) => self.misses += 1,
            (false, false) => {}
        }
    }

    /// Share of the calls that were right; 0 without calls.
    pub fn precision(&self) -> f64 {
        share(self.hits, self.hits + self.false_alarms)
    }

    /// Share of the anomalies that were called; 0 without anomalies.
    pub fn recall(&self) -> f64 {
        share(self.hits, self.hits + self.misses)
    }

    /// Harmonic mean of precision and recall.
    pub fn f1(&self) -> f64 {
        share(
            2 * self.hits,
            2 * self.hits + self.false_alarms + self.misses,
        )
    }
}

/// How well ranked lists held what then happened.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Ranking {
    /// Lists counted.
    pub lists: u64,
    first: u64,
    in_five: u64,
    in_ten: u64,
    reciprocal: f64,
    gain: f64,
}

impl Ranking {
    /// Counts a list in which the truth stood at `rank`, from 1; `None` if it was not in the list.
    pub fn add(&mut self, rank: Option<u32>) {
        self.lists += 1;
        let Some(rank) = rank else { return };
        self.first += u64::from(rank <= 1);
        self.in_five += u64::from(rank <= 5);
        self.in_ten += u64::from(rank <= 10);
        self.reciprocal += 1.0 / f64::from(rank);
        self.gain += 1.0 / f64::from(rank + 1).log2();
    }

    /// Hit rates: the shares of lists with the truth among the first 1, 5 and 10.
    pub fn hits(&self) -> [f64; 3] {
        [self.first, self.in_five, self.in_ten].map(|hits| share(hits, self.lists))
    }

    /// Mean reciprocal rank, a miss counting 0.
    pub fn mrr(&self) -> f64 {
        self.reciprocal / (self.lists.max(1)) as f64
    }

    /// Normalised discounted cumulative gain with one relevant item, over the whole list; a miss counts 0.
    pub fn ndcg(&self) -> f64 {
        self.gain / (self.lists.max(1)) as f64
    }
}

fn share(part: u64, whole: u64) -> f64 {
    part as f64 / whole.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-12
    }

    #[test]
    fn auroc_by_hand() {
        // Pairs (anomaly, normal): .8>.1 .8>.4 .8>.35 .35>.1 .35<.4 .35=.35 → (3 + 1 + 0 + 1/2) / 6.
        let items = [
            (0.1, false),
            (0.4, false),
            (0.35, true),
            (0.8, true),
            (0.35, false),
        ];
        assert!(close(auroc(&items).unwrap(), 4.5 / 6.0));
        assert_eq!(auroc(&[(1.0, true), (1.0, false)]), Some(0.5));
        assert_eq!(auroc(&[(1.0, true)]), None);
        assert_eq!(auroc(&[(f64::INFINITY, true), (1.0, false)]), Some(1.0));
    }

    #[test]
    fn average_precision_by_hand() {
        // Thresholds: .8 → 1/1 (recall +½); .4 → 1/2 (+0); .35 (tie of two) → 2/4 (+½).
        let items = [
            (0.1, false),
            (0.4, false),
            (0.35, true),
            (0.8, true),
            (0.35, false),
        ];
        assert!(close(average_precision(&items).unwrap(), 0.5 + 0.25));
        // All the same: the base rate.
        let flat = [(1.0, true), (1.0, false), (1.0, false), (1.0, false)];
        assert!(close(average_precision(&flat).unwrap(), 0.25));
        assert_eq!(average_precision(&[(1.0, false)]), None);
    }

    #[test]
    fn calls_by_hand() {
        let mut calls = Calls::default();
        for (called, anomaly) in [
            (true, true),
            (true, false),
            (true, true),
            (false, true),
            (false, false),
        ] {
            calls.add(called, anomaly);
        }
        assert!(close(calls.precision(), 2.0 / 3.0));
        assert!(close(calls.recall(), 2.0 / 3.0));
        assert!(close(calls.f1(), 2.0 / 3.0));
        assert_eq!(Calls::default().f1(), 0.0);
    }

    #[test]
    fn ranking_by_hand() {
        let mut ranking = Ranking::default();
        for rank in [Some(1), Some(3), Some(7), None] {
            ranking.add(rank);
        }
        assert_eq!(ranking.hits(), [0.25, 0.5, 0.75]);
        assert!(close(ranking.mrr(), (1.0 + 1.0 / 3.0 + 1.0 / 7.0) / 4.0));
        // log2(2) = 1, log2(4) = 2, log2(8) = 3.
        assert!(close(ranking.ndcg(), (1.0 + 0.5 + 1.0 / 3.0) / 4.0));
    }

    proptest! {
        /// Against the definition: all pairs, ties half.
        #[test]
        fn auroc_is_the_share_of_pairs_won(items in proptest::collection::vec((0_u8..6, any::<bool>()), 2..40)) {
            let items: Vec<Judged> = items.into_iter().map(|(s, a)| (f64::from(s), a)).collect();
            let (mut won, mut pairs) = (0.0, 0.0);
            for (a, _) in items.iter().filter(|i| i.1) {
                for (b, _) in items.iter().filter(|i| !i.1) {
                    pairs += 1.0;
                    won += if a > b { 1.0 } else if a == b { 0.5 } else { 0.0 };
                }
            }
            let expected = (pairs > 0.0).then(|| won / pairs);
            match (auroc(&items), expected) {
                (Some(a), Some(b)) => prop_assert!(close(a, b)),
                (a, b) => prop_assert_eq!(a, b),
            }
        }
    }
}
