//! How many requests a server gets at once.

use std::num::NonZeroUsize;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep_until};

/// Lets requests in: one more at once after as many good answers as there are at once, half as many after a sign of
/// crowding. Like TCP's window, this finds what the server bears and shares it fairly with its other clients.
#[derive(Debug)]
pub(super) struct Gate {
    most: f64,
    /// The free places.
    free: Semaphore,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// Between 1 and `most`; its whole part counts.
    limit: f64,
    /// Places there are, free and taken. More than the limit only until enough of the taken ones come back.
    places: usize,
    /// How often the limit was halved. Requests that were let in under one limit halve it once together.
    halvings: u64,
    /// Nobody passes before.
    closed_until: Option<Instant>,
}

/// A place within; dropping it gives it back.
#[derive(Debug)]
pub(super) struct Place<'a> {
    gate: &'a Gate,
    halvings: u64,
}

impl Gate {
    /// Open for so many at once, and never for more.
    pub fn new(most: NonZeroUsize) -> Self {
        // A semaphore counts no further; no number of connections comes near.
        let places = most.get().min(Semaphore::MAX_PERMITS);
        Gate {
            most: places as f64,
            free: Semaphore::new(places),
            state: Mutex::new(State {
                limit: places as f64,
                places,
                halvings: 0,
                closed_until: None,
            }),
        }
    }

    /// Waits for a place, in order of arrival, and for the gate to be open.
    pub async fn enter(&self) -> Place<'_> {
        // The semaphore is never closed. Its permit becomes a place, which may not come back when the limit has sunk.
        if let Ok(permit) = self.free.acquire().await {
            permit.forget();
        }
        let mut place = Place {
            gate: self,
            halvings: 0,
        };
        loop {
            let closed_until = {
                let state = self.state();
                place.halvings = state.halvings;
                state.closed_until
            };
            match closed_until {
                Some(until) if until > Instant::now() => sleep_until(until).await,
                _ => return place,
            }
        }
    }

    /// Lets nobody pass for so long.
    pub fn close_for(&self, pause: Duration) {
        let until = Instant::now() + pause;
        let mut state = self.state();
        state.closed_until = state.closed_until.max(Some(until));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, state: &mut State, limit: f64) {
        state.limit = limit.clamp(1.0, self.most);
        let wanted = state.limit as usize;
        if let Some(more) = wanted.checked_sub(state.places) {
            self.free.add_permits(more);
            state.places = wanted;
        } else {
            state.places -= self.free.forget_permits(state.places - wanted);
        }
    }
}

impl Place<'_> {
    /// The server answered well.
    pub fn good(&self) {
        let mut state = self.gate.state();
        let limit = state.limit + 1.0 / state.limit;
        self.gate.set(&mut state, limit);
    }

    /// The server showed that it has too much to do.
    pub fn crowded(&self) {
        let mut state = self.gate.state();
        if state.halvings == self.halvings {
            state.halvings += 1;
            let limit = state.limit / 2.0;
            self.gate.set(&mut state, limit);
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut state = self.gate.state();
        if state.places > state.limit as usize {
            state.places -= 1;
        } else {
            self.gate.free.add_permits(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use proptest::prelude::*;

    use super::*;

    fn gate(most: usize) -> Gate {
        Gate::new(NonZeroUsize::new(most).unwrap())
    }

    /// As many as get in now.
    fn enter_all(gate: &Gate) -> Vec<Place<'_>> {
        std::iter::from_fn(|| gate.enter().now_or_never()).collect()
    }

    #[test]
    fn a_crowd_halves_once_and_good_answers_restore_one_at_a_time() {
        let gate = gate(8);
        let places = enter_all(&gate);
        assert_eq!(places.len(), 8);
        for place in &places {
            place.crowded();
        }
        assert!(gate.enter().now_or_never().is_none());
        drop(places);
        let places = enter_all(&gate);
        assert_eq!(places.len(), 4);
        for place in &places {
            place.good();
        }
        drop(places);
        // 4 + 1/4 + 1/4.25 + … falls just short of 5: the next good answer makes it.
        let place = gate.enter().now_or_never().unwrap();
        place.good();
        drop(place);
        assert_eq!(enter_all(&gate).len(), 5);
    }

    #[tokio::test]
    async fn nobody_passes_while_it_is_closed() {
        let gate = gate(2);
        let pause = Duration::from_millis(50);
        let begin = Instant::now();
        gate.close_for(pause);
        gate.close_for(Duration::ZERO);
        assert!(gate.enter().now_or_never().is_none());
        gate.enter().await;
        assert!(begin.elapsed() >= pause);
        assert_eq!(enter_all(&gate).len(), 2);
    }

    proptest! {
        /// Whatever happens, places are neither lost nor made up: when all have left, as many get in as the limit says.
        #[test]
        fn places_are_kept_count_of(
            most in 1usize..12,
            steps in proptest::collection::vec((0u8..4, any::<proptest::sample::Index>()), 0..200),
        ) {
            let gate = gate(most);
            let mut inside = Vec::new();
            for (step, which) in steps {
                let chosen = (!inside.is_empty()).then(|| which.index(inside.len()));
                match (step, chosen) {
                    (0, _) => inside.extend(gate.enter().now_or_never()),
                    (1, Some(chosen)) => drop(inside.swap_remove(chosen)),
                    (2, Some(chosen)) => inside[chosen].good(),
                    (3, Some(chosen)) => inside[chosen].crowded(),
                    _ => (),
                }
                prop_assert!(inside.len() <= most);
            }
            inside.clear();
            let limit = gate.state().limit as usize;
            prop_assert!((1..=most).contains(&limit));
            prop_assert_eq!(enter_all(&gate).len(), limit);
        }
    }
}
