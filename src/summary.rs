//! The end of a run: `summary.json`, and the same for a person.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::disk::Disk;
use crate::finished::Finished;
use crate::memory::peak_rss;
use crate::outputs::{Counts, LlmSummary, Sayings, Stream, Undone, grouped, summary_path};
use crate::sinks::files::Folder;
use crate::sinks::{Positions, SinkError};

/// A file of a process's output folder that says whose part it holds.
const PART: &str = ".hearth.part";

/// What only the run itself knows.
#[derive(Clone, Debug)]
pub struct Run {
    /// Lines that the sources counted as events.
    pub read: u64,
    /// From the first line read to the last line written.
    pub elapsed: Duration,
    /// The configured seed.
    pub seed: u64,
    /// Worker threads.
    pub workers: usize,
    /// Whether the run was stopped before the end of its log.
    pub interrupted: bool,
    /// What it left, if it was stopped before everything was out.
    pub undone: Option<Undone>,
    /// Where the time went.
    pub timings: Timings,
}

/// Where the time of a run went.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Timings {
    /// Wall seconds until the last event was accounted for and its segments and transitions were out.
    pub ingest_seconds: f64,
    /// Events that were read while requests were on their way to an adaptation.
    pub events_during_adaptation: u64,
    /// Jobs beside the dataflow, by kind.
    pub work: BTreeMap<&'static str, Jobs>,
    /// What was kept to go on from; not there, where nothing was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checkpoints: Option<Cuts>,
}

/// Checkpoints that this run took.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Cuts {
    /// How many.
    pub taken: u64,
    /// Bytes that were written for them, when packed.
    pub bytes: u64,
    /// Seconds in which nothing was fed: half of them took no longer.
    pub still_seconds_median: f64,
    /// The longest.
    pub still_seconds_most: f64,
}

impl Cuts {
    /// From how long each stood still.
    pub fn of(mut still: Vec<std::time::Duration>, bytes: u64) -> Option<Self> {
        still.sort_unstable();
        Some(Cuts {
            taken: still.len() as u64,
            bytes,
            still_seconds_median: still.get(still.len() / 2)?.as_secs_f64(),
            still_seconds_most: still.last()?.as_secs_f64(),
        })
    }
}

/// Jobs of one kind.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Jobs {
    /// How many were done.
    pub jobs: u64,
    /// Their CPU seconds.
    pub cpu_seconds: f64,
}

/// Where each line of the input went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Events {
    /// Lines read.
    pub r#in: u64,
    /// Events that took part.
    pub applied: i64,
    /// Events that were there already.
    pub duplicate: u64,
    /// Events from before their home's horizon.
    pub late: u64,
    /// Lines that are no event, or one that cannot be true.
    pub rejected: u64,
    /// Events that were taken in and erased.
    pub erased: u64,
}

/// What became of them, without what cannot become of their kind.
fn told<S: serde::Serializer>(told: &Sayings, to: S) -> Result<S::Ok, S::Error> {
    let Sayings {
        applied,
        unknown,
        nothing,
        rejected,
    } = *told;
    let all = [
        ("applied", applied, true),
        ("unknown", unknown, unknown > 0),
        ("nothing", nothing, nothing > 0),
        ("rejected", rejected, true),
    ];
    let shown = all.into_iter().filter(|(_, _, shown)| *shown);
    to.collect_map(shown.map(|(name, count, _)| (name, count)))
}

