//! How long events took, as the report has it.

use serde::Serialize;

use crate::outputs::grouped;

/// What was measured at a rate.
#[derive(Clone, Debug, Serialize)]
pub struct Latency {
    /// Events of an epoch.
    pub epoch_events: usize,
    /// Workers.
    pub workers: usize,
    /// Events a second that were due; the greatest rate where `open_loop` is false.
    pub rate: f64,
    /// Events a second that got through.
    pub achieved: f64,
    /// Whether events were due at a rate, or fed as quickly as they were taken.
    pub open_loop: bool,
    /// Checkpoints that were taken meanwhile.
    pub cuts: u64,
    /// Microseconds from an event's due time until its epoch was out: the median.
    pub p50: f64,
    /// Nine of ten.
    pub p90: f64,
    /// All but one of a hundred.
    pub p99: f64,
    /// All but one of a thousand.
    pub p999: f64,
    /// All but one of ten thousand.
    pub p9999: f64,
    /// All.
    pub max: f64,
}

impl Latency {
    /// Whether the path kept up.
    pub fn kept_up(&self) -> bool {
        self.achieved >= 0.95 * self.rate
    }
}

/// A line a measurement.
pub fn table(latencies: &[Latency]) -> String {
    use std::fmt::Write as _;
    let mut text = String::new();
    let _ = writeln!(
        text,
        "{:>12} {:>7} {:>5} {:>11} {:>11} {:>9} {:>9} {:>9} {:>9} {:>9} {:>10}",
        "epoch events",
        "workers",
        "cuts",
        "due/s",
        "done/s",
        "p50 µs",
        "p90 µs",
        "p99 µs",
        "p99.9 µs",
        "p99.99 µs",
        "max µs"
    );
    for l in latencies {
        let due = match l.open_loop {
            true => grouped(l.rate as u64),
            false => "greatest".into(),
        };
        let _ = writeln!(
            text,
            "{:>12} {:>7} {:>5} {:>11} {:>11} {:>9.0} {:>9.0} {:>9.0} {:>9.0} {:>9.0} {:>10.0}{}",
            grouped(l.epoch_events as u64),
            l.workers,
            l.cuts,
            due,
            grouped(l.achieved as u64),
            l.p50,
            l.p90,
            l.p99,
            l.p999,
            l.p9999,
            l.max,
            if l.kept_up() {
                ""
            } else {
                "  not kept up with"
            }
        );
    }
    text
}
