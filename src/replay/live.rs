//! A replay of an inbox that is still written: it ends when the run does, or when the vocabulary is to grow; either way as its last
//! cut has it.

use std::time::Instant;

use super::checkpointing::{Before, Keeping};
use super::input::Input;
use super::tending::{Live, Tending};
use super::{Ground, Replay, ReplayArgs};
use crate::sinks::files::Folder;
use crate::stop::Stop;
use crate::summary::Summary;

/// Why a replay of an inbox ended.
pub(crate) enum Ends {
    /// It read a device or an action that is new; the next one knows it.
    Grown,
    /// The run is to end.
    Over(Box<Summary>),
}

/// Replays the inbox into the folder, from where the last cut has it, until the run is to end or something is to be learnt.
///
/// # Errors
/// A file or an option cannot be used; a line is rejected under `--strict`; a model or the disk fails; the accounting does not agree.
pub(crate) fn live(args: &ReplayArgs, live: &Live, folder: &Folder) -> anyhow::Result<Ends> {
    let began = Instant::now();
    let stop = Stop::default();
    let ground = Ground {
        disk: folder.disk().clone(),
        live: Some(live),
        ..Ground::default()
    };
    let mut input = Input::open(args, &ground.disk, Some(live))?;
    let mut keeping = Keeping::new(args, &input, folder, Some(live))?;
    let found = match keeping.before(args.fresh)? {
        Before::Found(found) => Some((*found, began)),
        Before::Complete | Before::Nothing => {
            if !live.has_begun() {
                keeping.begins_behind(folder)?;
            }
            None
        }
    };
    if !live.has_begun() {
        keeping.try_place()?;
    }
    let (first_pass, has_read) = (input.fleet.first_pass.take(), input.fleet.has_read);
    let mut replay = Replay::begin(args, input, (folder, &ground), (&stop, None), found)?;
    keeping.begin(first_pass.as_ref().filter(|_| has_read), None)?;
    live.leave(first_pass);
    replay.feed(&keeping);
    let grown = !live.is_ending() && replay.live.as_ref().is_some_and(Tending::is_lacking);
    live.abandons(replay.jobs_open());
    // Jobs that run are abandoned, and begun again by the replay that goes on.
    stop.stop();
    let mut ended = replay.finish()?;
    if let Some(failure) = stop.failure() {
        anyhow::bail!(
            "{failure}; what was done until then is in {}",
            args.out.display()
        );
    }
    std::mem::replace(&mut ended.outcome.source, Ok(()))?;
    anyhow::ensure!(
        ended.summary.balanced(),
        "the accounting does not agree: events were lost; this is a bug in Hearth"
    );
    if grown {
        live.gauges.vocabularies.inc();
        return Ok(Ends::Grown);
    }
    ended.summary.write(folder)?;
    Ok(Ends::Over(Box::new(ended.summary)))
}
