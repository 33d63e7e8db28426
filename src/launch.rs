//! `hearth launch`: a replay by several processes of this machine, from their start to one output folder.

use std::ffi::{OsStr, OsString};
use std::io::{self, Write};
use std::net::TcpListener;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Args;
use tempfile::NamedTempFile;

use crate::config::UsageError;
use crate::merge;
use crate::stop::Stop;

/// Between two looks at the processes.
const LOOK: Duration = Duration::from_millis(20);

/// How long the others may take to notice that one has ended.
const NOTICE: Duration = Duration::from_secs(15);

/// Where a process keeps its checkpoints, if no argument says so.
const STATE: &str = "HEARTH_STATE";

/// Run a replay by several processes of this machine
///
/// Starts them, each with its share of the homes, waits for all, and merges what they wrote. If one fails, all end.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Examples:
  hearth launch --processes 3 -- replay events.jsonl --contexts contexts.jsonl --out out")]
pub struct LaunchArgs {
    /// How many
    #[arg(long, value_name = "NUMBER")]
    pub processes: NonZeroUsize,

    /// replay, with all its arguments
    #[arg(last = true, required = true, value_name = "COMMAND")]
    pub command: Vec<OsString>,
}

/// Runs the command.
///
/// # Errors
/// It is no replay; a process fails, or the run is interrupted; what they wrote cannot be merged.
pub fn run(args: &LaunchArgs, stop: &Stop) -> anyhow::Result<()> {
    let _heeded = stop.heed();
    let Launched { out, compact, rest } = split(&args.command)?;
    let parts = out.join(".hearth.parts");
    let dir = |process: usize| parts.join(format!("process-{process}"));
    let hosts = hosts(args.processes.get()).context("no ports of this machine are to be had")?;
    std::fs::create_dir_all(&parts)
        .with_context(|| format!("cannot create {}", parts.display()))?;
    let mut processes = Processes(Vec::new());
    for process in 0..args.processes.get() {
        let (dir, state) = (dir(process), parts.join("state"));
        let child = start(&rest, hosts.path(), process, (&dir, &state));
        let child = child.with_context(|| format!("process {process} cannot be started"))?;
        processes.0.push((child, None));
    }
    processes.wait(stop)?;
    let dirs = merge::processes(&dir(0))?.into_iter().map(dir);
    let mut whole = merge::merge(&dirs.collect::<Vec<_>>(), &out, &[])?;
    if compact {
        merge::compact(&mut whole, &out)?;
    }
    merge::write(&whole, &out)?;
    let removed = std::fs::remove_dir_all(&parts);
    removed.with_context(|| format!("cannot remove {}", parts.display()))?;
    Ok(writeln!(io::stdout(), "{}", merge::told(&whole, &out))?)
}

/// A replay that is launched.
#[derive(Debug, PartialEq)]
struct Launched {
    out: PathBuf,
    /// Whether the whole is to hold only what stands: no part says that.
    compact: bool,
    /// The other arguments, of each process.
    rest: Vec<OsString>,
}

/// Takes the arguments of a replay apart.
fn split(command: &[OsString]) -> Result<Launched, UsageError> {
    let refuse = |problem: &str| UsageError(problem.to_owned());
    let Some((_, arguments)) = command.split_first().filter(|(name, _)| *name == "replay") else {
        return Err(refuse(
            "what is launched is a replay: hearth launch --processes 2 -- replay LOG --out DIR; processes of a live run are started one by \
             one, each with its own --listen: hearth run --hosts FILE --process I",
        ));
    };
    let (mut out, mut compact, mut rest) = (None, false, Vec::new());
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        let text = argument.to_string_lossy();
        if argument == "--out" {
            out = arguments.next().map(PathBuf::from);
        } else if let Some(dir) = text.strip_prefix("--out=") {
            out = Some(dir.into());
        } else if argument == "--compact" {
            compact = true;
        } else if ["--hosts", "--process"]
            .iter()
            .any(|own| text.split('=').next() == Some(own))
        {
            return Err(refuse(
                "--hosts and --process are for processes that are started one by one",
            ));
        } else {
            rest.push(argument.clone());
        }
    }
    match out {
        Some(out) => Ok(Launched { out, compact, rest }),
        None => Err(refuse(
            "the replay has no --out DIR, into which all is merged",
        )),
    }
}

