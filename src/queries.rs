//! Who asks for homes' models while a run goes on: from the question to what the dataflow says.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hearth_operators::words::{HomeId, Query};
use tokio::sync::oneshot::{Receiver, Sender, channel};

use crate::portrait::View;

/// So many may wait at a time: each has what is kept of a home copied.
const WAITING: usize = 64;

/// Who waits; clones share it.
#[derive(Clone, Debug, Default)]
pub struct Queries(Arc<Mutex<Waiting>>);

#[derive(Debug, Default)]
struct Waiting {
    /// The number of the next one.
    next: u64,
    by_number: BTreeMap<u64, Waits>,
}

#[derive(Debug)]
struct Waits {
    home: String,
    /// Whether the dataflow was asked.
    asked: bool,
    tell: Sender<Option<View>>,
}

impl Queries {
    /// Asks for the model of a home by its name; what comes is none where nothing is known of it. `None`: too many wait.
    pub fn ask(&self, home: &str) -> Option<Receiver<Option<View>>> {
        let mut waiting = self.lock();
        waiting.by_number.retain(|_, waits| !waits.tell.is_closed());
        if waiting.by_number.len() >= WAITING {
            return None;
        }
        let (tell, told) = channel();
        let number = waiting.next;
        waiting.next += 1;
        let waits = Waits {
            home: home.to_owned(),
            asked: false,
            tell,
        };
        waiting.by_number.insert(number, waits);
        Some(told)
    }

    /// Those that the dataflow is to be asked, which it then is; who asks for a home that nobody knows is told so.
    pub fn take(&self, known: impl Fn(&str) -> Option<HomeId>) -> Vec<Query> {
        let mut waiting = self.lock();
        let (mut queries, mut unknown) = (Vec::new(), Vec::new());
        let all = waiting.by_number.iter_mut();
        for (&number, waits) in all.filter(|(_, waits)| !waits.asked) {
            waits.asked = true;
            match known(&waits.home) {
                Some(home) => queries.push(Query { home, number }),
                None => unknown.push(number),
            }
        }
        for number in unknown {
            waiting.tell(number, None);
        }
        queries
    }

    /// The dataflow was suspended: it is to be asked again what it has not answered.
    pub fn ask_again(&self) {
        for waits in self.lock().by_number.values_mut() {
            waits.asked = false;
        }
    }

    /// Tells whoever waits for that one, if nobody has yet.
    pub fn tell(&self, number: u64, view: Option<View>) {
        self.lock().tell(number, view);
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn tell(&mut self, number: u64, view: Option<View>) {
        if let Some(waits) = self.by_number.remove(&number) {
            // Whoever asked may have gone.
            let _ = waits.tell.send(view);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_asked_until_it_is_answered_and_nobody_waits_for_a_home_that_is_not_known() {
        let queries = Queries::default();
        let known = |home: &str| (home == "h").then_some(HomeId(7));
        let mut unknown = queries.ask("nobody").unwrap();
        let mut told = queries.ask("h").unwrap();
        let asked = vec![Query {
            home: HomeId(7),
            number: 1,
        }];
        assert_eq!(queries.take(known), asked);
        assert!(unknown.try_recv().unwrap().is_none());
        assert_eq!(queries.take(known), [], "it was asked");
        queries.ask_again();
        assert_eq!(queries.take(known), asked);
        queries.tell(1, None);
        queries.tell(1, None);
        assert!(told.try_recv().unwrap().is_none());
        queries.ask_again();
        assert_eq!(queries.take(known), [], "it was answered");
    }

    #[test]
    fn who_has_gone_makes_room() {
        let queries = Queries::default();
        let mut waiting: Vec<_> = (0..WAITING).map(|_| queries.ask("h").unwrap()).collect();
        assert!(queries.ask("h").is_none());
        waiting.pop();
        assert!(queries.ask("h").is_some());
    }
}
