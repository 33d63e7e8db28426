//! What a home did so far, counted: the trivial answers that a model has to beat.

use std::collections::HashMap;

/// The trivial answers: counts of the home whose behaviours are being read, in order of time.
pub(super) struct TrivialAnswers {
    home: Option<u32>,
    previous: Option<u32>,
    /// By action.
    counts: Vec<u32>,
    /// By action: what followed it, and how often.
    following: HashMap<u32, HashMap<u32, u32>>,
}

impl TrivialAnswers {
    /// Of no home yet, over so many actions.
    pub(super) fn new(actions: usize) -> Self {
        TrivialAnswers {
            home: None,
            previous: None,
            counts: vec![0; actions],
            following: HashMap::new(),
        }
    }

    /// Goes on with `home`, forgetting the one before if it is another.
    pub(super) fn enter(&mut self, home: u32) {
        if self.home != Some(home) {
            *self = TrivialAnswers::new(self.counts.len());
            self.home = Some(home);
        }
    }

    /// Counts the home's next behaviour.
    pub(super) fn learn(&mut self, action: u32) {
        self.counts[action as usize] += 1;
        if let Some(previous) = self.previous.replace(action) {
            let followers = self.following.entry(previous).or_default();
            *followers.entry(action).or_default() += 1;
        }
    }

    /// Whether the home never did this.
    pub(super) fn is_new(&self, action: u32) -> bool {
        self.counts[action as usize] == 0
    }

    /// Place of the action among all, most frequent first, ties by action; from 1. What the home never did is in no
    /// list: `u32::MAX`.
    pub(super) fn rank_by_frequency(&self, action: u32) -> u32 {
        self.rank(action, |_| false)
    }

    /// Place of the action if what followed the previous behaviour comes first, most frequent first, and then the
    /// rest by frequency.
    pub(super) fn rank_by_succession(&self, action: u32) -> u32 {
        let followers = self
            .previous
            .and_then(|previous| self.following.get(&previous));
        let Some(followers) = followers else {
            return self.rank_by_frequency(action);
        };
        match followers.get(&action) {
            Some(&count) => {
                let before =
                    |&(&other, &times): &(&u32, &u32)| precedes(other, times, action, count);
                1 + followers.iter().filter(before).count() as u32
            }
            None => {
                let rest = self.rank(action, |other| followers.contains_key(&other));
                rest.saturating_add(followers.len() as u32)
            }
        }
    }

    /// Place by frequency among the actions that are not `skipped`.
    fn rank(&self, action: u32, skipped: impl Fn(u32) -> bool) -> u32 {
        let count = self.counts[action as usize];
        if count == 0 {
            return u32::MAX;
        }
        let others = (0..).zip(&self.counts);
        let before = others
            .filter(|&(other, &times)| precedes(other, times, action, count) && !skipped(other));
        1 + before.count() as u32
    }
}

fn precedes(other: u32, times: u32, action: u32, count: u32) -> bool {
    times > count || (times == count && other < action)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_by_hand() {
        let mut answers = TrivialAnswers::new(5);
        answers.enter(0);
        assert_eq!(answers.rank_by_frequency(3), u32::MAX);
        for action in [0, 1, 0, 1, 0, 2, 0] {
            answers.learn(action);
        }
        // 0 four times, 1 twice, 2 once; after 0: 1 twice, 2 once.
        assert!(answers.is_new(3) && !answers.is_new(2));
        let frequency: Vec<u32> = (0..3).map(|a| answers.rank_by_frequency(a)).collect();
        assert_eq!(frequency, [1, 2, 3]);
        let succession: Vec<u32> = (0..3).map(|a| answers.rank_by_succession(a)).collect();
        assert_eq!(succession, [3, 1, 2]);
        assert_eq!(answers.rank_by_succession(4), u32::MAX);
        answers.enter(1);
        assert!(answers.is_new(0));
    }
}