/// A hosts file of free ports.
fn hosts(processes: usize) -> io::Result<NamedTempFile> {
    // All are held at once, so that they differ.
    let listeners = (0..processes).map(|_| TcpListener::bind("127.0.0.1:0"));
    let listeners: Vec<TcpListener> = listeners.collect::<Result<_, _>>()?;
    let mut file = NamedTempFile::new()?;
    for listener in &listeners {
        writeln!(file, "{}", listener.local_addr()?)?;
    }
    file.flush()?;
    Ok(file)
}

fn start(
    rest: &[OsString],
    hosts: &Path,
    process: usize,
    (out, state): (&Path, &Path),
) -> io::Result<Child> {
    let number = process.to_string();
    let own: [&OsStr; 6] = [
        "--hosts".as_ref(),
        hosts.as_ref(),
        "--process".as_ref(),
        number.as_ref(),
        "--out".as_ref(),
        out.as_ref(),
    ];
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("replay").args(own).args(rest);
    command.stdin(Stdio::null()).stdout(Stdio::null());
    if std::env::var_os(STATE).is_none() {
        // In one place, so that any number of processes goes on from it. An argument precedes it.
        command.env(STATE, state);
    }
    #[cfg(unix)]
    {
        use std::os::unix::process::CommandExt;
        // Ctrl-C reaches them by this process, once.
        command.process_group(0);
    }
    command.spawn()
}

/// Processes that are not left behind.
struct Processes(Vec<(Child, Option<ExitStatus>)>);

impl Processes {
    /// Waits until all have ended. If one fails the others are given some time to notice.
    fn wait(&mut self, stop: &Stop) -> anyhow::Result<()> {
        let (mut failed, mut told) = (None, false);
        loop {
            for (process, (child, status)) in self.0.iter_mut().enumerate() {
                if status.is_none() {
                    *status = child.try_wait()?;
                    if let Some(status) = status.filter(|status| !status.success()) {
                        failed.get_or_insert((process, status, Instant::now()));
                    }
                }
            }
            if self.0.iter().all(|(_, status)| status.is_some()) {
                break;
            }
            if stop.is_interrupted() && !std::mem::replace(&mut told, true) {
                self.interrupt();
            }
            if failed.is_some_and(|(.., since)| since.elapsed() > NOTICE) {
                break;
            }
            std::thread::sleep(LOOK);
        }
        match failed {
            None => Ok(()),
            Some(_) if told => anyhow::bail!("interrupted"),
            // Refused before any work: why, the process itself has said.
            Some((process, status, _)) if status.code() == Some(2) => {
                Err(UsageError(format!("process {process} was refused, and with it all")).into())
            }
            Some((process, status, _)) => {
                anyhow::bail!("process {process} failed ({status}), and with it all")
            }
        }
    }

    /// Has each be told what this process was.
    fn interrupt(&self) {
        let left = self.0.iter().filter(|(_, status)| status.is_none());
        for (child, _) in left {
            let id = child.id().to_string();
            // Where that cannot be said they end with the first one that is killed.
            let _ = Command::new("kill").args(["-INT", &id]).status();
        }
    }
}

impl Drop for Processes {
    fn drop(&mut self) {
        for (child, status) in &mut self.0 {
            if status.is_none() {
                // One that has ended by now takes no signal.
                let _ = child.kill();
                let _ = child.wait();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split_line(line: &str) -> Result<Launched, String> {
        let words: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
        split(&words).map_err(|error| error.to_string())
    }

    #[test]
    fn the_output_folder_is_taken_out() {
        for (line, compact) in [
            ("replay a --out o --seed 3", false),
            ("replay a --seed 3 --compact --out=o", true),
        ] {
            let launched = Launched {
                out: "o".into(),
                compact,
                rest: ["a", "--seed", "3"].map(OsString::from).into(),
            };
            assert_eq!(split_line(line).unwrap(), launched);
        }
    }

    #[test]
    fn what_is_no_replay_of_its_own_is_refused() {
        for (line, word) in [
            ("show out", "is a replay"),
            ("replay a", "--out"),
            ("replay a --out o --hosts=h", "one by one"),
            ("replay a --out o --process 1", "one by one"),
        ] {
            let refused = split_line(line).unwrap_err();
            assert!(refused.contains(word), "{refused}");
        }
    }
}
