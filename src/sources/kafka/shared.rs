//! What the readers of a topic's partitions share.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;

use super::measures::Measures;
use crate::desk::Desk;
use crate::inbox::PARTITIONS;

/// What the readers of a topic's partitions share.
pub(super) struct Shared {
    pub topic: String,
    pub desk: Desk,
    pub measures: Measures,
    /// Partitions that are not read as far as they went when they were connected to.
    behind: Mutex<BTreeSet<i32>>,
    /// Told when a partition was read.
    pub reads: Notify,
}

impl Shared {
    /// Nothing is read.
    pub fn new(topic: &str, desk: &Desk, measures: &Measures) -> Self {
        Shared {
            topic: topic.to_owned(),
            desk: desk.clone(),
            measures: measures.clone(),
            behind: Mutex::default(),
            reads: Notify::new(),
        }
    }

    /// The name of the mark that the topic was met: partitions that are found later are read from their beginning.
    pub fn mark(&self) -> String {
        format!("{PARTITIONS}{}", self.topic)
    }

    /// The name of a partition's marks.
    pub fn mark_of(&self, partition: i32) -> String {
        format!("{}/{partition}", self.mark())
    }

    /// A partition has caught up.
    pub fn caught_up(&self, partition: i32) {
        let mut behind = self.behind.lock().unwrap_or_else(PoisonError::into_inner);
        behind.remove(&partition);
        if behind.is_empty() {
            self.waits(None);
        }
    }

    /// These are to be read to where they end now.
    pub fn is_behind(&self, partitions: &[i32]) {
        let mut behind = self.behind.lock().unwrap_or_else(PoisonError::into_inner);
        *behind = partitions.iter().copied().collect();
        let more = (!behind.is_empty()).then(|| "it is not read to its end yet".to_owned());
        self.waits(more);
    }

    /// Whether this process reads a partition; others that share the run read the others.
    pub fn is_own(&self, partition: i32) -> bool {
        usize::try_from(partition).is_ok_and(|partition| self.desk.share.reads(partition))
    }

    /// The run is not ready, or it does not wait for this topic any more.
    pub fn waits(&self, why: Option<String>) {
        let who = format!("Kafka in, {}", self.topic);
        self.desk.gauges.wait_for(&who, why);
    }
}
