//! `hearth support`: what one gives to somebody who is to find out what is wrong. Figures, and no word of any home.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::Context;
use clap::Args;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::checkpoint::{CheckpointError, Checkpoints, Place, Shown, ShownOperator};
use crate::config::UsageError;
use crate::disk::Disk;
use crate::machine::{Machine, versions};
use crate::outputs::{Stream, inbox_path, is_inbox, summary_path};

/// Print what helps to find out what is wrong, without a word of any home
///
/// JSON, to be read before it is sent: versions, the machine, how the run was accounted for and where its time went, how large its
/// files are, what its checkpoints hold by operator, and, of a run that goes on, its measures. Names of homes, devices and files,
/// behaviours, notes, addresses and secrets are not in it.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Examples:
  hearth support out > support.json
  hearth support live --address 127.0.0.1:8470 > support.json")]
pub struct SupportArgs {
    /// Output folder of a run
    #[arg(value_name = "DIR")]
    pub out: PathBuf,

    /// Where the run listens that goes on with this folder, on this machine
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub address: Option<std::net::SocketAddr>,
}

/// How long a run that goes on may take to tell its measures.
const PATIENCE: Duration = Duration::from_secs(5);

/// What of a summary is figures by names that are Hearth's own.
const FIGURES: [&str; 27] = [
    "adaptations",
    "alarms",
    "candidates",
    "drifts",
    "drifts_adapted",
    "erasures",
    "events",
    "events_per_second",
    "failures",
    "feedback",
    "homes",
    "interrupted",
    "lines",
    "peak_rss_bytes",
    "rejected_contexts",
    "representatives",
    "requests",
    "scores",
    "seconds",
    "seed",
    "segments",
    "timings",
    "transitions",
    "undone",
    "verdicts",
    "version",
    "workers",
];

#[derive(Serialize)]
struct Support {
    versions: BTreeMap<&'static str, String>,
    machine: Machine,
    /// Of the last run that came to its end here.
    summary: Option<Map<String, Value>>,
    /// How many notes that run has for a person.
    notes: usize,
    files: BTreeMap<String, Size>,
    /// Of the newest cut.
    checkpoints: Option<Kept>,
    /// Why what there may be of checkpoints is not shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    checkpoints_unusable: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    measures: Option<BTreeMap<String, f64>>,
}

#[derive(Serialize)]
struct Size {
    bytes: u64,
    /// Since it was last written.
    seconds_ago: u64,
}

#[derive(Serialize)]
struct Kept {
    cuts: usize,
    epochs: u64,
    lines: u64,
    bytes: u64,
    operators: Vec<ShownOperator>,
}

/// Runs the command.
///
/// # Errors
/// There is no such folder ([`UsageError`]), it cannot be read, or the run does not answer.
pub fn run(arguments: &SupportArgs) -> anyhow::Result<()> {
    let out = &arguments.out;
    if !out.is_dir() {
        let reason = format!("{} is no folder; give a run's --out", out.display());
        return Err(UsageError(reason).into());
    }
    let summary = summary(&summary_path(out));
    let notes = summary
        .as_ref()
        .and_then(|all| all.get("notes")?.as_array());
    let (checkpoints, checkpoints_unusable) = kept(out);
    let support = Support {
        versions: versions(),
        machine: Machine::here(),
        notes: notes.map_or(0, Vec::len),
        summary: summary.map(figures),
        files: files(out)?,
        checkpoints,
        checkpoints_unusable,
        measures: arguments.address.map(measures).transpose()?,
    };
    let text = serde_json::to_string_pretty(&support)?;
    Ok(writeln!(io::stdout(), "{text}")?)
}

fn summary(path: &Path) -> Option<Map<String, Value>> {
    serde_json::from_slice(&std::fs::read(path).ok()?).ok()
}

/// What is figures by Hearth's own names.
fn figures(summary: Map<String, Value>) -> Map<String, Value> {
    let ours = summary
        .into_iter()
        .filter(|(name, _)| FIGURES.contains(&&**name));
    ours.collect()
}

/// The files of the folder by what they are; those that are not Hearth's together.
fn files(out: &Path) -> anyhow::Result<BTreeMap<String, Size>> {
    let cannot = || format!("cannot read {}", out.display());
    let mut files = BTreeMap::new();
    for entry in std::fs::read_dir(out).with_context(cannot)? {
        let entry = entry.with_context(cannot)?;
        let data = entry.metadata().with_context(cannot)?;
        if !data.is_file() {
            continue;
        }
        let written = data.modified().unwrap_or(SystemTime::UNIX_EPOCH);
        let ago = written.elapsed().unwrap_or_default().as_secs();
        let file = files.entry(kind(&entry.path())).or_insert(Size {
            bytes: 0,
            seconds_ago: ago,
        });
        file.bytes += data.len();
        file.seconds_ago = file.seconds_ago.min(ago);
    }
    Ok(files)
}

fn kind(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let stem = name.split('.').next().unwrap_or_default();
    let is_stream = Stream::ALL.iter().any(|stream| stream.name() == stem);
    match is_stream || summary_path(Path::new("")).as_os_str() == &*name {
        true => name.into_owned(),
        false if is_inbox(path) => inbox_path(Path::new("")).display().to_string(),
        false => "others".to_owned(),
    }
}

fn kept(out: &Path) -> (Option<Kept>, Option<String>) {
    let shown = || {
        let place = Place::left_in(&Disk::real(), out)?;
        let checkpoints = Checkpoints::at_place(&Disk::real(), &place)?;
        let any = checkpoints.exist()?;
        any.then(|| checkpoints.show()).transpose()
    };
    let Shown {
        cuts, operators, ..
    } = match shown() {
        Ok(Some(shown)) => shown,
        Ok(None) => return (None, None),
        Err::<_, CheckpointError>(_) => return (None, Some("see hearth state verify".to_owned())),
    };
    let newest = cuts.last();
    let kept = newest.map(|cut| Kept {
        cuts: cuts.len(),
        epochs: cut.epochs,
        lines: cut.lines,
        bytes: cut.parts.iter().map(|part| part.bytes).sum(),
        operators,
    });
    (kept, None)
}

/// What a run that goes on tells of itself.
fn measures(address: std::net::SocketAddr) -> anyhow::Result<BTreeMap<String, f64>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let asked = async {
        let client = reqwest::Client::builder().no_proxy().timeout(PATIENCE);
        let url = format!("http://{address}/metrics");
        let answer = client.build()?.get(url).send().await?;
        answer.error_for_status()?.text().await
    };
    let text = runtime.block_on(asked);
    let text = text.with_context(|| format!("the run at {address} does not tell its measures"))?;
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let values = lines.filter_map(|line| {
        let (name, value) = line.rsplit_once(' ')?;
        Some((name.to_owned(), value.parse().ok()?))
    });
    Ok(values.collect())
}