/// The contents of `summary.json`.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// Version of Hearth.
    pub version: &'static str,
    /// The configured seed.
    pub seed: u64,
    /// Worker threads.
    pub workers: usize,
    /// Where each line of the input went.
    pub events: Events,
    /// Declared shifts that could not be used.
    pub rejected_contexts: u64,
    /// Feedback to alarms.
    #[serde(serialize_with = "told")]
    pub feedback: Sayings,
    /// Erasures.
    #[serde(serialize_with = "told")]
    pub erasures: Sayings,
    /// Homes with at least one segment, also one that is open and scored.
    pub homes: u64,
    /// Segments that hold at the end.
    pub segments: i64,
    /// Transitions that hold at the end.
    pub transitions: i64,
    /// Representatives that hold at the end.
    pub representatives: i64,
    /// Requests made.
    pub requests: u64,
    /// Requests that got no answer.
    pub failures: u64,
    /// Generated sequences that passed validation.
    pub candidates: u64,
    /// What became of the generated sequences.
    pub verdicts: Verdicts,
    /// What became of model versions.
    pub adaptations: Adaptations,
    /// Scores written, and how many of them call an anomaly.
    pub scores: Scores,
    /// Alarms that stand.
    pub alarms: i64,
    /// Shifts found that nobody declared.
    pub drifts: u64,
    /// Those of them that ended a regime.
    pub drifts_adapted: u64,
    /// What a language model was asked, and for how much.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub llm: Option<LlmSummary>,
    /// What a person should know of the input, with the remedy.
    pub notes: Vec<String>,
    /// Whether the run was stopped before the end of its log.
    pub interrupted: bool,
    /// What it left, if it was stopped before everything was out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub undone: Option<Undone>,
    /// Where the time went.
    pub timings: Timings,
    /// Wall time of the run in seconds.
    pub seconds: f64,
    /// Lines read a second of wall time.
    pub events_per_second: f64,
    /// Most memory that the process held, in bytes, where the system tells.
    pub peak_rss_bytes: Option<u64>,
    /// Of which run this is the whole; missing where it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<Finished>,
    /// Of a run by several processes: which part this is; missing where it is the whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub part: Option<Part>,
    /// Lines of each output file.
    pub lines: BTreeMap<Stream, u64>,
}

/// Verdicts by the stage that decided: `{"1": 40, "2": 3}`; stage 0 is validation.
#[derive(Clone, Debug, Serialize)]
pub struct Verdicts {
    /// Sequences that the models learn from.
    pub retain: BTreeMap<u8, u64>,
    /// Sequences that were dropped.
    pub delete: BTreeMap<u8, u64>,
}

/// Which part of a run an output is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Of which process, from 0.
    pub process: usize,
    /// How many processes the run had in the end.
    pub processes: usize,
    /// A sum of what all parts of a run have in common.
    pub of: String,
    /// Outputs of processes that it had earlier, and how far these are parts of it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub resting: BTreeMap<usize, Positions>,
    /// Of a live run that has ended: when that was, which is the same for all parts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<LiveEnd>,
}

/// When a live run ended that several processes share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveEnd {
    /// Behind how many epochs.
    pub epochs: u64,
    /// In which life of the run.
    pub life: u64,
}

impl Part {
    /// Has a folder say whose part it holds, also while it has no summary.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn note(&self, disk: &Disk, dir: &Path) -> std::io::Result<()> {
        disk.replace(&dir.join(PART), &serde_json::to_vec(self)?)
    }

    /// Whose part a folder holds; `None`: it is no part.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn noted(disk: &Disk, dir: &Path) -> std::io::Result<Option<Self>> {
        let note = dir.join(PART);
        match disk.kind(&note) {
            None => Ok(None),
            Some(_) => Ok(Some(serde_json::from_slice(&disk.read(&note)?)?)),
        }
    }
}

/// What became of model versions.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Adaptations {
    /// Homes with at least one new version.
    pub homes: u64,
    /// Versions that went live.
    pub promoted: u64,
    /// Versions that proved better than the one before, or stayed for want of data.
    pub kept: u64,
    /// Versions that proved worse and were taken back.
    pub rolled_back: u64,
}

/// What the live models said.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Scores {
    /// Scores written, repeated ones included.
    pub written: u64,
    /// Those that call an anomaly.
    pub anomalies: u64,
}

impl Summary {
    /// Puts together what the writer counted and what the run knows.
    pub fn new(counts: &Counts, run: &Run, llm: Option<LlmSummary>) -> Self {
        let seconds = run.elapsed.as_secs_f64();
        Summary {
            version: env!("CARGO_PKG_VERSION"),
            seed: run.seed,
            workers: run.workers,
            events: Events {
                r#in: run.read,
                applied: counts.applied,
                duplicate: counts.duplicate,
                late: counts.late,
                rejected: counts.rejected,
                erased: counts.erased,
            },
            rejected_contexts: counts.rejected_contexts,
            feedback: counts.feedback,
            erasures: counts.erasures,
            homes: counts.homes,
            segments: counts.segments,
            transitions: counts.transitions,
            representatives: counts.representatives,
            requests: counts.requests,
            failures: counts.failures,
            candidates: counts.candidates,
            verdicts: Verdicts {
                retain: counts.retained.clone(),
                delete: counts.deleted.clone(),
            },
            adaptations: Adaptations {
                homes: counts.adapted_homes,
                promoted: counts.promoted,
                kept: counts.kept,
                rolled_back: counts.rolled_back,
            },
            scores: Scores {
                written: counts.scores,
                anomalies: counts.anomalies,
            },
            alarms: counts.alarms,
            drifts: counts.drifts,
            drifts_adapted: counts.drifts_adapted,
            llm,
            notes: Vec::new(),
            interrupted: run.interrupted,
            undone: run.undone.clone(),
            timings: run.timings.clone(),
            seconds,
            events_per_second: if seconds > 0.0 {
                run.read as f64 / seconds
            } else {
                0.0
            },
            peak_rss_bytes: peak_rss(),
            run: None,
            part: None,
            lines: counts.lines.clone(),
        }
    }

