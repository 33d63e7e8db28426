//! Active LeZi (K. Gopalratnam, D. J. Cook, *Active LeZi: an incremental parsing algorithm for sequential prediction*, 2003; S. K. Das,
//! D. J. Cook and others use it for smart homes).
//!
//! A home's actions are one sequence. It is parsed into phrases as Lempel and Ziv do; the longest phrase so far is the length of
//! a window, and each action counts in all contexts of the window that end with it. A prediction goes from the null context to
//! the longest: what a context's counts leave is the weight of the shorter ones.

use std::collections::{HashMap, VecDeque};

use foldhash::fast::RandomState;

use super::super::log::{Action, Behavior, Home, Segment};
use super::Predictor;
use super::places::Place;

/// The root of a tree of phrases or contexts.
const ROOT: usize = 0;

/// Sequences as paths from a root.
#[derive(Default)]
struct Tree(HashMap<(usize, Action), usize, RandomState>);

impl Tree {
    fn child(&self, node: usize, action: Action) -> Option<usize> {
        self.0.get(&(node, action)).copied()
    }

    /// The child, made where it was not there.
    fn grow(&mut self, node: usize, action: Action) -> usize {
        let next = self.0.len() + 1;
        *self.0.entry((node, action)).or_insert(next)
    }
}

/// What is known of a home.
#[derive(Default)]
pub(super) struct Lezi {
    phrases: Tree,
    /// Where in a phrase the parsing is, and how deep.
    phrase: (usize, usize),
    /// Length of the longest phrase.
    longest: usize,
    window: VecDeque<Action>,
    contexts: Tree,
    /// How often each context was, by node; the root's: how many actions there were.
    counts: Vec<u32>,
    /// What followed each context: actions with their nodes, by node.
    followers: Vec<Vec<(Action, usize)>>,
}

impl Lezi {
    /// Takes the next action.
    pub fn push(&mut self, action: Action) {
        let (node, depth) = self.phrase;
        self.phrase = match self.phrases.child(node, action) {
            Some(longer) => (longer, depth + 1),
            None => {
                self.phrases.grow(node, action);
                self.longest = self.longest.max(depth + 1);
                (ROOT, 0)
            }
        };
        self.window.push_back(action);
        if self.window.len() > self.longest {
            self.window.pop_front();
        }
        self.count(ROOT);
        for start in 0..self.window.len() {
            let mut node = ROOT;
            for i in start..self.window.len() {
                node = self.step(node, self.window[i]);
            }
            self.count(node);
        }
    }

    fn count(&mut self, node: usize) {
        if self.counts.len() <= node {
            self.counts.resize(node + 1, 0);
        }
        self.counts[node] += 1;
    }

    /// The context that is longer by an action, made where it was not there.
    fn step(&mut self, node: usize, action: Action) -> usize {
        if let Some(child) = self.contexts.child(node, action) {
            return child;
        }
        let child = self.contexts.grow(node, action);
        if self.followers.len() <= node {
            self.followers.resize_with(node + 1, Vec::new);
        }
        self.followers[node].push((action, child));
        child
    }

    /// The probabilities of what comes after the window and the actions `then`.
    pub fn predict(&self, then: impl DoubleEndedIterator<Item = Action>, scores: &mut [f64]) {
        scores.fill(0.0);
        let latest_first = then.rev().chain(self.window.iter().rev().copied());
        let depth = self.longest.saturating_sub(1);
        let latest: Vec<Action> = latest_first.take(depth).collect();
        for length in 0..=latest.len() {
            let mut path = latest[..length].iter().rev();
            let node = path.try_fold(ROOT, |node, action| self.contexts.child(node, *action));
            let Some(node) = node else { break };
            self.blend(node, scores);
        }
    }

    /// Lays a context's counts over the probabilities of the shorter ones.
    fn blend(&self, node: usize, scores: &mut [f64]) {
        let count_of = |node: usize| self.counts.get(node).map_or(0.0, |&count| f64::from(count));
        let count = count_of(node);
        if count == 0.0 {
            return;
        }
        let followers = self.followers.get(node).map_or(&[][..], Vec::as_slice);
        let followed: f64 = followers.iter().map(|(_, child)| count_of(*child)).sum();
        let escape = (count - followed) / count;
        scores.iter_mut().for_each(|p| *p *= escape);
        for &(action, child) in followers {
            scores[action as usize] += count_of(child) / count;
        }
    }
}

/// A home's own.
#[derive(Default)]
pub(super) struct ActiveLezi(HashMap<Home, Lezi, RandomState>);

impl Predictor for ActiveLezi {
    fn name(&self) -> &'static str {
        "Active LeZi"
    }

    fn predict(&mut self, place: &Place<'_>, scores: &mut [f64]) {
        let then = place.before.iter().map(|b| b.action);
        self.0.entry(place.home).or_default().predict(then, scores);
    }

    fn learn(&mut self, segment: &Segment, _: Option<&Behavior>) {
        let home = self.0.entry(segment.home).or_default();
        segment.behaviors.iter().for_each(|b| home.push(b.action));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the paper: after `aaababbbbbaabccddcbaaaa` the longest phrase has three letters.
    #[test]
    fn the_papers_example() {
        let mut lezi = Lezi::default();
        for letter in "aaababbbbbaabccddcbaaaa".bytes() {
            lezi.push(u32::from(letter - b'a'));
        }
        assert_eq!(lezi.longest, 3);
        let mut scores = [0.0; 4];
        lezi.predict(std::iter::empty(), &mut scores);
        let a = 2.0 / 5.0 + 2.0 / 5.0 * (5.0 / 10.0 + 2.0 / 10.0 * (10.0 / 23.0));
        let c = 2.0 / 5.0 * (2.0 / 10.0 * (3.0 / 23.0));
        assert!((scores[0] - a).abs() < 1e-12, "{scores:?}, a {a}");
        assert!((scores[2] - c).abs() < 1e-12, "{scores:?}, c {c}");
        assert!((scores.iter().sum::<f64>() - 1.0).abs() < 1e-12);
    }

    #[test]
    fn what_is_told_is_not_learnt() {
        let mut lezi = Lezi::default();
        "abababab"
            .bytes()
            .for_each(|b| lezi.push(u32::from(b - b'a')));
        let (mut plain, mut told) = ([0.0; 2], [0.0; 2]);
        lezi.predict([0].into_iter(), &mut told);
        assert!(told[1] > told[0], "after a comes b: {told:?}");
        lezi.predict(std::iter::empty(), &mut plain);
        assert!(plain[0] > plain[1], "after b comes a: {plain:?}");
    }
}
