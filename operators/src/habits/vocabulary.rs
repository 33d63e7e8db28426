//! How one home speaks.

use crate::words::{ActionId, Catalog, Catalogs, DeviceId, HomeId};

/// A home's own catalog and how its actions are called in its cohort. Cheap to make and to copy.
#[derive(Clone, Copy, Debug)]
pub struct Vocabulary<'a> {
    catalogs: &'a Catalogs,
    catalog: &'a Catalog,
    cohort: &'a Catalog,
    home: HomeId,
    /// Whether its words are the cohort's.
    same: bool,
}

impl<'a> Vocabulary<'a> {
    /// That of a home.
    pub fn new(catalogs: &'a Catalogs, home: HomeId) -> Self {
        Vocabulary {
            catalogs,
            catalog: catalogs.of(home),
            cohort: catalogs.cohort(catalogs.cohort_of(home)),
            home,
            same: catalogs.speaks_as_cohort(home),
        }
    }

    /// The home's own catalog.
    pub fn catalog(&self) -> &'a Catalog {
        self.catalog
    }

    /// How many actions the home has.
    pub fn actions(&self) -> usize {
        self.catalog.actions()
    }

    /// The device of an action of the home.
    pub fn device_of(&self, action: ActionId) -> DeviceId {
        self.catalog.device_of(action)
    }

    /// An action of the home in the cohort's words.
    #[inline]
    pub fn to_cohort(&self, action: ActionId) -> ActionId {
        if self.same {
            return action;
        }
        self.catalogs.to_cohort(self.home, action)
    }

    /// The device of an action of the cohort.
    pub fn cohort_device_of(&self, action: ActionId) -> DeviceId {
        self.cohort.device_of(action)
    }

    /// An action of the cohort as the home has it; `None` where it has none such.
    #[inline]
    pub fn from_cohort(&self, action: ActionId) -> Option<ActionId> {
        if self.same {
            return Some(action);
        }
        self.catalogs.from_cohort(self.home, action)
    }
}