    /// Whether every line of the input is accounted for: `in = applied + duplicate + late + rejected + erased`, and what a
    /// stopped run left.
    pub fn balanced(&self) -> bool {
        let Events {
            r#in,
            applied,
            duplicate,
            late,
            rejected,
            erased,
        } = self.events;
        let left = self.undone.as_ref().map_or(0, |undone| undone.lines);
        let others = duplicate + late + rejected + erased + left;
        others.checked_add_signed(applied) == Some(r#in)
    }

    /// Writes `summary.json` into the folder.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&self, folder: &Folder) -> Result<(), SinkError> {
        let path = summary_path(folder.path());
        let text = serde_json::to_string_pretty(self).map_err(std::io::Error::from);
        text.and_then(|text| folder.disk().replace(&path, (text + "\n").as_bytes()))
            .map_err(|source| SinkError::Write { path, source })
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.show_input(f)?;
        self.show_collections(f)?;
        self.show_synthesis(f)?;
        self.show_models(f)?;
        let memory = self.peak_rss_bytes.map_or(String::new(), |bytes| {
            format!(", at most {} MiB of memory", grouped(bytes >> 20))
        });
        let rate = grouped(self.events_per_second as u64);
        write!(f, "{:.1} s, {rate} events/s{memory}", self.seconds)
    }
}

impl Summary {
    fn show_input(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let events = self.events;
        let sign = if self.balanced() { "=" } else { "≠" };
        let mut account = format!(
            "{sign} {} applied + {} duplicate + {} late + {} rejected",
            grouped(events.applied.max(0).cast_unsigned()),
            grouped(events.duplicate),
            grouped(events.late),
            grouped(events.rejected)
        );
        if events.erased > 0 {
            account += &format!(" + {} erased", grouped(events.erased));
        }
        row(f, "events", events.r#in, &account)?;
        self.show_sayings(f)?;
        if self.rejected_contexts > 0 {
            let note = "could not be used, see rejected.jsonl";
            row(f, "contexts", self.rejected_contexts, note)?;
        }
        row(f, "homes", self.homes, "")
    }

    fn show_sayings(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Sayings {
            applied,
            unknown,
            rejected,
            ..
        } = self.feedback;
        if self.feedback.all() > 0 {
            let note = format!(
                "{} applied, {} to alarms that do not stand (feedback.jsonl), {} rejected",
                grouped(applied),
                grouped(unknown),
                grouped(rejected)
            );
            row(f, "feedback", self.feedback.all(), &note)?;
        }
        let Sayings {
            applied,
            nothing,
            rejected,
            ..
        } = self.erasures;
        if self.erasures.all() > 0 {
            let note = format!(
                "{} applied, {} of what was never there (erasures.jsonl), {} rejected",
                grouped(applied),
                grouped(nothing),
                grouped(rejected)
            );
            row(f, "erasures", self.erasures.all(), &note)?;
        }
        Ok(())
    }

    fn show_collections(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, net) in [
            ("segments", self.segments),
            ("transitions", self.transitions),
            ("representatives", self.representatives),
        ] {
            let note = if net < 0 { "below zero!" } else { "" };
            row(f, name, net.unsigned_abs(), note)?;
        }
        Ok(())
    }

