//! What a live run shares with what surrounds it: sources put lines into its inbox, sinks and the page listen to what it finds.
//!
//! Below everything that serves or connects; the run makes one and fills it.

mod gauges;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::inbox::Inbox;
use crate::sinks::feed::Feed;
use crate::stop::Stop;
pub use gauges::{ByFate, ByKind, ByOperator, Fate, Gauges, Seconds, count};

/// How often whoever waits for the end of a run looks whether it has come.
const LOOK: Duration = Duration::from_millis(50);

/// What a live run shares with what surrounds it. Clones share it.
#[derive(Clone)]
pub struct Desk {
    /// The way in.
    pub inbox: Inbox,
    /// The way out: lines whose epoch is complete.
    pub feed: Feed,
    /// How it goes.
    pub gauges: Arc<Gauges>,
    /// The output folder.
    pub out: Arc<Path>,
    /// Ends the run.
    pub stop: Stop,
}

impl Desk {
    /// Whether the run is to end: nothing new is to be begun.
    pub fn is_ending(&self) -> bool {
        self.stop.is_interrupted() || self.stop.is_stopped()
    }

    /// Comes back once the run is to end.
    pub async fn ending(&self) {
        while !self.is_ending() {
            tokio::time::sleep(LOOK).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::Disk;
    use crate::inbox::Keeps;

    #[tokio::test]
    async fn whoever_waits_for_the_end_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let (inbox, writer) = Inbox::open(&Disk::real(), folder.path(), Keeps::default()).unwrap();
        let desk = Desk {
            inbox,
            feed: Feed::default(),
            gauges: Arc::default(),
            out: Arc::from(folder.path()),
            stop: Stop::default(),
        };
        assert!(!desk.is_ending());
        let other = desk.clone();
        let waits = tokio::spawn(async move { other.ending().await });
        desk.stop.interrupt();
        waits.await.unwrap();
        drop(desk);
        tokio::task::spawn_blocking(|| writer.join()).await.unwrap();
    }
}
