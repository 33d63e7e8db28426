//! A run is a list of cells; each finished cell is a line of `results.jsonl`, so a run that stops is taken up again.

use std::collections::{BTreeMap, HashSet};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result, bail};
use indicatif::{ProgressBar, ProgressStyle};
use serde::{Deserialize, Serialize};

use super::data::{Kind, Pair};
use super::metrics::Figures;
use crate::pool::cpu_micros;

/// Which evaluation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// The paper's, as its authors' code does it.
    Paper,
    /// The one that can be believed.
    Honest,
}

/// What a cell measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// Anomaly detection.
    Ad,
    /// Behaviour prediction.
    Bp,
    /// Compression: how much is kept, and what a detector that learnt it makes of held-out normals.
    Ssc,
    /// The outlier filter: its losses, its bound and its verdicts.
    Tof,
    /// How like the real thing a set is.
    Fidelity,
}

/// What a cell is: everything that its figures depend on, but for data and preset.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Cell {
    /// Which evaluation.
    pub protocol: Protocol,
    /// What is measured.
    pub task: Task,
    /// Data set: `fr`, `sp`, `us`, or a simulated home.
    pub dataset: String,
    /// Which shift.
    pub shift: Kind,
    /// Name of the method.
    pub method: String,
    /// Name of the training set.
    pub training: String,
    /// How many real sequences of the new context were learnt as well.
    pub k: usize,
    /// Seed of everything drawn.
    pub seed: u64,
}

impl Cell {
    /// The data set and the shift that it is about.
    pub fn pair(&self) -> Pair {
        Pair {
            dataset: self.dataset.clone(),
            shift: self.shift,
        }
    }
}

/// A line of `results.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// Which cell.
    #[serde(flatten)]
    pub cell: Cell,
    /// What was found.
    #[serde(default, rename = "metrics")]
    pub figures: Figures,
    /// CPU time of training and evaluation; what cells share (data sets, filtering) is not in it, but in
    /// the cells of the filter itself.
    pub cpu_seconds: f64,
    /// Why there are no figures.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// The file of a run's lines.
pub struct Results {
    path: PathBuf,
    lines: Vec<Line>,
}

impl Results {
    /// Where a folder keeps them.
    pub fn path(folder: &Path) -> PathBuf {
        folder.join("results.jsonl")
    }

    /// Reads what an earlier run left in `folder`, if one did. A last line without its end, torn when that run was stopped, is
    /// dropped from the file; so are the lines of cells that failed, which are to be tried again.
    ///
    /// # Errors
    /// The file cannot be read or mended, or holds something else.
    pub fn resume(folder: &Path) -> Result<Self> {
        let path = Self::path(folder);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error).context(format!("cannot read {}", path.display())),
        };
        let mut lines = parse(&text, &path)?;
        lines.retain(|line| line.error.is_none());
        let mut kept = Vec::with_capacity(text.len());
        for line in &lines {
            serde_json::to_writer(&mut kept, line)?;
            kept.push(b'\n');
        }
        if kept != text {
            let mended = path.with_extension("jsonl.part");
            fs::write(&mended, &kept)
                .and_then(|()| fs::rename(&mended, &path))
                .with_context(|| format!("cannot write {}", path.display()))?;
        }
        Ok(Results { path, lines })
    }

    /// Reads the lines of a folder, failed cells included.
    ///
    /// # Errors
    /// There are none, or the file holds something else.
    pub fn read(folder: &Path) -> Result<Vec<Line>> {
        let path = Self::path(folder);
        let text = fs::read(&path).with_context(|| {
            format!(
                "cannot read {}; run `hearth experiment paper`, `honest` or `prequential` into this folder first",
                path.display()
            )
        })?;
        parse(&text, &path)
    }

    /// Runs the cells that are not finished yet, each on one of `threads` threads, and appends a line as each ends. A cell that
    /// fails, or panics, is a line with its error, and the rest goes on. Returns how many were skipped, done and failed.
    ///
    /// # Errors
    /// The file cannot be written; cells that run are ended first.
    pub fn run(
        &self,
        cells: &[Cell],
        threads: usize,
        work: impl Fn(&Cell) -> Result<Measured> + Sync,
    ) -> Result<Tally> {
        let finished: HashSet<&Cell> = self.lines.iter().map(|line| &line.cell).collect();
        let open = cells.iter().filter(|cell| !finished.contains(cell));
        let open: Vec<&Cell> = open.collect();
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.path);
        let file = file.with_context(|| format!("cannot write {}", self.path.display()))?;
        let sink = Mutex::new(Sink {
            file,
            failed: 0,
            broken: None,
        });
        let bar = ProgressBar::new(open.len() as u64);
        if let Ok(style) =
            ProgressStyle::with_template("{bar:30} {pos}/{len} cells, {eta} left, {msg}")
        {
            bar.set_style(style);
        }
        let next = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..threads.clamp(1, open.len().max(1)) {
                scope.spawn(|| {
                    while let Some(cell) = open.get(next.fetch_add(1, Ordering::Relaxed)) {
                        bar.set_message(describe(cell));
                        let line = measure(cell, &work);
                        let mut sink = sink.lock().unwrap_or_else(PoisonError::into_inner);
                        if sink.broken.is_some() {
                            return;
                        }
                        sink.take(&line);
                        bar.inc(1);
                    }
                });
            }
        });
        bar.finish_and_clear();
        let sink = sink.into_inner().unwrap_or_else(PoisonError::into_inner);
        if let Some(error) = sink.broken {
            return Err(error).context(format!("cannot write {}", self.path.display()));
        }
        Ok(Tally {
            skipped: cells.len() - open.len(),
            done: open.len() - sink.failed,
            failed: sink.failed,
        })
    }
}

