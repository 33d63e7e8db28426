//! Who asks for homes' models while a run goes on: from the question to what the dataflow says.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use hearth_operators::words::{HomeId, Query};
use tokio::sync::oneshot::{Receiver, Sender, channel};

use crate::portrait::View;

/// So many may wait at a time: each has what is kept of a home copied.
const WAITING: usize = 64;

/// Asks elsewhere for the model of a home, by a number that the answer bears.
type Ask = Box<dyn Fn(u64, &str) + Send + Sync>;

/// Tells of a model by the number of who asked.
type Tell = Box<dyn Fn(u64, Option<View>) + Send + Sync>;

/// Who waits; clones share it.
#[derive(Clone, Default)]
pub struct Queries(Arc<State>);

#[derive(Default)]
struct State {
    waiting: Mutex<Waiting>,
    /// Where the dataflow is asked elsewhere: how, and whom what it says here is told.
    elsewhere: OnceLock<(Ask, Tell)>,
}

#[derive(Default)]
struct Waiting {
    /// The number of the next one.
    next: u64,
    by_number: BTreeMap<u64, Waits>,
}

struct Waits {
    home: String,
    /// Whether the dataflow was asked.
    asked: bool,
    tell: Teller,
}

/// How somebody is told who asked.
enum Teller {
    Here(Sender<Option<View>>),
    Elsewhere(Box<dyn FnOnce(Option<View>) + Send>),
}

impl Teller {
    fn is_gone(&self) -> bool {
        matches!(self, Teller::Here(tell) if tell.is_closed())
    }
}

impl Queries {
    /// The dataflow is asked elsewhere, like this; what it says here is told there.
    pub fn are_elsewhere(
        &self,
        ask: impl Fn(u64, &str) + Send + Sync + 'static,
        tell: impl Fn(u64, Option<View>) + Send + Sync + 'static,
    ) {
        // There is one such place.
        let _ = self.0.elsewhere.set((Box::new(ask), Box::new(tell)));
    }

    /// Asks for the model of a home by its name; what comes is none where nothing is known of it. `None`: too many wait.
    pub fn ask(&self, home: &str) -> Option<Receiver<Option<View>>> {
        let (tell, told) = channel();
        let number = self.wait(home, Teller::Here(tell))?;
        if let Some((ask, _)) = self.0.elsewhere.get() {
            ask(number, home);
        }
        Some(told)
    }

    /// The same for somebody who is told like this. Whether not too many wait.
    pub fn ask_for(&self, home: &str, tell: impl FnOnce(Option<View>) + Send + 'static) -> bool {
        let tell = Teller::Elsewhere(Box::new(tell));
        self.wait(home, tell).is_some()
    }

    fn wait(&self, home: &str, tell: Teller) -> Option<u64> {
        let mut waiting = self.lock();
        waiting.by_number.retain(|_, waits| !waits.tell.is_gone());
        if waiting.by_number.len() >= WAITING {
            return None;
        }
        let number = waiting.next;
        waiting.next += 1;
        let waits = Waits {
            home: home.to_owned(),
            asked: false,
            tell,
        };
        waiting.by_number.insert(number, waits);
        Some(number)
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

    /// The dataflow says this of that one.
    pub fn said(&self, number: u64, view: Option<View>) {
        match self.0.elsewhere.get() {
            Some((_, tell)) => tell(number, view),
            None => self.tell(number, view),
        }
    }

    /// Tells whoever waits for that one, if nobody has yet.
    pub fn tell(&self, number: u64, view: Option<View>) {
        self.lock().tell(number, view);
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        let waiting = self.0.waiting.lock();
        waiting.unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Queries {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Queries").finish_non_exhaustive()
    }
}

impl Waiting {
    fn tell(&mut self, number: u64, view: Option<View>) {
        if let Some(waits) = self.by_number.remove(&number) {
            match waits.tell {
                // Whoever asked may have gone.
                Teller::Here(tell) => drop(tell.send(view)),
                Teller::Elsewhere(tell) => tell(view),
            }
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
        queries.said(1, None);
        queries.said(1, None);
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