    fn show_synthesis(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let failures = match self.failures {
            0 => String::new(),
            failed => format!("{} without an answer", grouped(failed)),
        };
        row(f, "requests", self.requests, &failures)?;
        if let Some(llm) = &self.llm {
            writeln!(f, "{llm}")?;
        }
        let Verdicts { retain, delete } = &self.verdicts;
        let invalid = delete.get(&0).copied().unwrap_or(0);
        let valid = grouped(self.candidates);
        let note = format!("generated, {valid} of them valid candidates");
        row(f, "sequences", self.candidates + invalid, &note)?;
        for (name, by_stage) in [("  retained", retain), ("  deleted", delete)] {
            row(f, name, by_stage.values().sum(), &stages(by_stage))?;
        }
        Ok(())
    }

    fn show_models(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Adaptations {
            homes,
            promoted,
            kept,
            rolled_back,
        } = self.adaptations;
        let versions = format!(
            "model versions: {} promoted, {} kept, {} rolled back",
            grouped(promoted),
            grouped(kept),
            grouped(rolled_back)
        );
        row(f, "adapted homes", homes, &versions)?;
        let anomalies = grouped(self.scores.anomalies);
        let drifts = match self.drifts_adapted {
            0 => format!("{} drifts", grouped(self.drifts)),
            adapted => {
                let adapted = grouped(adapted);
                format!("{} drifts, {adapted} adapted to", grouped(self.drifts))
            }
        };
        let alarms = grouped(self.alarms.unsigned_abs());
        let note = format!("of which {anomalies} call an anomaly; {alarms} alarms, {drifts}");
        row(f, "scores", self.scores.written, &note)?;
        let during = self.timings.events_during_adaptation;
        if during > 0 {
            row(
                f,
                "events",
                during,
                "were read while homes were being adapted",
            )?;
        }
        if let Some(undone) = &self.undone {
            writeln!(f, "{undone}")?;
        }
        for note in &self.notes {
            writeln!(f, "note: {note}")?;
        }
        Ok(())
    }
}

fn row(f: &mut fmt::Formatter<'_>, name: &str, count: u64, note: &str) -> fmt::Result {
    let line = format!("{name:<18}{:>15}  {note}", grouped(count));
    writeln!(f, "{}", line.trim_end())
}

fn stages(by_stage: &BTreeMap<u8, u64>) -> String {
    let name = |stage: &u8| match stage {
        0 => "by validation",
        1 => "as no outliers (stage 1)",
        _ => "after a trial (stage 2)",
    };
    let parts = by_stage
        .iter()
        .map(|(stage, count)| format!("{} {}", grouped(*count), name(stage)));
    parts.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run() -> Run {
        Run {
            read: 1_234_567,
            elapsed: Duration::from_secs(10),
            seed: 2024,
            workers: 2,
            interrupted: false,
            undone: None,
            timings: Timings::default(),
        }
    }

    #[test]
    fn the_sum_is_checked() {
        let mut counts = Counts {
            applied: 1_234_000,
            duplicate: 500,
            late: 60,
            rejected: 7,
            candidates: 31,
            retained: [(1, 28)].into(),
            deleted: [(0, 2), (2, 3)].into(),
            ..Counts::default()
        };
        let summary = Summary::new(&counts, &run(), None);
        assert!(summary.balanced());
        let text = summary.to_string();
        let line = "events                  1,234,567  \
                    = 1,234,000 applied + 500 duplicate + 60 late + 7 rejected";
        assert_eq!(text.lines().next(), Some(line));
        assert!(text.contains("10.0 s, 123,456 events/s"), "{text}");
        // What was generated is what was retained and deleted.
        assert!(
            text.contains(" 33  generated, 31 of them valid candidates\n"),
            "{text}"
        );
        assert!(
            text.contains(" 28  28 as no outliers (stage 1)\n"),
            "{text}"
        );
        assert!(
            text.contains(" 5  2 by validation, 3 after a trial (stage 2)\n"),
            "{text}"
        );
        counts.late = 61;
        assert!(!Summary::new(&counts, &run(), None).balanced());
    }

    #[test]
    fn json_has_the_documented_keys() {
        let counts = Counts {
            retained: [(1, 40), (2, 3)].into(),
            ..Counts::default()
        };
        let json = serde_json::to_value(Summary::new(&counts, &run(), None)).unwrap();
        assert_eq!(json["events"]["in"], 1_234_567);
        assert_eq!(json["verdicts"]["retain"]["2"], 3);
        assert_eq!(json["events_per_second"], 123_456.7);
        for key in [
            "segments",
            "transitions",
            "seconds",
            "peak_rss_bytes",
            "version",
        ] {
            assert!(json.get(key).is_some(), "{key}");
        }
    }
}
