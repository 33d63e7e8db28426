//! What a live run shares with what surrounds it: sources put lines into its inbox, sinks and the page listen to what it finds.
//!
//! Below everything that serves or connects; the run makes one and fills it.

mod gauges;

use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::cluster::Share;
use crate::crew::Crew;
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
    /// How many workers it has.
    pub crew: Crew,
    /// Which process it is, where several share the run.
    pub share: Share,
    /// The output folder.
    pub out: Arc<Path>,
    /// Ends the run.
    pub stop: Stop,
}

impl Desk {
    /// Of a run into an output folder, which begins with so many workers.
    pub fn new(inbox: Inbox, out: &Path, workers: NonZeroUsize, stop: Stop) -> Self {
        Desk {
            inbox,
            feed: Feed::default(),
            gauges: Arc::default(),
            crew: Crew::of(workers),
            share: Share::whole(workers.get()),
            out: Arc::from(out),
            stop,
        }
    }

    /// The same of a run that other processes share.
    #[must_use]
    pub fn among(self, share: Share) -> Self {
        // They have as many workers, all the time.
        self.crew.stay();
        Desk { share, ..self }
    }

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
        let desk = Desk::new(inbox, folder.path(), NonZeroUsize::MIN, Stop::default());
        assert!(!desk.is_ending());
        let other = desk.clone();
        let waits = tokio::spawn(async move { other.ending().await });
        desk.stop.interrupt();
        waits.await.unwrap();
        drop(desk);
        tokio::task::spawn_blocking(|| writer.join()).await.unwrap();
    }
}
