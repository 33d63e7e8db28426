//! The protocol that can be believed: nothing of the answer is given, no label of the new context is used, training sets are
//! compared by what they are worth, over seeds, with intervals.

mod attacks;
mod detection;
mod fidelity;
#[cfg(test)]
mod fixtures;
mod prediction;
mod shots;
mod trial;

use anyhow::Result;

use super::cells::{Cell, Measured, Protocol, Task, timed};
use super::data::{Pair, Store};
use super::metrics::{Figure, Figures};
use super::roster::{MAINTAINED, OURS, Roster};
use trial::Trial;

/// What a run is narrowed to.
pub struct Plan {
    /// Pairs of contexts.
    pub pairs: Vec<Pair>,
    /// How often everything is repeated.
    pub seeds: u64,
    /// How many real sequences of the new context are learnt as well.
    pub shots: Vec<usize>,
    /// Training sets by name; empty for all that there are.
    pub training: Vec<String>,
}

/// What every method learns; Hearth's own learns all sets.
const COMMON: [&str; 3] = ["source", "gpt-4o", "embedded"];

/// What is learnt together with a few real sequences.
const FEW: [&str; 5] = ["none", "source", "gpt-4o", "embedded", "source+embedded"];

/// Methods that are asked how fast they learn: Hearth's own, and what counting can do.
const FEW_METHODS: [&str; 4] = [OURS, MAINTAINED, "surprisal", "n-gram"];

/// The method's name of cells that are about a set alone.
const NO_METHOD: &str = "set";

/// All cells of a run.
pub fn cells(plan: &Plan, store: &Store, roster: &Roster) -> Vec<Cell> {
    let mut cells = Vec::new();
    for pair in &plan.pairs {
        let sets = sets(pair, store);
        let chosen = |name: &str| {
            plan.training.is_empty() || plan.training.iter().any(|chosen| chosen == name)
        };
        let cell = |task, method: &str, training: &str, k, seed| Cell {
            protocol: Protocol::Honest,
            task,
            dataset: pair.dataset.clone(),
            shift: pair.shift,
            method: method.to_owned(),
            training: training.to_owned(),
            k,
            seed,
        };
        let methods = || {
            let detectors = roster.detectors().map(|name| (Task::Ad, name));
            detectors.chain(roster.predictors().map(|name| (Task::Bp, name)))
        };
        for set in sets.iter().filter(|set| chosen(set)) {
            // Before those that learn the filtered set, so that the filter's time is in its own cell.
            if let Some(raw) = set.strip_suffix("-filtered") {
                for seed in 1..=plan.seeds {
                    cells.push(cell(Task::Tof, OURS, raw, 0, seed));
                }
            }
            cells.push(cell(Task::Fidelity, NO_METHOD, set, 0, 1));
        }
        for &k in &plan.shots {
            for (task, method) in methods() {
                let sets: Vec<&str> = match (k, method) {
                    (0, OURS | MAINTAINED) => sets.iter().map(String::as_str).collect(),
                    (0, _) if plan.training.is_empty() => COMMON.to_vec(),
                    (0, _) => sets.iter().map(String::as_str).collect(),
                    _ if FEW_METHODS.contains(&method) => FEW.to_vec(),
                    _ => Vec::new(),
                };
                let there = |set: &&str| !(pair.simulated() && set.contains("gpt-4o"));
                for set in sets.into_iter().filter(there).filter(|set| chosen(set)) {
                    for seed in 1..=plan.seeds {
                        cells.push(cell(task, method, set, k, seed));
                    }
                }
            }
        }
    }
    cells
}

/// The training sets that there are for a pair without real sequences of the new context.
fn sets(pair: &Pair, store: &Store) -> Vec<String> {
    let mut sets = vec!["source".to_owned()];
    let models = store.models(pair);
    for model in &models {
        sets.push(model.clone());
        sets.push(format!("{model}-filtered"));
    }
    if models.iter().any(|model| model == "gpt-4o") {
        sets.push("gpt-4o-authors".to_owned());
        sets.push("source+gpt-4o".to_owned());
        sets.push("embedded+gpt-4o".to_owned());
    }
    sets.push("embedded".to_owned());
    sets.push("source+embedded".to_owned());
    if store.has_edits() {
        sets.extend(["edits", "source+edits"].map(str::to_owned));
    }
    if store.has_contrast() {
        let sets_of = ["contrast", "source+contrast", "blend", "source+blend"];
        sets.extend(sets_of.map(str::to_owned));
    }
    sets
}

/// Computes a cell.
///
/// # Errors
/// A file is missing, too little is left to test on, or a model cannot learn the set; the message says what.
pub fn measure(cell: &Cell, store: &Store, roster: &Roster) -> Result<Measured> {
    let pair = cell.pair();
    match cell.task {
        Task::Ad => {
            let trial = Trial::new(cell, &pair, store)?;
            detection::measure(&trial, roster.detector(&cell.method)?)
        }
        Task::Bp => {
            let trial = Trial::new(cell, &pair, store)?;
            prediction::measure(&trial, roster.predictor(&cell.method)?)
        }
        Task::Fidelity => fidelity_of(cell, &pair, store),
        Task::Tof => verdicts(cell, &pair, store),
        Task::Ssc => anyhow::bail!("compression is measured by the paper's protocol"),
    }
}

/// How similar a training set is to real sequences.
pub(super) fn fidelity_of(cell: &Cell, pair: &Pair, store: &Store) -> Result<Measured> {
    let material = store.material(pair)?;
    let set = store.training(pair, &cell.training, cell.seed)?;
    timed(|| Ok(fidelity::figures(&material, &set)))
}

/// The filter's losses, bound and verdicts on a set.
pub(super) fn verdicts(cell: &Cell, pair: &Pair, store: &Store) -> Result<Measured> {
    // Other cells learn what the filter retained, so it may have run already: its CPU time is kept with its verdicts.
    let filtering = store.filtered(pair, &cell.training, cell.seed)?;
    let verdicts = &filtering.filtered.verdicts;
    let each = |of: fn(&hearth_operators::words::Verdict) -> f64| {
        Figure::Many(verdicts.iter().map(of).collect())
    };
    let count = |of: fn(&hearth_operators::words::Verdict) -> bool| {
        Figure::One(verdicts.iter().filter(|v| of(v)).count() as f64)
    };
    let mut figures = Figures::new();
    figures.insert("candidates".into(), Figure::One(verdicts.len() as f64));
    figures.insert("retained".into(), count(|v| v.retain));
    figures.insert("outliers".into(), count(|v| v.stage == 2));
    figures.insert("losses".into(), each(|v| f64::from(v.loss)));
    figures.insert("verdicts".into(), each(|v| f64::from(u8::from(v.retain))));
    if let Some(verdict) = verdicts.first() {
        figures.insert("bound".into(), Figure::One(f64::from(verdict.bound)));
    }
    Ok(Measured {
        figures,
        cpu_seconds: filtering.cpu_seconds,
    })
}