/// What became of a run's cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tally {
    /// Finished by an earlier run.
    pub skipped: usize,
    /// Finished by this one.
    pub done: usize,
    /// Could not be computed.
    pub failed: usize,
}

/// What a cell found, and the CPU time it took.
pub struct Measured {
    /// The figures.
    pub figures: Figures,
    /// In seconds.
    pub cpu_seconds: f64,
}

/// Does the work of a cell proper, counting its CPU time. What it needs should be at hand already.
///
/// # Errors
/// Those of the work.
pub fn timed<E>(work: impl FnOnce() -> Result<Figures, E>) -> Result<Measured, E> {
    let began = cpu_micros();
    let figures = work()?;
    let spent = cpu_micros().saturating_sub(began);
    Ok(Measured {
        figures,
        cpu_seconds: (spent / 1_000) as f64 / 1_000.0,
    })
}

struct Sink {
    file: File,
    failed: usize,
    broken: Option<io::Error>,
}

impl Sink {
    fn take(&mut self, line: &Line) {
        self.failed += usize::from(line.error.is_some());
        let written = serde_json::to_vec(line)
            .map_err(io::Error::from)
            .and_then(|mut text| {
                text.push(b'\n');
                // One write, so that a line is torn by nothing but the end of the process.
                self.file.write_all(&text)
            });
        self.broken = written.err();
    }
}

fn measure(cell: &Cell, work: &(impl Fn(&Cell) -> Result<Measured> + Sync)) -> Line {
    let outcome = catch_unwind(AssertUnwindSafe(|| work(cell)));
    let outcome = outcome.unwrap_or_else(|_| bail!("the computation panicked"));
    let (measured, error) = match outcome {
        Ok(measured) => (measured, None),
        Err(error) => {
            let none = Measured {
                figures: BTreeMap::new(),
                cpu_seconds: 0.0,
            };
            (none, Some(format!("{error:#}")))
        }
    };
    let mut figures = measured.figures;
    // JSON has no infinity and no NaN; what is no number is no figure.
    figures.retain(|_, figure| match figure {
        super::metrics::Figure::One(number) => number.is_finite(),
        super::metrics::Figure::Many(numbers) => numbers.iter().all(|n| n.is_finite()),
    });
    Line {
        cell: cell.clone(),
        figures,
        cpu_seconds: measured.cpu_seconds,
        error,
    }
}

