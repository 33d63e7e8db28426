//! When a home is not to be called: while it is away, or has guests.

use serde::{Deserialize, Serialize};

use crate::state::{HomeState, Homes, Stateful, Visit};
use crate::words::{Mode, Time};

/// Changes that are remembered of a home: the latest.
const CHANGES: usize = 64;

/// When a home is quiet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Quiet {
    /// From when on it is, or is not any more; in order of time.
    changes: Vec<(Time, bool)>,
}

impl Quiet {
    /// Takes in a change; of two at the same time the later told counts.
    pub fn change(&mut self, mode: &Mode) {
        let at = self.changes.partition_point(|(time, _)| *time < mode.time);
        match self.changes.get_mut(at) {
            Some((time, quiet)) if *time == mode.time => *quiet = mode.quiet,
            _ => self.changes.insert(at, (mode.time, mode.quiet)),
        }
        let old = self.changes.len().saturating_sub(CHANGES);
        self.changes.drain(..old);
    }

    /// Whether what begins then calls nobody.
    pub fn is_at(&self, time: Time) -> bool {
        let before = self.changes.partition_point(|(from, _)| *from <= time);
        before > 0 && self.changes[before - 1].1
    }
}

impl HomeState for Quiet {
    fn is_blank(&self) -> bool {
        self.changes.is_empty()
    }
}

/// When homes are quiet: few ever say so.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct QuietState {
    pub(super) homes: Homes<Quiet>,
}

impl Stateful for QuietState {
    fn visit(&mut self, operator: &'static str, visitor: &mut impl Visit) {
        visitor.in_pieces(operator, self, |state| &mut state.homes);
    }
}

impl QuietState {
    pub(crate) fn deal(self, to: &mut [&mut Self]) {
        self.homes
            .deal(to.iter_mut().map(|worker| &mut worker.homes));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::HomeId;

    fn told(changes: impl IntoIterator<Item = (i64, bool)>) -> Quiet {
        let mut all = Quiet::default();
        for (time, quiet) in changes {
            all.change(&Mode {
                home: HomeId(0),
                time: Time(time),
                quiet,
            });
        }
        all
    }

    #[test]
    fn the_latest_change_before_a_time_counts() {
        let quiet = told([(20, false), (10, true), (30, true), (30, false)]);
        let at = |time| quiet.is_at(Time(time));
        assert_eq!(
            [5, 10, 19, 20, 35].map(at),
            [false, true, true, false, false]
        );
    }

    #[test]
    fn the_oldest_changes_are_forgotten() {
        let quiet = told((0..1000).map(|time| (time, time % 2 == 0)));
        assert_eq!(quiet.changes.len(), CHANGES);
        assert!(quiet.is_at(Time(998)) && !quiet.is_at(Time(999)));
    }
}
