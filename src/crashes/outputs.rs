//! What a run left, as far as runs of one log must agree in it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::household::{BUDGET, OUT, cassette};
use crate::config::Money;
use crate::disk::simulated::Simulated;
use crate::outputs::{Stream, state_path, summary_path};

/// What each file holds, in lines that are sorted where their order depends on the workers' timing.
pub type Outputs = BTreeMap<String, Vec<String>>;

/// What of a summary is the run's own.
const OWN: [&str; 6] = [
    "workers",
    "seconds",
    "events_per_second",
    "peak_rss_bytes",
    "timings",
    "llm",
];

/// All files but the lock, checkpoints and what was recorded of calls.
pub fn outputs(disk: &Simulated) -> Outputs {
    let mut outputs = Outputs::new();
    for (path, bytes) in disk.files(Path::new(OUT)) {
        let is_state = path.starts_with(state());
        if is_state || path.starts_with(cassette()) || path.ends_with(".hearth.lock") {
            continue;
        }
        let name = whole(&path).display().to_string();
        let found = if name.ends_with("summary.json") {
            vec![counts(&bytes)]
        } else if name.contains(".jsonl") {
            let bytes = match name.ends_with(".zst") {
                true => zstd::decode_all(&bytes[..]).unwrap_or_default(),
                false => bytes,
            };
            let text = String::from_utf8_lossy(&bytes);
            text.split_inclusive('\n').map(str::to_owned).collect()
        } else {
            vec![format!(
                "{} bytes, sum {:08x}",
                bytes.len(),
                crc32fast::hash(&bytes)
            )]
        };
        let lines: &mut Vec<String> = outputs.entry(name).or_default();
        lines.extend(found);
        lines.sort_unstable();
    }
    outputs
}

/// The name of the stream's file to which one belongs that is sealed: which are hangs on when checkpoints are taken.
fn whole(path: &Path) -> PathBuf {
    let out = Path::new(OUT);
    let of = |stream: Stream| {
        let sealed = stream.sealed_among(vec![path.to_owned()]).pop()?;
        Some((stream, sealed.packed))
    };
    match Stream::ALL.into_iter().find_map(of) {
        Some((stream, true)) => stream.packed_path(out),
        Some((stream, false)) => stream.path(out),
        None => path.to_owned(),
    }
}

/// Whether streams are in several files.
pub fn rolls(disk: &Simulated) -> bool {
    let files = disk.files(Path::new(OUT));
    files.iter().any(|(path, _)| whole(path) != *path)
}

/// Whether it says that its outputs are complete.
pub fn is_complete(disk: &Simulated) -> bool {
    disk.kind(&summary_path(Path::new(OUT))).is_some()
}

/// Where checkpoints are.
pub fn state() -> PathBuf {
    state_path(Path::new(OUT))
}

/// How many checkpoints are left.
pub fn cuts(disk: &Simulated) -> usize {
    let names = disk.disk().list(&state()).unwrap_or_default();
    let cut = |path: &PathBuf| {
        let name = path.file_name().map(|name| name.to_string_lossy());
        name.is_some_and(|name| name.starts_with("cut-") && !name.contains('.'))
    };
    names.iter().filter(|path| cut(path)).count()
}

fn summary(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap_or_default()
}

fn counts(bytes: &[u8]) -> String {
    let mut summary = summary(bytes);
    if let Some(summary) = summary.as_object_mut() {
        OWN.iter().for_each(|own| drop(summary.remove(*own)));
    }
    summary.to_string()
}

/// How outputs differ, if they do.
pub fn differ(expected: &Outputs, found: &Outputs) -> Result<(), String> {
    let mut names: Vec<&String> = expected.keys().chain(found.keys()).collect();
    names.sort_unstable();
    names.dedup();
    for name in names {
        let (one, other) = match (expected.get(name), found.get(name)) {
            (Some(one), Some(other)) => (one, other),
            (Some(_), None) => return Err(format!("{name} is missing")),
            (None, _) => return Err(format!("{name} is too much")),
        };
        if one != other {
            let pairs = one.iter().zip(other);
            let at = pairs.take_while(|(one, other)| one == other).count();
            let line = |of: &[String]| {
                of.get(at)
                    .map(|line| line.chars().take(300).collect::<String>())
            };
            return Err(format!(
                "{name}: {} lines in place of {}; {:?} in place of {:?}",
                other.len(),
                one.len(),
                line(other),
                line(one)
            ));
        }
    }
    Ok(())
}

/// How many answers are recorded.
pub fn recorded(disk: &Simulated) -> usize {
    let files = disk.files(&cassette());
    let names = files.iter().map(|(path, _)| path.display().to_string());
    names.filter(|name| name.ends_with(".json.gz")).count()
}

/// Whether the ledger knows of as many calls as were made, and kept its budget.
pub fn spent(disk: &Simulated, calls: usize) -> Result<(), String> {
    let bytes = disk.read_at(&summary_path(Path::new(OUT)));
    let llm = &summary(&bytes)["llm"];
    let number = |value: &Value| value.as_u64().unwrap_or_default();
    let known = number(&llm["calls"]) + number(&llm["unaccounted"]["calls"]);
    if known < calls as u64 {
        return Err(format!(
            "{calls} calls were made, and the ledger knows of {known}"
        ));
    }
    let money = |text: &str| text.parse::<Money>().map_err(|error| error.to_string());
    let spent = money(llm["spent"].as_str().unwrap_or_default())?;
    if spent > money(BUDGET)? {
        return Err(format!("{spent} were spent of {BUDGET}"));
    }
    Ok(())
}
