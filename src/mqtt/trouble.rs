//! What is said, and how long is waited, while a broker cannot be reached.

use std::time::{Duration, Instant};

use crate::config::Broker;

/// The first wait; each is twice the one before.
const FIRST: Duration = Duration::from_millis(500);

/// The longest wait.
const LONGEST: Duration = Duration::from_secs(30);

/// How often the same trouble is told.
const AGAIN: Duration = Duration::from_secs(300);

/// How a connection fares.
pub(crate) struct Trouble {
    broker: Broker,
    /// What the connection is for.
    role: &'static str,
    failures: u32,
    told: Option<Instant>,
}

impl Trouble {
    /// None yet.
    pub fn new(broker: Broker, role: &'static str) -> Self {
        Trouble {
            broker,
            role,
            failures: 0,
            told: None,
        }
    }

    /// The connection stands.
    pub fn over(&mut self) {
        let known = self.told.is_some();
        (self.failures, self.told) = (0, None);
        if known {
            eprintln!("hearth: MQTT {}: {} again", self.role, self.broker);
        }
    }

    /// It broke, or could not be made. Says how long to wait before it is tried again.
    pub fn pause(&mut self, error: &dyn std::fmt::Display) -> Duration {
        if self.told.is_none_or(|told| told.elapsed() > AGAIN) {
            eprintln!(
                "hearth: MQTT {}: no connection to {}: {error}; it is tried again",
                self.role, self.broker
            );
            self.told = Some(Instant::now());
        }
        let wait = FIRST * 2_u32.pow(self.failures.min(10));
        self.failures += 1;
        let wait = wait.min(LONGEST);
        // So that not all who lost a broker come back at the same instant.
        wait.mul_f64(rand::random_range(0.75..1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_bound_and_begin_anew() {
        let mut trouble = Trouble::new("mqtt://b".parse().unwrap(), "in");
        let waits: Vec<Duration> = (0..12).map(|_| trouble.pause(&"gone")).collect();
        assert!(waits[0] <= FIRST && waits[0] >= FIRST.mul_f64(0.74));
        assert!(waits[3] > waits[1] && waits[11] <= LONGEST && waits[11] > LONGEST / 2);
        trouble.over();
        assert!(trouble.pause(&"gone") <= FIRST);
    }
}
