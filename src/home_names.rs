//! Names of homes: interned where events are read, looked up where outputs are written.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use foldhash::fast::RandomState;
use hearth_operators::words::HomeId;

/// The names of the homes met so far. Clones share the table.
#[derive(Clone, Debug, Default)]
pub struct HomeNames(Arc<RwLock<Table>>);

/// What a thread that asks for many names has found: ids stay what they are.
#[derive(Debug, Default)]
pub struct Cache(HashMap<Arc<str>, HomeId, RandomState>);

#[derive(Debug, Default)]
struct Table {
    names: Vec<Arc<str>>,
    ids: HashMap<Arc<str>, HomeId, RandomState>,
}

impl HomeNames {
    /// The id of a name, a new one at the first meeting.
    pub fn intern(&self, name: &str) -> HomeId {
        if let Some(&id) = self.read().ids.get(name) {
            return id;
        }
        let mut table = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(&id) = table.ids.get(name) {
            return id;
        }
        let name: Arc<str> = name.into();
        let id = HomeId(table.names.len() as u32);
        table.names.push(name.clone());
        table.ids.insert(name, id);
        id
    }

    /// The id of a name met before.
    pub fn find(&self, name: &str) -> Option<HomeId> {
        self.read().ids.get(name).copied()
    }

    /// The same, by way of what this thread has found: threads that take turns at the table cost each other more than looking does.
    pub fn find_cached(&self, name: &str, cache: &mut Cache) -> Option<HomeId> {
        /// Of more homes, what each thread holds would show in the memory.
        const MOST: usize = 1 << 17;
        if let Some(&id) = cache.0.get(name) {
            return Some(id);
        }
        let (name, id) = {
            let table = self.read();
            let (name, id) = table.ids.get_key_value(name)?;
            (name.clone(), *id)
        };
        if cache.0.len() < MOST {
            cache.0.insert(name, id);
        }
        Some(id)
    }

    /// The name of a home.
    ///
    /// # Panics
    /// If the id does not come from this table.
    pub fn name(&self, home: HomeId) -> Arc<str> {
        self.read().names[home.0 as usize].clone()
    }

    /// The names that were met behind the first so many, in the order of their ids.
    pub fn behind(&self, first: usize) -> Vec<String> {
        let table = self.read();
        let names = table.names.get(first..).unwrap_or_default();
        names.iter().map(|name| (**name).to_owned()).collect()
    }

    /// How many homes were met.
    pub fn len(&self) -> usize {
        self.read().names.len()
    }

    /// Whether no home was met.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, Table> {
        // A panic cannot leave the table half-written, so a poisoned lock is still good.
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }
}
