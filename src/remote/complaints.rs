//! What is said of messages that cannot be read: a few a minute, however many come.

use std::time::{Duration, Instant};

/// How many are named at most in a [`WHILE`].
const NAMED: u32 = 3;

/// For how long that holds.
const WHILE: Duration = Duration::from_secs(60);

/// The longest part of a name or reason that is said.
const SHOWN: usize = 200;

/// Complaints of late.
pub(crate) struct Complaints {
    /// Of what they are, such as `MQTT in`.
    role: &'static str,
    since: Option<Instant>,
    named: u32,
    unnamed: u64,
}

impl Complaints {
    /// None yet.
    pub fn new(role: &'static str) -> Self {
        Complaints {
            role,
            since: None,
            named: 0,
            unnamed: 0,
        }
    }

    /// A message of a topic cannot be read.
    pub fn say(&mut self, topic: &str, reason: &str) {
        for line in self.lines(topic, reason, Instant::now()) {
            tracing::warn!("{}: {line}", self.role);
        }
    }

    /// What is to be said.
    fn lines(&mut self, topic: &str, reason: &str, now: Instant) -> Vec<String> {
        let mut lines = Vec::new();
        if self.since.is_none_or(|since| now - since >= WHILE) {
            if self.unnamed > 0 {
                let unnamed = self.unnamed;
                lines.push(format!("{unnamed} more messages could not be read"));
            }
            (self.since, self.named, self.unnamed) = (Some(now), 0, 0);
        }
        if self.named < NAMED {
            self.named += 1;
            lines.push(format!(
                "a message of {} is no use: {}",
                shown(topic),
                shown(reason)
            ));
        } else {
            self.unnamed += 1;
        }
        lines
    }
}

/// The beginning of a text from outside, fit for a terminal.
fn shown(text: &str) -> String {
    let clean = text.chars().take(SHOWN);
    clean
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_a_minute_are_named_and_the_rest_counted() {
        let mut complaints = Complaints::new("MQTT in");
        let start = Instant::now();
        let mut said = Vec::new();
        for n in 0..10_000 {
            said.extend(complaints.lines("t\u{1b}[2J", "bad", start + WHILE * n / 10_000));
        }
        assert_eq!(said.len(), 3);
        assert!(!said[0].contains('\u{1b}'));
        let said = complaints.lines("t", "bad", start + WHILE);
        assert_eq!(said[0], "9997 more messages could not be read");
        assert_eq!(said.len(), 2);
    }
}
