//! What is said, and how long is waited, while a server cannot be reached.

use std::time::{Duration, Instant};

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};

/// The first wait; each is twice the one before, and up to once more, so that not all who lost a server come back at the same
/// instant.
const FIRST: Duration = Duration::from_millis(250);

/// The longest wait, before that.
const LONGEST: Duration = Duration::from_secs(15);

/// How often the same trouble is told.
const AGAIN: Duration = Duration::from_secs(300);

/// How a connection fares.
pub(crate) struct Trouble {
    server: String,
    /// What the connection is for, such as `MQTT in`.
    role: &'static str,
    waits: ExponentialBackoff,
    told: Option<Instant>,
    /// Whether there was a connection before.
    met: bool,
}

impl Trouble {
    /// None yet.
    pub fn new(server: &impl ToString, role: &'static str) -> Self {
        Trouble {
            server: server.to_string(),
            role,
            waits: waits(),
            told: None,
            met: false,
        }
    }

    /// The connection stands.
    pub fn over(&mut self) {
        self.waits = waits();
        let connected = match (self.told.take(), std::mem::replace(&mut self.met, true)) {
            (_, false) => "connected to",
            (Some(_), true) => "connected again to",
            (None, true) => return,
        };
        tracing::info!("{}: {connected} {}", self.role, self.server);
    }

    /// It broke, or could not be made. Says how long to wait before it is tried again.
    pub fn pause(&mut self, error: &dyn std::fmt::Display) -> Duration {
        if self.told.is_none_or(|told| told.elapsed() > AGAIN) {
            tracing::warn!(
                "{}: no connection to {}: {error}; it is tried again",
                self.role,
                self.server
            );
            self.told = Some(Instant::now());
        }
        self.waits.next().unwrap_or(LONGEST)
    }
}

/// Waits that grow.
fn waits() -> ExponentialBackoff {
    ExponentialBuilder::new()
        .with_min_delay(FIRST)
        .with_max_delay(LONGEST)
        .without_max_times()
        .with_jitter()
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_bound_and_begin_anew() {
        let mut trouble = Trouble::new(&"mqtt://b", "MQTT in");
        let waits: Vec<Duration> = (0..100).map(|_| trouble.pause(&"gone")).collect();
        assert!(waits[0] >= FIRST && waits[0] <= FIRST * 2);
        assert!(waits[3] > waits[1] && waits[99] >= LONGEST && waits[99] <= LONGEST * 2);
        trouble.over();
        assert!(trouble.pause(&"gone") <= FIRST * 2);
    }
}
