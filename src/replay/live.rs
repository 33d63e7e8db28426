//! A replay of an inbox that is still written: it ends when the run does, or when the vocabulary is to grow; either way as its last
//! cut has it.

use std::time::Instant;

use super::checkpointing::{Before, Keeping};
use super::input::Input;
use super::tending::{Live, Tending};
use super::{Ground, Replay, ReplayArgs, together};
use crate::cluster::Cluster;
use crate::sinks::files::Folder;
use crate::stop::Stop;
use crate::summary::{LiveEnd, Part, Summary};

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
    go_through(args, live, folder, (&Stop::default(), None))
}

/// The same together with other processes, which keep their checkpoints in the place `state`, if that is one for all. `stop` ends the
/// run of all.
///
/// # Errors
/// As [`live`]; or another process is lost.
pub(crate) fn live_among(
    args: &ReplayArgs,
    live: &Live,
    folder: &Folder,
    stop: &Stop,
    among: (&mut Cluster, Option<&str>),
) -> anyhow::Result<Box<Summary>> {
    match go_through(args, live, folder, (stop, Some(among)))? {
        Ends::Over(summary) => Ok(summary),
        Ends::Grown => {
            anyhow::bail!("something was learnt that was given; this is a bug in Hearth")
        }
    }
}

fn go_through(
    args: &ReplayArgs,
    live: &Live,
    folder: &Folder,
    (stop, among): (&Stop, Option<(&mut Cluster, Option<&str>)>),
) -> anyhow::Result<Ends> {
    let began = Instant::now();
    let ground = Ground {
        disk: folder.disk().clone(),
        live: Some(live),
        ..Ground::default()
    };
    let (cluster, state) = among.unzip();
    let mut input = Input::open(args, &ground.disk, Some(live))?;
    if let Some(cluster) = &cluster {
        input = input.shared(cluster.share());
    }
    let mut keeping = Keeping::new(args, &input, folder, Some(live))?
        .with_others(cluster.as_deref(), state.flatten());
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
    live.read_from(
        found
            .as_ref()
            .map(|(found, _)| found.moment.source.position),
    )?;
    let (first_pass, has_read) = (input.fleet.first_pass.take(), input.fleet.has_read);
    let part = keeping
        .member()
        .map(|member| together::part_live(args, member));
    let part = part.transpose()?;
    let life = keeping.member().map_or(0, |member| member.life);
    let mut replay = Replay::begin(args, input, (folder, &ground), (stop, cluster), found)?;
    keeping.begin(first_pass.as_ref().filter(|_| has_read), part.as_ref())?;
    live.leave(first_pass);
    replay.feed(&keeping);
    let grown = !live.is_ending() && replay.live.as_ref().is_some_and(Tending::is_lacking);
    live.abandons(replay.jobs_open());
    // Jobs that run are abandoned, and begun again by whoever goes on.
    stop.stop();
    let mut ended = replay.finish()?;
    if let Some(failure) = stop.failure() {
        anyhow::bail!(
            "{failure}; what was done until then is in {}",
            args.out.display()
        );
    }
    std::mem::replace(&mut ended.outcome.source, Ok(()))?;
    // It is where it was stopped that a live run ends.
    ended.summary.interrupted = false;
    let epochs = ended.outcome.reached.epochs;
    ended.summary.part = part.map(|part| Part {
        ended: Some(LiveEnd { epochs, life }),
        ..part
    });
    // What one of several processes has taken in may come to its end on another: of these the whole is checked.
    anyhow::ensure!(
        ended.summary.part.is_some() || ended.summary.balanced(),
        "the accounting does not agree: events were lost; this is a bug in Hearth"
    );
    if grown {
        live.gauges.vocabularies.inc();
        return Ok(Ends::Grown);
    }
    ended.summary.write(folder)?;
    Ok(Ends::Over(Box::new(ended.summary)))
}
