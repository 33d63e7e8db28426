//! A vocabulary that grows with its log: of whom it was learnt, and whether it lacks something.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use hearth_operators::words::HomeId;

use crate::catalog::is_number;

/// Homes by where their vocabulary comes from. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Learnt {
    homes: Arc<HashSet<HomeId>>,
    given: Arc<HashSet<HomeId>>,
    /// By home: the devices whose numbers are measured values, and never learnt.
    measuring: Arc<HashMap<HomeId, HashSet<String>>>,
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
            measuring: Arc::default(),
            lacking: Arc::default(),
        }
    }

    /// The same, where numbers of these devices are no actions.
    #[must_use]
    pub fn with_measuring(self, devices: impl IntoIterator<Item = (HomeId, String)>) -> Self {
        let mut measuring: HashMap<HomeId, HashSet<String>> = HashMap::new();
        for (home, device) in devices {
            measuring.entry(home).or_default().insert(device);
        }
        let measuring = Arc::new(measuring);
        Learnt { measuring, ..self }
    }

    /// Whether an action that a home's vocabulary does not have is a measured value: reading on will not teach it.
    pub fn is_measured(&self, home: Option<HomeId>, device: &str, action: &str) -> bool {
        let devices = home.and_then(|home| self.measuring.get(&home));
        devices.is_some_and(|devices| devices.contains(device)) && is_number(action)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn measured_values_are_never_new() {
        let learnt = Learnt::new([HomeId(0)].into(), HashSet::new());
        assert!(!learnt.is_measured(Some(HomeId(0)), "meter", "21.5"));
        let learnt = learnt.with_measuring([(HomeId(0), "meter".to_owned())]);
        assert!(learnt.is_measured(Some(HomeId(0)), "meter", "21.5 W"));
        assert!(!learnt.is_measured(Some(HomeId(0)), "meter", "off"));
        assert!(!learnt.is_measured(Some(HomeId(0)), "fan", "21.5"));
        assert!(!learnt.is_measured(None, "meter", "21.5"));
    }
}
