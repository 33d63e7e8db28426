//! How many requests a server gets at once, and whose turn it is.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};
use tokio::time::{Instant, sleep_until};

/// Lets requests in: one more at once after as many good answers as there are at once, fewer after a sign of crowding.
/// Like TCP's window, this finds what the server bears and shares it fairly with its other clients.
///
/// Calls are let in in the order in which they came, also when they come again: so those that a server turned away are through
/// before others begin, and none is turned away again and again.
#[derive(Clone, Debug)]
pub(super) struct Admission(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    max: f64,
    state: Mutex<State>,
    /// Nobody is let in from now on, or for longer.
    closed: Notify,
}

#[derive(Debug)]
struct State {
    /// Between 1 and `most`; its whole part counts.
    limit: f64,
    /// Places taken. More than the limit only until enough of them are given back.
    inside: usize,
    /// How often the limit was lowered. Requests that were let in under one limit lower it once together.
    lowered: u64,
    /// Nobody is let in before.
    closed_until: Option<Instant>,
    /// Who waits, by turn.
    waiting: BTreeMap<Turn, oneshot::Sender<Place>>,
    next: Turn,
}

/// The order in which calls came.
pub(super) type Turn = u64;

/// Leave to have a request under way; dropping it gives it back.
#[derive(Debug)]
pub(super) struct Place {
    admission: Admission,
    lowered: u64,
}

impl Admission {
    /// Open for so many at once, and never for more.
    pub fn new(max: NonZeroUsize) -> Self {
        let max = max.get() as f64;
        Admission(Arc::new(Shared {
            max,
            state: Mutex::new(State {
                limit: max,
                inside: 0,
                lowered: 0,
                closed_until: None,
                waiting: BTreeMap::new(),
                next: 0,
            }),
            closed: Notify::new(),
        }))
    }

    /// The turn of a call that comes now: after all that came before.
    pub fn turn(&self) -> Turn {
        let mut state = self.state();
        state.next += 1;
        state.next
    }

    /// Waits until requests are let in, a place is free, and nobody with an earlier turn waits for it.
    pub async fn enter(&self, turn: Turn) -> Place {
        let mut place = self.queue(turn);
        loop {
            let closed = self.0.closed.notified();
            let opening = self.let_in();
            tokio::select! {
                place_or_none = &mut place => match place_or_none {
                    Ok(place) => return place,
                    // Another call took this turn's place in the queue.
                    Err(_) => place = self.queue(turn),
                },
                () = closed => (),
                () = reached(opening) => (),
            }
        }
    }

    /// Lets nobody in for so long.
    pub fn close_for(&self, pause: Duration) {
        let until = Instant::now() + pause;
        let mut state = self.state();
        state.closed_until = state.closed_until.max(Some(until));
        drop(state);
        self.0.closed.notify_waiters();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        let state = self.0.state.lock();
        state.unwrap_or_else(PoisonError::into_inner)
    }

    fn queue(&self, turn: Turn) -> oneshot::Receiver<Place> {
        let (sender, receiver) = oneshot::channel();
        self.state().waiting.insert(turn, sender);
        receiver
    }

    /// Lets in who can be let in. Where nobody is let in: until when.
    fn let_in(&self) -> Option<Instant> {
        loop {
            let mut state = self.state();
            let closed = state.closed_until.filter(|until| *until > Instant::now());
            if closed.is_some() || state.inside >= state.limit as usize {
                return closed;
            }
            let (_, waiting) = state.waiting.pop_first()?;
            // Who gave up waiting is passed over. Who gives up just now drops the place, which gives it back.
            if !waiting.is_closed() {
                state.inside += 1;
                let place = Place {
                    admission: self.clone(),
                    lowered: state.lowered,
                };
                drop(state);
                let _ = waiting.send(place);
            }
        }
    }
}

async fn reached(opening: Option<Instant>) {
    match opening {
        Some(opening) => sleep_until(opening).await,
        None => std::future::pending().await,
    }
}

impl Place {
    /// The server answered well.
    pub fn good(&self) {
        let mut state = self.admission.state();
        state.limit = (state.limit + 1.0 / state.limit).min(self.admission.0.max);
        drop(state);
        self.admission.let_in();
    }

    /// The server showed that it has too much to do: half as many at once.
    pub fn crowded(&self) {
        self.lower(|limit| limit / 2.0);
    }

    /// The server said when to come back: one at a time, to begin with. Of many that come back together most would be
    /// turned away again.
    pub fn turned_away(&self) {
        self.lower(|_| 1.0);
    }

