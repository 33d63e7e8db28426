//! What a measurement tells: the machine, the versions, every run, and the ratios of their medians.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::Context;
use serde::Serialize;

use super::adaptations::{self, Adaptation};
use super::latencies::{self, Latency};
use super::measure::Measured;
use super::plot::{self, Bar, Curve};
use super::values::median;
use crate::machine::{Machine, versions};
use crate::outputs::grouped;

/// What was measured where, as `--json` writes it.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Where.
    pub machine: Machine,
    /// Of Hearth and of what carries its dataflow.
    pub versions: BTreeMap<&'static str, String>,
    /// Every run, in the order in which they were made.
    pub runs: Vec<Run>,
    /// One median over another, by what it says.
    pub ratios: BTreeMap<String, f64>,
    /// How long events took, at what rate.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub latencies: Vec<Latency>,
    /// What a home's adaptation took.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub adaptations: Vec<Adaptation>,
}

/// A run.
#[derive(Clone, Debug, Serialize)]
pub struct Run {
    /// Which program, on what kind of log.
    pub what: String,
    /// Format of the log.
    pub input: String,
    /// Workers.
    pub workers: usize,
    /// Homes of the log.
    pub homes: u64,
    /// Lines of the log.
    pub events: u64,
    /// Of the whole process.
    pub cpu_seconds: f64,
    /// From the first line on.
    pub wall_seconds: f64,
    /// The most memory that was held.
    pub peak_rss_bytes: u64,
    /// Segments that hold at the end.
    pub segments: i64,
    /// Transitions that hold at the end.
    pub transitions: i64,
}

impl Run {
    /// What a process measured.
    pub fn new(what: String, input: &str, workers: usize, measured: &Measured) -> Self {
        Run {
            what,
            input: input.to_owned(),
            workers,
            homes: measured.homes,
            events: measured.events,
            cpu_seconds: measured.cpu_seconds,
            wall_seconds: measured.wall_seconds,
            peak_rss_bytes: measured.peak_rss_bytes,
            segments: measured.totals.segments,
            transitions: measured.totals.transitions,
        }
    }

    /// Runs of equal keys measure the same.
    fn key(&self) -> (&str, &str, usize, u64, u64) {
        (
            &self.what,
            &self.input,
            self.workers,
            self.homes,
            self.events,
        )
    }
}

impl Report {
    /// A report without a run, of this machine.
    pub fn new() -> Self {
        Report {
            machine: Machine::here(),
            versions: versions(),
            runs: Vec::new(),
            ratios: BTreeMap::new(),
            latencies: Vec::new(),
            adaptations: Vec::new(),
        }
    }

    /// The median over the runs that measure what `run` does.
    pub fn median(&self, run: &Run, of: impl Fn(&Run) -> f64) -> f64 {
        let same = self.runs.iter().filter(|other| other.key() == run.key());
        median(same.map(of).collect())
    }

    /// Prints the report as a table, and writes it as JSON and as a plot where that is asked for.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn publish(&self, json: Option<&Path>, svg: Option<&Path>) -> anyhow::Result<()> {
        print!("{}", self.table());
        let write = |file: &Path, text: String| {
            fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
        };
        if let Some(file) = json {
            write(file, serde_json::to_string_pretty(self)? + "\n")?;
        }
        if let Some(file) = svg {
            write(file, self.plot())?;
        }
        Ok(())
    }

    /// The report as an SVG: latencies by rate, CPU seconds by stage, or events a CPU second by program.
    fn plot(&self) -> String {
        let machine = &self.machine.cpu;
        if !self.latencies.is_empty() {
            let due: Vec<&Latency> = self.latencies.iter().filter(|l| l.open_loop).collect();
            let step = |l: &&Latency| {
                let rate = grouped(l.rate as u64);
                format!("{rate}/s by {}", grouped(l.epoch_events as u64))
            };
            let curve = |name: &str, of: fn(&Latency) -> f64| Curve {
                name: name.to_owned(),
                values: due.iter().map(|l| of(l)).collect(),
            };
            let steps: Vec<String> = due.iter().map(step).collect();
            let series = [
                curve("p50", |l| l.p50),
                curve("p99", |l| l.p99),
                curve("p99.9", |l| l.p999),
                curve("p99.99", |l| l.p9999),
            ];
            let title = format!("Microseconds from an event's due time, {machine}");
            return plot::curves(&title, &steps, &series);
        }
        if !self.adaptations.is_empty() {
            let stages = self.adaptations.iter().flat_map(|a| &a.stages);
            let bars: Vec<Bar> = stages
                .map(|stage| Bar {
                    name: stage.what.to_owned(),
                    value: stage.mean,
                    told: format!("{:.3}", stage.mean),
                })
                .collect();
            return plot::bars(&format!("CPU seconds a home, mean, {machine}"), &bars);
        }
        let bars: Vec<Bar> = self
            .kinds()
            .map(|run| {
                let Run {
                    what,
                    input,
                    workers,
                    homes,
                    ..
                } = run;
                let rate = self.rate(run);
                Bar {
                    name: format!("{what}, {input}, {workers} w, {} homes", grouped(*homes)),
                    value: rate,
                    told: grouped(rate as u64),
                }
            })
            .collect();
        plot::bars(&format!("Events a CPU second, {machine}"), &bars)
    }

    /// A run of each kind, in order.
    fn kinds(&self) -> impl Iterator<Item = &Run> {
        let mut told = Vec::new();
        self.runs.iter().filter(move |run| {
            let new = !told.contains(&run.key());
            if new {
                told.push(run.key());
            }
            new
        })
    }

    /// Events a CPU second, by the median of the runs that measure what `run` does.
    fn rate(&self, run: &Run) -> f64 {
        run.events as f64 / self.median(run, |run| run.cpu_seconds).max(1e-9)
    }

    /// The report as a table: a line for all runs of a kind, with their medians.
    pub fn table(&self) -> String {
        let versions = self
            .versions
            .iter()
            .map(|(name, version)| format!("{name} {version}"));
        let mut text = format!(
            "{}\n{}\n\n",
            self.machine,
            versions.collect::<Vec<_>>().join(", ")
        );
        if !self.latencies.is_empty() {
            return text + &latencies::table(&self.latencies);
        }
        if !self.adaptations.is_empty() {
            return text + &adaptations::table(&self.adaptations);
        }
        let _ = writeln!(
            text,
            "{:<28} {:<7} {:>7} {:>9} {:>11} {:>8} {:>8} {:>12} {:>9} {:>11}",
            "what",
            "input",
            "workers",
            "homes",
            "events",
            "CPU s",
            "wall s",
            "events/CPU s",
            "RSS MiB",
            "segments"
        );
        for run in self.kinds() {
            let cpu = self.median(run, |run| run.cpu_seconds);
            let _ = writeln!(
                text,
                "{:<28} {:<7} {:>7} {:>9} {:>11} {:>8.2} {:>8.2} {:>12} {:>9} {:>11}",
                run.what,
                run.input,
                run.workers,
                grouped(run.homes),
                grouped(run.events),
                cpu,
                self.median(run, |run| run.wall_seconds),
                grouped(self.rate(run) as u64),
                grouped(self.median(run, |run| run.peak_rss_bytes as f64) as u64 >> 20),
                grouped(run.segments.unsigned_abs()),
            );
        }
        if !self.ratios.is_empty() {
            text.push('\n');
        }
        for (what, ratio) in &self.ratios {
            let _ = writeln!(text, "{ratio:>8.2}  {what}");
        }
        text
    }
}

impl Default for Report {
    fn default() -> Self {
        Report::new()
    }
}
