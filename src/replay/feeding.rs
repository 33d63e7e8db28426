//! Feeds a replay, and takes checkpoints on the way.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hearth_operators::dataflow::State;
use hearth_operators::words::Epoch;

use super::Replay;
use super::checkpointing::Keeping;
use super::tending::Role;
use crate::checkpoint::{CheckpointError, Cut, Moment};
use crate::cluster::Decision;
use crate::engine::{self, Reached};

/// How often a run looks whether it was interrupted.
const LOOK: Duration = Duration::from_millis(50);

/// So soon an epoch is fed that was read already.
const SOON: Duration = Duration::from_millis(5);

impl Replay<'_> {
    /// Feeds the log to its end and waits for what is open then, and keeps on the way what the run can go on from: now and then,
    /// and when it is interrupted or has not the memory to go on.
    pub(super) fn feed(&mut self, keeping: &Keeping) {
        match (keeping.peers(), self.role()) {
            (Some(peers), Role::Alone) => return self.feed_among(keeping, peers),
            (Some(peers), Role::Other(_)) => return self.follow(keeping, peers),
            _ => {}
        }
        let mut reached = self.engine.reached();
        let every = keeping.first_wait(reached.epochs);
        // What is kept is of a run that goes on, not of one that drops its jobs.
        let _keeps = every.is_some().then(|| self.stop.keep());
        let mut wait = every.unwrap_or(Duration::MAX);
        let mut last = Instant::now();
        let mut goal = keeping.goal(reached.epochs);
        while !self.stop.is_stopped() {
            // A live run may be idle for hours: no cut is due before something happens.
            let left = match self.rests(keeping, &reached) {
                true => LOOK,
                false => wait.saturating_sub(last.elapsed()).min(LOOK),
            };
            if !reached.ended {
                reached = match goal {
                    Some(goal) => self.engine.reach(goal),
                    None => self.engine.run(left),
                };
            }
            if reached.ended {
                if self.engine.end(left.max(Duration::from_millis(1))) {
                    return;
                }
                reached = self.engine.reached();
                if !reached.closed {
                    continue;
                }
            }
            let lacking = self.fed.lacks_memory(reached.out == reached.epochs);
            self.told_live(&reached);
            match self.rescale(keeping) {
                Ok(()) => reached = self.engine.reached(),
                Err(error) => return self.stop.fail(error.to_string()),
            }
            let ends = self.stop.is_interrupted() || self.live_ends();
            let last_one = ends || lacking.is_some();
            let is_due = match goal {
                Some(goal) if !reached.ended => reached.epochs >= goal,
                _ => last.elapsed() >= wait && !self.rests(keeping, &reached),
            };
            if !(last_one || is_due) {
                continue;
            }
            if reached.epochs > 0 && every.is_some() {
                // Before that there is nothing to keep; declared shifts come with the first epoch.
                match self.keep(keeping, ends) {
                    Ok(Kept::Whole(took)) => wait = keeping.wait(took).unwrap_or(wait),
                    // Behind the log's end.
                    Ok(Kept::Torn) => {
                        reached = match goal {
                            Some(_) => self.engine.reach(reached.epochs + 1),
                            None => self.engine.run(SOON),
                        };
                        continue;
                    }
                    // Nothing more is fed; what the worker died of is told when the run ends.
                    Ok(Kept::Over) => return,
                    Err(error) => return self.stop.fail(error.to_string()),
                }
            }
            if let Some(lacking) = lacking {
                self.stop.fail(lacking);
            }
            if last_one {
                if ends {
                    self.end_among(keeping);
                }
                return;
            }
            last = Instant::now();
            goal = keeping.goal(reached.epochs);
        }
    }

    /// Goes on with another number of workers, where somebody wishes for it: what the dataflow holds is dealt to them in memory.
    ///
    /// # Errors
    /// A worker has failed; the inbox cannot be opened any more; the system gives no more threads.
    fn rescale(&mut self, keeping: &Keeping) -> anyhow::Result<()> {
        let Some((workers, crew)) = self.wished_live() else {
            return Ok(());
        };
        let began = Instant::now();
        if workers != crew.workers() {
            if self.engine.reached().epochs == 0 {
                // Declared shifts come with the first epoch, and are read once.
                return Ok(());
            }
            if self.engine.cut(|_, _| {}).is_none() {
                // Whatever ended the workers is told when the run ends.
                return Ok(());
            }
            self.hand_over(workers)?;
            // Which homes changed since the last cut is not known of those that moved.
            keeping.checkpoints.begin_anew();
            self.ask_again_live();
            let took = began.elapsed();
            tracing::info!("{workers} workers from now on, after {took:.0?}");
        }
        crew.are(workers, began.elapsed());
        Ok(())
    }

    /// Takes a checkpoint. The dataflow stands still until it is known what belongs to it, and goes on while that is written, home by
    /// home, and brought to where it stays, unless it `ends` the run.
    pub(super) fn keep(&mut self, keeping: &Keeping, ends: bool) -> anyhow::Result<Kept> {
        let cut = Arc::new(keeping.checkpoints.begin());
        let parts = cut.clone();
        let see = move |worker: usize, state: &mut State| parts.keep(worker, state);
        let Some((reached, homes)) = self.stand(keeping, ends, see) else {
            return Ok(Kept::Over);
        };
        // Before its end is told, the source must stand where it can be read on, by a log that has grown, too.
        let apart = reached.closed || !reached.ended;
        let whole = reached.out == reached.epochs && apart && !self.stop.is_stopped();
        let asked = whole.then(|| self.start.rows.cut());
        self.engine.go_on();
        self.ask_again_live();
        if !reached.ended && !ends {
            let goal = keeping.goal(reached.epochs);
            self.engine.feed(goal.unwrap_or(Epoch::MAX));
        }
        let stood = self.engine.stood();
        self.still.push(stood);
        let Some(asked) = asked else {
            keeping.checkpoints.put_back(&cut);
            return Ok(Kept::Torn);
        };
        let Some((written, durable)) = asked.written() else {
            // Rows cannot be written; the run ends by that.
            return Ok(Kept::Over);
        };
        durable()?;
        let moment = Moment {
            identity: keeping.identity(),
            // What was said of the log's end has an epoch of its own.
            epochs: reached.epochs + u64::from(reached.closed && !self.past.closed),
            closed: reached.closed,
            lines: self.past.lines + reached.lines,
            told: self.past.told + reached.told,
            source: keeping.stood(reached.position)?,
            manner: self.manner.clone(),
            known: keeping.known,
            homes: keeping.homes_before(homes),
            catalogs: keeping.sums.last().copied().unwrap_or(0),
            written,
        };
        let began = Instant::now();
        if !cut.all_written() {
            return Ok(Kept::Over);
        }
        let took = stood + began.elapsed() / engine::SHARE;
        let began = Instant::now();
        self.end_cut(keeping, &cut, &moment, ends)?;
        Ok(Kept::Whole(took + began.elapsed()))
    }

    /// Has the dataflow stand still, and show what it holds; among other processes, as all of them do. How far it is, and how many homes
    /// are known to all, who may have read on; `None`: it goes no further.
    fn stand(
        &mut self,
        keeping: &Keeping,
        ends: bool,
        see: impl Fn(usize, &mut State) + Send + Sync + 'static,
    ) -> Option<(Reached, usize)> {
        let Some(peers) = keeping.peers() else {
            return Some((self.engine.cut(see)?, usize::MAX));
        };
        keeping.begins_cut();
        let leads = matches!(self.role(), Role::First(_));
        let meets = |reached: &Reached| {
            if leads {
                // All that was said to be an epoch is fed, by all.
                let decision = Decision { cuts: true, ends };
                peers.decide(reached.epochs, decision);
            }
            peers.meet(reached.epochs)
        };
        let reached = match self.share.is_whole() {
            true => self.engine.cut(see),
            false => self.engine.cut_among(see, meets),
        }?;
        // So that the rows which wait are of the same epochs in each part, and whoever goes on with them can append them.
        let own = (self.start.rows.open()?, keeping.homes.len() as u64);
        let (open, homes) = peers.open(reached.epochs, own)?;
        self.start.rows.open_from(&open);
        Some((reached, homes as usize))
    }

    /// Brings a cut to where it stays.
    fn end_cut(
        &mut self,
        keeping: &Keeping,
        cut: &Cut,
        moment: &Moment,
        ends: bool,
    ) -> anyhow::Result<()> {
        match keeping.checkpoints.end(cut, moment) {
            // The next one holds everything.
            Err(error @ CheckpointError::Unusable { .. }) => {
                tracing::warn!("{error}; a new one is made");
            }
            // It may come back, and the one before is still there.
            Err(error @ CheckpointError::File { .. })
                if !ends && keeping.checkpoints.are_remote() =>
            {
                tracing::warn!("{error}; the run goes on without this checkpoint");
                return Ok(());
            }
            ended => {
                self.kept_bytes += ended?;
                self.cut_live(&moment.written.positions);
                self.drop_live(&keeping.checkpoints);
            }
        }
        let fed = moment.source.position.offset;
        self.kept_live(fed, &keeping.checkpoints);
        Ok(())
    }
}

/// What became of a checkpoint.
pub(super) enum Kept {
    /// It is there, and took so long.
    Whole(Duration),
    /// It would have been none that a run can go on from.
    Torn,
    /// The dataflow goes no further: a worker has failed, or everything is out.
    Over,
}