    fn lower(&self, by: impl FnOnce(f64) -> f64) {
        let mut state = self.admission.state();
        if state.lowered == self.lowered {
            state.lowered += 1;
            state.limit = by(state.limit).max(1.0);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.admission.state().inside -= 1;
        self.admission.let_in();
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use proptest::prelude::*;

    use super::*;

    fn admission(max: usize) -> Admission {
        Admission::new(NonZeroUsize::new(max).unwrap())
    }

    fn enter(admission: &Admission) -> Option<Place> {
        admission.enter(admission.turn()).now_or_never()
    }

    /// As many as get in now.
    fn enter_all(admission: &Admission) -> Vec<Place> {
        std::iter::from_fn(|| enter(admission)).collect()
    }

    #[test]
    fn a_crowd_halves_once_and_good_answers_restore_one_at_a_time() {
        let admission = admission(8);
        let places = enter_all(&admission);
        assert_eq!(places.len(), 8);
        for place in &places {
            place.crowded();
        }
        assert!(enter(&admission).is_none());
        drop(places);
        let places = enter_all(&admission);
        assert_eq!(places.len(), 4);
        for place in &places {
            place.good();
        }
        drop(places);
        // 4 + 1/4 + 1/4.25 + … falls just short of 5: the next good answer makes it.
        let place = enter(&admission).unwrap();
        place.good();
        drop(place);
        let places = enter_all(&admission);
        assert_eq!(places.len(), 5);
        places[0].turned_away();
        places[1].turned_away();
        drop(places);
        assert_eq!(enter_all(&admission).len(), 1);
    }

    #[tokio::test]
    async fn nobody_is_let_in_while_it_is_closed_not_even_who_waited_before() {
        let admission = admission(1);
        let place = enter(&admission).unwrap();
        let waiting = admission.enter(admission.turn());
        tokio::pin!(waiting);
        assert!((&mut waiting).now_or_never().is_none());
        let pause = Duration::from_millis(50);
        let begin = Instant::now();
        admission.close_for(pause);
        admission.close_for(Duration::ZERO);
        drop(place);
        assert!((&mut waiting).now_or_never().is_none());
        waiting.await;
        assert!(begin.elapsed() >= pause);
        assert_eq!(enter_all(&admission).len(), 1);
    }

    #[tokio::test]
    async fn who_came_first_goes_first_and_who_gave_up_is_passed_over() {
        let admission = admission(1);
        let turns: Vec<Turn> = (0..4).map(|_| admission.turn()).collect();
        let place = enter(&admission).unwrap();
        let mut waiting: Vec<_> = [3, 1, 0, 2]
            .map(|at| (at, Box::pin(admission.enter(turns[at]))))
            .into();
        for (_, enter) in &mut waiting {
            assert!(enter.now_or_never().is_none());
        }
        waiting.retain(|(at, _)| *at != 1);
        let mut order = Vec::new();
        let mut place = Some(place);
        while !waiting.is_empty() {
            drop(place.take());
            let which = waiting.iter_mut().position(|(_, enter)| {
                place = enter.now_or_never();
                place.is_some()
            });
            order.push(waiting.remove(which.unwrap()).0);
        }
        assert_eq!(order, [0, 2, 3]);
    }

    proptest! {
        /// Whatever happens, places are neither lost nor made up: when all have left, as many get in as the limit says.
        #[test]
        fn places_are_kept_count_of(
            max in 1usize..12,
            steps in proptest::collection::vec((0u8..6, any::<proptest::sample::Index>()), 0..200),
        ) {
            let admission = admission(max);
            let mut inside = Vec::new();
            let mut waiting = Vec::new();
            for (step, which) in steps {
                let chosen = (!inside.is_empty()).then(|| which.index(inside.len()));
                match (step, chosen) {
                    (0, _) => {
                        let mut enter = Box::pin({
                            let admission = admission.clone();
                            async move { admission.enter(admission.turn()).await }
                        });
                        match (&mut enter).now_or_never() {
                            Some(place) => inside.push(place),
                            None => waiting.push(enter),
                        }
                    }
                    (1, Some(chosen)) => drop(inside.swap_remove(chosen)),
                    (2, Some(chosen)) => inside[chosen].good(),
                    (3, Some(chosen)) => inside[chosen].crowded(),
                    (4, Some(chosen)) => inside[chosen].turned_away(),
                    // Some of those who give up have a place already and do not know it.
                    (5, _) if !waiting.is_empty() => drop(waiting.swap_remove(which.index(waiting.len()))),
                    _ => (),
                }
                prop_assert!(inside.len() <= max);
            }
            waiting.clear();
            inside.clear();
            let limit = admission.state().limit as usize;
            prop_assert!((1..=max).contains(&limit));
            prop_assert_eq!(enter_all(&admission).len(), limit);
        }
    }
}
