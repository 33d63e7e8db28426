//! Whether a server is there at all: a replay of ten thousand homes is not to wait for a dead one ten thousand times.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// So many calls in a row, each after all its attempts, make a server count as gone. One bad home, a restart or a
/// moment without a network lose fewer.
const LOST_AT_MOST: u32 = 5;

/// How often a server that is gone gets a request to show that it is back: seldom enough to cost nothing, and a run
/// misses little of what a server that comes back could have answered.
pub(super) const PROBE_EVERY: Duration = Duration::from_secs(30);

/// Open circuit, no calls.
#[derive(Debug, Default)]
pub(super) struct Circuit(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// Calls in a row that found nobody.
    lost: u32,
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    why: String,
    next_probe: Instant,
}

impl Circuit {
    /// Why no request can be sent now, if so.
    pub fn blocked(&self) -> Option<String> {
        let state = self.state();
        let open = state.open.as_ref()?;
        (open.next_probe > Instant::now()).then(|| open.why.clone())
    }

    /// Whether a request may be sent. Where the circuit is open, one that may is the probe.
    ///
    /// # Errors
    /// Why no request can be sent now.
    pub fn admit(&self) -> Result<(), String> {
        let mut state = self.state();
        let now = Instant::now();
        match &mut state.open {
            Some(open) if open.next_probe > now => Err(open.why.clone()),
            Some(open) => {
                open.next_probe = now + PROBE_EVERY;
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// The server answered, whatever it said.
    pub fn alive(&self) {
        *self.state() = State::default();
    }

    /// A call found nobody, although it tried as often as it may.
    pub fn lost(&self, what: &str) {
        let mut state = self.state();
        state.lost += 1;
        if state.lost >= LOST_AT_MOST && state.open.is_none() {
            state.open = Some(Open {
                why: format!(
                    "not asked: nobody answered the {LOST_AT_MOST} calls before ({what}); a call every {} s finds out \
                     whether that has changed",
                    PROBE_EVERY.as_secs()
                ),
                next_probe: Instant::now() + PROBE_EVERY,
            });
        }
    }

    /// The server asks for a pause that is too long to wait for.
    pub fn pause(&self, what: &str, pause: Duration) {
        self.state().open = Some(Open {
            why: format!("not asked: {what}"),
            next_probe: Instant::now() + pause,
        });
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_opens_after_calls_in_a_row_and_lets_one_probe_through_at_a_time() {
        let circuit = Circuit::default();
        for _ in 1..LOST_AT_MOST {
            circuit.lost("refused");
        }
        circuit.alive();
        for _ in 1..LOST_AT_MOST {
            circuit.lost("refused");
            assert_eq!(circuit.admit(), Ok(()));
        }
        circuit.lost("refused");
        assert!(circuit.blocked().unwrap().contains("refused"));
        for _ in 0..3 {
            assert!(circuit.admit().is_err());
            advance(PROBE_EVERY).await;
            assert_eq!(circuit.blocked(), None);
            assert_eq!(circuit.admit(), Ok(()));
            assert!(circuit.admit().is_err());
            circuit.lost("refused");
        }
        circuit.alive();
        assert_eq!(circuit.admit(), Ok(()));
        assert_eq!(circuit.admit(), Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_that_the_server_asks_for_is_kept() {
        let circuit = Circuit::default();
        circuit.pause("come back in an hour", Duration::from_secs(3600));
        advance(Duration::from_secs(3599)).await;
        assert!(circuit.admit().unwrap_err().contains("an hour"));
        advance(Duration::from_secs(1)).await;
        assert_eq!(circuit.admit(), Ok(()));
    }
}
