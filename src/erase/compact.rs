//! An output folder in which only what stands is left.

use std::borrow::Cow;
use std::collections::HashMap;
use std::hash::BuildHasher;
use std::path::{Path, PathBuf};

use anyhow::Context;
use foldhash::fast::FixedState;
use serde_json::Value;

use super::{What, erase, remove_models, rewrite};
use crate::disk::Disk;
use crate::first_pass;
use crate::kept;
use crate::outputs::{ErasureLine, Stream, read};

/// The streams that are collections.
const COLLECTIONS: [Stream; 4] = [
    Stream::Segments,
    Stream::Transitions,
    Stream::Representatives,
    Stream::Alarms,
];

/// Takes out of a folder's files what was erased in its run, and of collections what came and went: each line that is left stands, with
/// its count as `diff`. Gives the homes that were erased whole.
///
/// # Errors
/// A file cannot be read or rewritten.
pub fn compact(dir: &Path) -> anyhow::Result<Vec<String>> {
    let mut erasures = Vec::new();
    read::each(dir, Stream::Erasures, |text| {
        let line: ErasureLine<'_> = read::line(text)?;
        erasures.push(What {
            home: line.home.into_owned(),
            from: line.from.map(|from| from.time.0),
            to: line.to.map(|to| to.time.0),
            device: line.device.map(Cow::into_owned),
            before: Some(line.epoch),
        });
        Ok(())
    })?;
    for what in &erasures {
        erase(dir, what)?;
        if what.is_whole() {
            remove_models(dir, &what.home)?;
            kept::remove(dir, &what.home)?;
        }
    }
    for stream in COLLECTIONS {
        let files = stream.files(dir);
        consolidate(&files.with_context(|| format!("cannot read {}", dir.display()))?)?;
    }
    // Nothing goes on from here, and it names what was erased.
    first_pass::remove(&Disk::real(), dir)?;
    let whole = erasures.into_iter().filter(What::is_whole);
    Ok(whole.map(|what| what.home).collect())
}

/// What of a line is a datum: all but its epoch and diff.
fn datum(text: &str) -> anyhow::Result<(u64, i64)> {
    let mut line: Value = serde_json::from_str(text)?;
    let diff = line["diff"].as_i64().unwrap_or(0);
    if let Some(line) = line.as_object_mut() {
        line.remove("epoch");
        line.remove("diff");
    }
    let hash = FixedState::with_seed(0).hash_one(line.to_string());
    Ok((hash, diff))
}

/// Sums up a collection: of each datum the line that brought it in last stays, if it stands. In memory: 16 bytes a datum.
fn consolidate(files: &[PathBuf]) -> anyhow::Result<()> {
    let mut sums: HashMap<u64, (i64, u64), FixedState> = HashMap::default();
    let mut number = 0_u64;
    for path in files {
        read::each_line(path, |text| {
            number += 1;
            let (datum, diff) = datum(text)?;
            let (sum, last) = sums.entry(datum).or_default();
            *sum += diff;
            if diff > 0 {
                *last = number;
            }
            Ok(())
        })?;
    }
    number = 0;
    for path in files {
        rewrite::rewrite(path, |text, keep| {
            let Some(text) = text else { return Ok(()) };
            number += 1;
            let (datum, diff) = datum(text)?;
            let (sum, last) = sums.get(&datum).copied().unwrap_or_default();
            if sum == 0 || last != number {
                return Ok(());
            }
            if sum == diff {
                keep(text);
            } else {
                let old = format!("\"diff\":{diff},");
                keep(&text.replacen(&old, &format!("\"diff\":{sum},"), 1));
            }
            Ok(())
        })?;
    }
    Ok(())
}
