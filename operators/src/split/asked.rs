//! What becomes of single events, where somebody waits for that.

use serde::{Deserialize, Serialize};

use super::home::HomeSplit;
use super::{Account, Notice};
use crate::words::Line;

/// Lines of a file, from the first to the last, whose fates somebody waits for. No two of these hold the same line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Asked {
    /// The first.
    pub first: Line,
    /// The last.
    pub last: Line,
}

/// What becomes of an event, as the epoch that brings it has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Fate {
    /// It is part of a segment.
    Applied,
    /// It was there already.
    Duplicate,
    /// It lies before its home's horizon.
    Late,
    /// It jumps ahead, and others that do wait in its place.
    Rejected,
    /// It is its home's first one, or jumps ahead: what comes later confirms it.
    Waiting,
}

/// The events of an epoch that are asked for.
pub(super) struct Asking {
    /// In order.
    asked: Vec<Asked>,
    /// Those of the home that is being worked on.
    noted: Vec<(Line, Fate)>,
}

impl Asking {
    pub fn of(notices: &[Notice]) -> Self {
        let asked = notices.iter().filter_map(|notice| match notice {
            Notice::Ask(asked) => Some(*asked),
            _ => None,
        });
        let mut asked: Vec<_> = asked.collect();
        asked.sort();
        Asking {
            asked,
            noted: Vec::new(),
        }
    }

    /// An event of this line was taken in.
    #[inline]
    pub fn note(&mut self, line: Line, fate: Fate) {
        if !self.asked.is_empty() && self.holds(line) {
            self.noted.push((line, fate));
        }
    }

    fn holds(&self, line: Line) -> bool {
        let begun = self.asked.partition_point(|asked| asked.first <= line);
        let nearest = begun.checked_sub(1).map(|place| self.asked[place]);
        nearest.is_some_and(|asked| line <= asked.last)
    }

    /// Tells the fates of a home whose epoch is complete; its accounts from `since` on are of that end.
    pub fn tell(&mut self, state: &HomeSplit, since: usize, accounts: &mut Vec<Account>) {
        for (line, fate) in self.noted.drain(..) {
            let refused = |account: &Account| matches!(account, Account::Rejected(event) if event.line == line);
            let fate = match fate {
                Fate::Waiting if state.waits(line) => Fate::Waiting,
                Fate::Waiting if accounts[since..].iter().any(refused) => Fate::Rejected,
                Fate::Waiting => Fate::Applied,
                known => known,
            };
            accounts.push(Account::Told(line, fate));
        }
    }
}
