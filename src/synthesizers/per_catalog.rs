//! What is made of a catalog once, where homes have catalogs of their own.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use hearth_operators::words::{Catalogs, HomeId, Request, Written};

use super::Synthesizer;

/// What is kept at most: a home asks a few times in a row, then not for weeks.
const KEPT: usize = 64;

type Make<T> = Box<dyn Fn(HomeId) -> T + Send + Sync>;

/// Something of each catalog, made at the first use.
pub struct PerCatalog<T> {
    catalogs: Arc<Catalogs>,
    make: Make<T>,
    /// By the catalog's place.
    made: Mutex<HashMap<usize, Arc<T>>>,
}

impl<T> PerCatalog<T> {
    /// Nothing yet. `make` makes it for a home, the same for all that have equal catalogs.
    pub fn new(
        catalogs: Arc<Catalogs>,
        make: impl Fn(HomeId) -> T + Send + Sync + 'static,
    ) -> Self {
        PerCatalog {
            catalogs,
            make: Box::new(make),
            made: Mutex::default(),
        }
    }

    /// That of a home's catalog.
    pub fn of(&self, home: HomeId) -> Arc<T> {
        let place = self.catalogs.place_of(home);
        let made = || self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = made().get(&place) {
            return known.clone();
        }
        let new = Arc::new((self.make)(home));
        let mut made = made();
        if made.len() >= KEPT {
            made.clear();
        }
        made.insert(place, new.clone());
        new
    }
}

/// A synthesizer of each catalog.
pub struct Each<S> {
    name: &'static str,
    of: PerCatalog<S>,
}

impl<S> Each<S> {
    /// Each made by `make` at its first request; `name` is what all are called.
    pub fn new(
        name: &'static str,
        catalogs: Arc<Catalogs>,
        make: impl Fn(HomeId) -> S + Send + Sync + 'static,
    ) -> Self {
        let of = PerCatalog::new(catalogs, make);
        Each { name, of }
    }
}

impl<S: Synthesizer> Synthesizer for Each<S> {
    fn synthesize(&self, request: &Request) -> Result<Vec<Written>, String> {
        self.of.of(request.key.shift.home).synthesize(request)
    }

    fn name(&self) -> &str {
        self.name
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use hearth_operators::words::{Action, Catalog, CohortId, Device, Own};

    use super::*;

    #[test]
    fn each_is_made_once_while_it_is_used() {
        let own = |home: u32| {
            let device = Device::new(format!("lamp {home}"), vec![Action::new("on")]);
            let catalog = Arc::new(Catalog::new(vec![device]).unwrap());
            Own {
                home: HomeId(home),
                cohort: CohortId(0),
                catalog,
            }
        };
        let catalogs = Arc::new(Catalogs::new((0..200).map(own).collect(), None).unwrap());
        let made = Arc::new(AtomicUsize::new(0));
        let names = PerCatalog::new(catalogs.clone(), {
            let made = made.clone();
            move |home| {
                made.fetch_add(1, Ordering::Relaxed);
                catalogs.of(home).devices()[0].name.clone()
            }
        });
        for home in (0..200).map(HomeId) {
            for _ in 0..2 {
                assert_eq!(*names.of(home), format!("lamp {}", home.0));
            }
        }
        assert_eq!(made.load(Ordering::Relaxed), 200);
        assert!(names.made.lock().unwrap().len() <= KEPT);
    }
}
