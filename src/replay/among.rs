//! A process's place among those that share a run.

use std::cell::Cell;
use std::sync::Arc;

use crate::checkpoint::Member;
use crate::cluster::{Cluster, Peers, Share, WholeCut};

/// A process among those that share a run.
pub struct Among {
    pub peers: Arc<Peers>,
    pub share: Share,
    /// Where each process has a place for its checkpoints, by [`place_of`], if that is one place.
    pub place: Option<String>,
    /// What its parts of cuts say of it.
    pub member: Member,
    /// Cuts that were begun in this life of the run.
    pub begun: Cell<u64>,
}

/// Where a process keeps its checkpoints, of those that keep them in one place.
pub fn place_of(place: &str, process: usize) -> String {
    format!("{}/process-{process}", place.trim_end_matches('/'))
}

impl Among {
    /// In a cluster; `state`: where all keep their checkpoints.
    pub fn of(cluster: &Cluster, state: Option<&str>) -> Self {
        let share = cluster.share();
        let (process, processes, workers) = (share.process(), share.processes(), share.workers());
        Among {
            peers: cluster.peers().clone(),
            share,
            place: state.map(str::to_owned),
            member: Member {
                process,
                processes,
                workers,
                ..Member::default()
            },
            begun: Cell::new(0),
        }
    }

    /// Whether a cut was taken by as many processes, with as many workers.
    pub fn took(&self, cut: WholeCut) -> bool {
        (cut.processes, cut.workers) == (self.member.processes, self.member.workers)
    }
}
