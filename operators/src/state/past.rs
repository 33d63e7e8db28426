//! The segments of a worker's homes, all that stand: what a regime that ends is made of, and what an erasure looks back into.

use serde::{Deserialize, Serialize};

use super::{History, HomeState, Homes, Stateful, Visit};
use crate::words::{Epoch, HomeId};

impl HomeState for History {
    fn is_blank(&self) -> bool {
        self.is_empty()
    }

    fn cloned(&self) -> Option<Self> {
        Some(self.clone())
    }
}

/// The segments of all homes of a worker, about five bytes a behaviour.
///
/// [`Shifts`](crate::shift::Shifts) writes them down; [`Split`](crate::split::Split), before it, reads them where something is
/// erased, and waits with that until they are as of the epoch before.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Past {
    pub(crate) homes: Homes<History>,
    /// All earlier epochs are written down.
    #[serde(skip)]
    pub(crate) known: Epoch,
}

impl Stateful for Past {
    fn visit(&mut self, operator: &'static str, visitor: &mut impl Visit) {
        visitor.in_pieces(operator, self, |state| &mut state.homes);
    }
}

impl Past {
    /// Moves the homes to the workers on which they live now.
    pub(crate) fn deal(self, to: &mut [&mut Self]) {
        self.homes
            .deal(to.iter_mut().map(|worker| &mut worker.homes));
    }

    /// What is written down of a home.
    pub(crate) fn of(&self, home: HomeId) -> Option<&History> {
        self.homes.get(home)
    }
}
