//! A replay that several processes share.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context;
use hearth_operators::words::Epoch;

use super::among::place_of;
use super::checkpointing::{Keeping, TOGETHER, identity};
use super::feeding::Kept;
use super::{Replay, ReplayArgs};
use crate::checkpoint::Member;
use crate::cluster::{Cluster, Decision, Hello, Hosts, MeetError, Peers};
use crate::config::{Checkpointing, Synthesizer, UsageError};
use crate::sources;
use crate::stop::Stop;
use crate::summary::Part;

/// How often a process looks whether it was stopped.
const LOOK: Duration = Duration::from_millis(50);

/// The arguments of a process by itself: where all keep what they can go on from in one place, each has a part of it.
pub fn of_process(args: &ReplayArgs) -> ReplayArgs {
    let mut args = args.clone();
    if let (Some(process), Some(state)) = (args.cluster.process, &mut args.config.state) {
        *state = place_of(state, process);
    }
    args
}

/// Meets the other processes of a replay; `None`: there are none.
///
/// # Errors
/// What is asked for is nothing that processes can share; they do not meet.
pub fn meet(args: &ReplayArgs, stop: &Stop) -> anyhow::Result<Option<Cluster>> {
    meet_as(args, Command::Replay, None, stop)
}

/// Meets the other processes of a live run, whose inbox the first one has, and who agree on something more; `None`: there are none.
///
/// # Errors
/// What is asked for is nothing that processes can share; they do not meet.
pub fn meet_live(
    args: &ReplayArgs,
    more: (String, String),
    stop: &Stop,
) -> anyhow::Result<Option<Cluster>> {
    meet_as(args, Command::Run, Some(more), stop)
}

/// What is shared.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Command {
    Replay,
    Run,
}

fn meet_as(
    args: &ReplayArgs,
    command: Command,
    more: Option<(String, String)>,
    stop: &Stop,
) -> anyhow::Result<Option<Cluster>> {
    let (Some(file), Some(process)) = (&args.cluster.hosts, args.cluster.process) else {
        return Ok(None);
    };
    let hosts = Hosts::read(file)?;
    if process >= hosts.len() {
        let (file, all) = (file.display(), hosts.len());
        let problem = format!("--process {process} is none of the {all} of {file}, counted from 0");
        return Err(UsageError(problem).into());
    }
    let workers = args.config.workers.get();
    let hello = |args| {
        let mut traits = traits(args, command)?;
        traits.extend(more);
        Ok::<_, anyhow::Error>(Hello::new(process, hosts.len(), workers, traits))
    };
    let hello = match command {
        Command::Replay => {
            refuse(args)?;
            args.check()?;
            hello(args)?
        }
        Command::Run => {
            refuse_live(args)?;
            // The inbox is none of the files that are given.
            let files = ReplayArgs {
                logs: Vec::new(),
                ..args.clone()
            };
            files.check()?;
            hello(&files)?.of_live_run()
        }
    };
    match Cluster::meet(&hosts, &hello, stop) {
        Ok(cluster) => {
            tracing::info!("all {} processes are there", hosts.len());
            Ok(Some(cluster))
        }
        Err(error @ (MeetError::Listen { .. } | MeetError::Another { .. })) => {
            Err(UsageError(error.to_string()).into())
        }
        Err(error) => Err(error.into()),
    }
}

/// Refuses what processes cannot share.
fn refuse(args: &ReplayArgs) -> Result<(), UsageError> {
    let config = &args.config;
    for log in args.logs.iter().filter(|log| log.as_os_str() != "-") {
        std::fs::metadata(log).map_err(|error| {
            UsageError(format!("cannot read the log {}: {error}", log.display()))
        })?;
    }
    let stays = |log: &PathBuf| log.as_os_str() != "-" && (log.is_file() || log.is_dir());
    let problem = if !args.logs.iter().all(stays) {
        "each process reads the whole log, so it must be files that each of them has: no standard input and no pipe"
    } else if config.epoch_interval.of(false).is_some() {
        "an epoch must be the same lines on each process, so that --epoch-interval cannot close it by the clock"
    } else if config.synthesizer == Synthesizer::Openai || args.dry_run || args.explain {
        "a language model is asked, and paid for, by one process; replay without --hosts, or with another --synthesizer"
    } else if args.compact {
        "what stands is known of the whole alone, so that --compact is for hearth merge, not for each process"
    } else {
        return Ok(());
    };
    Err(UsageError(problem.to_owned()))
}