fn describe(cell: &Cell) -> String {
    let Cell {
        dataset,
        shift,
        method,
        training,
        seed,
        ..
    } = cell;
    format!("{dataset} {shift:?} {method} on {training}, seed {seed}")
}

/// All whole lines. A last one without a line end is left out where it is no line.
fn parse(text: &[u8], path: &Path) -> Result<Vec<Line>> {
    let mut lines = Vec::new();
    for (i, raw) in text.split_inclusive(|&b| b == b'\n').enumerate() {
        match serde_json::from_slice(raw) {
            Ok(line) => lines.push(line),
            Err(_) if !raw.ends_with(b"\n") => {}
            Err(_) if raw.trim_ascii().is_empty() => {}
            Err(error) => bail!(
                "{}:{}: this is no line of an experiment: {error}; name another folder",
                path.display(),
                i + 1
            ),
        }
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::metrics::Figure;

    fn cell(seed: u64) -> Cell {
        Cell {
            protocol: Protocol::Honest,
            task: Task::Ad,
            dataset: "fr".into(),
            shift: Kind::ST,
            method: "SmartGen".into(),
            training: "source".into(),
            k: 0,
            seed,
        }
    }

    fn found(cell: &Cell) -> Result<Measured> {
        if cell.seed == 3 {
            bail!("no file");
        }
        assert!(cell.seed != 4, "a bug");
        let figure = Figure::One(cell.seed as f64 / 10.0);
        let figures = BTreeMap::from([("f1".to_owned(), figure)]);
        Ok(Measured {
            figures,
            cpu_seconds: 0.5,
        })
    }

    #[test]
    fn a_line_has_the_keys_that_are_promised() {
        let line = measure(&cell(2), &found);
        assert_eq!(
            serde_json::to_string(&line).unwrap(),
            r#"{"protocol":"honest","task":"ad","dataset":"fr","shift":"ST","method":"SmartGen","training":"source","k":0,"seed":2,"metrics":{"f1":0.2},"cpu_seconds":0.5}"#
        );
    }

    #[test]
    fn a_run_is_taken_up_where_it_was_torn() {
        let dir = tempfile::tempdir().unwrap();
        let cells: Vec<Cell> = (0..6).map(cell).collect();
        let tally = |skipped, done, failed| Tally {
            skipped,
            done,
            failed,
        };
        let results = Results::resume(dir.path()).unwrap();
        assert_eq!(results.run(&cells[..5], 2, found).unwrap(), tally(0, 3, 2));
        let errors: Vec<_> = Results::read(dir.path()).unwrap();
        let error = |seed| {
            errors
                .iter()
                .find(|l| l.cell.seed == seed)
                .unwrap()
                .error
                .clone()
        };
        assert_eq!(error(3).unwrap(), "no file");
        assert_eq!(error(4).unwrap(), "the computation panicked");

        // Torn within the last line; whole lines before it stay.
        let path = Results::path(dir.path());
        let text = fs::read(&path).unwrap();
        fs::write(&path, &text[..text.len() - 7]).unwrap();
        let all = |cell: &Cell| {
            let seed = cell.seed.min(2);
            found(&Cell {
                seed,
                ..cell.clone()
            })
        };
        let results = Results::resume(dir.path()).unwrap();
        let kept = results.lines.len();
        assert!(kept >= 2);
        assert_eq!(
            results.run(&cells, 2, all).unwrap(),
            tally(kept, 6 - kept, 0)
        );
        let lines = Results::read(dir.path()).unwrap();
        let mut seeds: Vec<u64> = lines.iter().map(|line| line.cell.seed).collect();
        seeds.sort_unstable();
        assert_eq!(seeds, [0, 1, 2, 3, 4, 5]);
    }

    #[test]
    fn another_file_is_not_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(Results::path(dir.path()), "{\"home\":\"h-1\"}\n").unwrap();
        let error = Results::resume(dir.path()).err().unwrap().to_string();
        assert!(error.contains("results.jsonl:1:"), "{error}");
    }
}
