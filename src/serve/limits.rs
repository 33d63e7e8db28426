//! How much, how fast and for how long.

use std::time::Duration;

/// What a client may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Connections altogether, and of one address that is not this machine's.
    pub connections: usize,
    pub connections_each: usize,
    /// Until the headers of a request are there; also until the next request of a connection begins.
    pub headers: Duration,
    /// Until the next piece of a body is there.
    pub piece: Duration,
    /// Bytes of a body a second, in the mean, once `piece` is over.
    pub slowest: u64,
    /// Until a client takes the next piece of an answer.
    pub stalled: Duration,
    /// Until an answer is made.
    pub answer: Duration,
    /// Bytes of a body as it comes, and unpacked.
    pub body: u64,
    pub unpacked: u64,
    /// Bytes of a form.
    pub form: usize,
    /// Bodies of lines that are read at a time.
    pub intakes: usize,
    /// Streams of alarms that are open at a time.
    pub streams: usize,
    /// Requests a second altogether, in the mean; twice as many at once.
    pub requests: u32,
    /// For how long requests that are under way are waited for at the end.
    pub grace: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            connections: 1_024,
            connections_each: 128,
            headers: Duration::from_secs(10),
            piece: Duration::from_secs(10),
            slowest: 1_024,
            stalled: Duration::from_secs(30),
            answer: Duration::from_secs(20),
            body: 64 << 20,
            unpacked: 512 << 20,
            form: 64 << 10,
            intakes: 32,
            streams: 128,
            requests: 2_000,
            grace: Duration::from_secs(5),
        }
    }
}
