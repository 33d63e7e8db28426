//! A vocabulary that grows with its log: of whom it was learnt, and whether it lacks something.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use hearth_operators::words::HomeId;

/// Homes by where their vocabulary comes from. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Learnt {
    homes: Arc<HashSet<HomeId>>,
    given: Arc<HashSet<HomeId>>,
    lacking: Arc<AtomicBool>,
}

/// What another name of a home is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Wrong: its vocabulary was given.
    Given,
    /// New: its vocabulary was learnt from the log, as far as that was read.
    Learnt,
    /// New as the home is.
    New,
}

impl Learnt {
    /// Learnt of some homes, given of others.
    pub fn new(homes: HashSet<HomeId>, given: HashSet<HomeId>) -> Self {
        Learnt {
            homes: Arc::new(homes),
            given: Arc::new(given),
            lacking: Arc::default(),
        }
    }

    /// How a home stands.
    pub fn standing(&self, home: Option<HomeId>) -> Standing {
        match home {
            Some(home) if self.given.contains(&home) => Standing::Given,
            Some(home) if self.homes.contains(&home) => Standing::Learnt,
            _ => Standing::New,
        }
    }

    /// Something was met that is not in it.
    pub fn lack(&self) {
        self.lacking.store(true, Ordering::SeqCst);
    }

    /// Whether something was: nothing is read before it is learnt.
    pub fn is_lacking(&self) -> bool {
        self.lacking.load(Ordering::SeqCst)
    }
}
