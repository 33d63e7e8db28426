//! A live run that several processes share: the first one feeds, and takes cuts, as a lone run does; the others follow it.

use std::time::Duration;

use super::Replay;
use super::checkpointing::Keeping;
use super::feeding::Kept;
use super::tending::{Role, Tending};
use crate::cluster::{Decision, Peers};
use crate::engine::Reached;

/// How often a process looks whether it was stopped.
const LOOK: Duration = Duration::from_millis(50);

impl Replay<'_> {
    /// What this process is to the others of a live run.
    pub(super) fn role(&self) -> Role {
        let live = self.live.as_ref();
        live.map_or(Role::Alone, Tending::role)
    }

    /// Feeds epochs as the first process says where they end, and keeps what it says is to be kept, until it says that the run ends.
    pub(super) fn follow(&mut self, keeping: &Keeping, peers: &Peers) {
        let _keeps = self.stop.keep();
        let mut wishes = false;
        while !self.stop.is_stopped() {
            let reached = self.engine.run(Duration::ZERO);
            self.told_live(&reached);
            if let Some(lacking) = self.fed.lacks_memory(reached.out == reached.epochs) {
                return self.stop.fail(lacking);
            }
            // The first one knows of what was fed, not of jobs that were done here.
            if !self.is_idle(&reached) && !std::mem::replace(&mut wishes, true) {
                peers.wish_for_cut();
            }
            let Some((epochs, decision)) = peers.decided(LOOK) else {
                continue;
            };
            wishes = false;
            if decision.ends {
                // It may be another process that was interrupted. From now on none is lost that is gone.
                self.stop.end();
            }
            if !self.reach(epochs) {
                return;
            }
            if decision.cuts {
                match self.keep(keeping, decision.ends) {
                    Ok(Kept::Whole(_) | Kept::Torn) => {}
                    Ok(Kept::Over) => return,
                    Err(error) => return self.stop.fail(error.to_string()),
                }
            }
            if decision.ends {
                return self.end_among(keeping);
            }
        }
    }

    /// Whether nothing has happened since the last cut, as far as is known.
    pub(super) fn rests(&self, keeping: &Keeping, reached: &Reached) -> bool {
        let wished = keeping.peers().is_some_and(|peers| peers.wishes_for_cut());
        self.is_idle(reached) && !wished
    }

    /// The last cut was taken: where other processes share the run, all take the dataflow down, and none leaves before all have their parts of
    /// that cut.
    pub(super) fn end_among(&mut self, keeping: &Keeping) {
        let role = self.role();
        let Some(peers) = keeping.peers().filter(|_| !matches!(role, Role::Alone)) else {
            return;
        };
        let epochs = self.engine.reached().epochs;
        if matches!(role, Role::First(_)) && epochs == 0 {
            // There was nothing to keep, and so nothing was said.
            let ends = Decision {
                cuts: false,
                ends: true,
            };
            peers.decide(epochs, ends);
        }
        if !self.share.is_whole() {
            self.engine
                .end_among(|reached| peers.meet(reached.epochs + 1));
        }
    }
}
