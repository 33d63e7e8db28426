//! How far homes' open segments are read.

use serde::{Deserialize, Serialize};

use super::home::{HomeModels, open_scores};
use crate::detect::Looked;
use crate::habits::{Contribution, Pooled, Vocabulary};
use crate::state::{Buffered, Homes, Stateful, Visit};
use crate::words::{Epoch, HomeId, Score, Time};

/// How far a home's open segment is read.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Reading {
    start: Time,
    /// How many of its behaviours.
    read: usize,
    /// What these will add to the weights of the home's experts, as far as is known.
    taught: Contribution,
}

/// How far open segments are read, and what is new of them in epochs that are still open.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct ReadingState {
    pub(super) homes: Homes<Option<Reading>>,
    pub(super) open: Buffered<Vec<Looked>>,
}

impl Stateful for ReadingState {
    fn visit(&mut self, operator: &'static str, visitor: &mut impl Visit) {
        visitor.in_pieces(operator, self, |state| &mut state.homes);
    }
}

impl ReadingState {
    pub(crate) fn deal(self, to: &mut [&mut Self]) {
        let workers = to.len();
        for (epoch, all) in self.open {
            for looked in all {
                let worker = &mut to[looked.open.home.worker(workers)];
                worker.open.entry(epoch).or_default().push(looked);
            }
        }
        self.homes
            .deal(to.iter_mut().map(|worker| &mut worker.homes));
    }

    /// Keeps what is new in epochs that are still open.
    pub(super) fn keep<'a>(&mut self, all: impl Iterator<Item = (Epoch, &'a mut Vec<Looked>)>) {
        for (epoch, looked) in all.filter(|(_, looked)| !looked.is_empty()) {
            self.open.entry(epoch).or_default().append(looked);
        }
    }

    /// Reads on in a home's open segment: the scores of what is new of it.
    ///
    /// Where something came within what was read, it is read anew from its start.
    pub(super) fn look(
        &mut self,
        home: HomeId,
        models: &HomeModels,
        words: &Vocabulary<'_>,
        pooled: &Pooled,
        looked: &Looked,
    ) -> Vec<Score> {
        let Some(segment) = &looked.open.segment else {
            *self.homes.of(home) = None;
            return Vec::new();
        };
        let new = looked.open.new;
        let known = self.homes.get(home).copied().flatten();
        let goes_on = |known: &Reading| known.start == segment.start() && known.read == new;
        let known = known.filter(goes_on).unwrap_or(Reading {
            start: segment.start(),
            read: 0,
            taught: Contribution::default(),
        });
        let said = models
            .habits()
            .read_on(words, pooled, segment, known.read, known.taught);
        *self.homes.of(home) = Some(Reading {
            read: segment.moments.len(),
            taught: said.contribution,
            ..known
        });
        open_scores(segment, new, &looked.detected, &said, models.version())
    }
}