/// Refuses what processes cannot share of a live run.
fn refuse_live(args: &ReplayArgs) -> Result<(), UsageError> {
    let problem = if args.catalog.is_none() {
        "processes that share a live run do not learn devices and actions from what comes, for all would have to at the same moment: give \
         all of them a --catalog"
    } else if args.config.synthesizer == Synthesizer::Openai {
        "a language model is asked, and paid for, by one process; run without --hosts, or with another --synthesizer"
    } else {
        return Ok(());
    };
    Err(UsageError(problem.to_owned()))
}

impl Replay<'_> {
    /// Feeds the log to its end, and keeps on the way what all processes can go on from together: every so many epochs, at which
    /// they wait for each other, the first one says whether they do. Behind the log's end nothing is kept.
    pub(super) fn feed_among(&mut self, keeping: &Keeping, peers: &Peers) {
        let _keeps = self.stop.keep();
        let mut wait = keeping.wait(Duration::ZERO).unwrap_or(Duration::MAX);
        let mut last = Instant::now();
        let mut goal = self.engine.reached().epochs + TOGETHER;
        // Whether the log ends just at a goal not all have noticed, so it counts as one.
        while self.reach(goal) {
            let ends = self.stop.is_interrupted();
            let own = Decision {
                cuts: ends || last.elapsed() >= wait,
                ends,
            };
            let Some(decision) = peers.decide(goal, own) else {
                break;
            };
            if decision.cuts {
                match self.keep(keeping, decision.ends) {
                    Ok(Kept::Whole(took)) => wait = keeping.wait(took).unwrap_or(wait),
                    // Behind the next one.
                    Ok(Kept::Torn) => {}
                    Ok(Kept::Over) => break,
                    Err(error) => return self.stop.fail(error.to_string()),
                }
                last = Instant::now();
            }
            if decision.ends {
                // It may be another process that was interrupted.
                self.stop.end();
                return;
            }
            goal += TOGETHER;
        }
        while !self.stop.is_stopped() && !self.stop.is_interrupted() {
            if self.engine.end(LOOK) {
                return;
            }
        }
    }

    /// Feeds up to an epoch. Whether there are so many, and the run is not stopped.
    pub(super) fn reach(&mut self, goal: Epoch) -> bool {
        loop {
            let reached = self.engine.reach_within(goal, LOOK);
            if self.stop.is_stopped() || reached.is_at(goal) {
                return !self.stop.is_stopped() && reached.epochs >= goal;
            }
            if let Some(lacking) = self.fed.lacks_memory(reached.out == reached.epochs) {
                self.stop.fail(lacking);
            }
        }
    }
}

/// Which part of its run a process's outputs are.
///
/// # Errors
/// A file that the run reads cannot be read any more.
pub fn part(args: &ReplayArgs, member: &Member) -> anyhow::Result<Part> {
    part_as(args, Command::Replay, member)
}

/// The same of a live run.
///
/// # Errors
/// A file that the run reads cannot be read any more.
pub fn part_live(args: &ReplayArgs, member: &Member) -> anyhow::Result<Part> {
    part_as(args, Command::Run, member)
}

fn part_as(args: &ReplayArgs, command: Command, member: &Member) -> anyhow::Result<Part> {
    let of = format!("{:?}", traits(args, command)?);
    Ok(Part {
        process: member.process,
        processes: member.processes,
        of: format!("{:08x}", crc32fast::hash(of.as_bytes())),
        resting: member.resting.clone(),
        ended: None,
    })
}

/// What all processes must agree on, each with a name that a person understands.
fn traits(args: &ReplayArgs, command: Command) -> anyhow::Result<Vec<(String, String)>> {
    let mut traits = identity(args)?.traits;
    let keeps = args.config.checkpoint_every != Checkpointing::Off;
    traits.push((
        "--checkpoint-every (off, or not)".to_owned(),
        keeps.to_string(),
    ));
    if command == Command::Run {
        // Its log grows.
        return Ok(traits);
    }
    let logs = sources::expand(&args.logs).map_err(|error| UsageError(error.to_string()))?;
    let lengths: Vec<u64> = logs
        .iter()
        .map(|log| length(log))
        .collect::<Result<_, _>>()?;
    traits.push((
        "the log (its files or their lengths)".to_owned(),
        format!("{lengths:?}"),
    ));
    Ok(traits)
}

fn length(file: &Path) -> anyhow::Result<u64> {
    let data = std::fs::metadata(file);
    let data = data.with_context(|| format!("cannot read the log {}", file.display()))?;
    Ok(data.len())
}
