//! The paper's protocol, as its authors' code does it, leaks included: to compare with what was published, not to believe.

mod compression;
mod detection;
mod prediction;
pub mod published;
mod trial;

use std::collections::BTreeSet;

use anyhow::Result;

use super::cells::{Cell, Measured, Protocol, Task};
use super::data::{Kind, Pair, Store};
use super::honest::{fidelity_of, verdicts};
use super::roster::{MAINTAINED, OURS, Roster};
use trial::{FIXED_LENGTH, Trial};

/// A table or a figure of the paper.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum Table {
    /// Table 2: anomaly detection.
    #[value(name = "2")]
    Detection,
    /// Table 3: behaviour prediction.
    #[value(name = "3")]
    Prediction,
    /// Table 4: one part left out.
    #[value(name = "4")]
    Ablation,
    /// Table 5: the filter's stages.
    #[value(name = "5")]
    Filter,
    /// Table 9 and Figures 5 and 6: compression.
    #[value(name = "9")]
    Compression,
    /// Figure 4: behaviour before, synthetic, after.
    #[value(name = "f4")]
    Distribution,
    /// Figure 7: Δt_max and T_max.
    #[value(name = "f7")]
    Limits,
    /// Figure 8: language models.
    #[value(name = "f8")]
    Models,
}

/// What a run is narrowed to.
pub struct Plan {
    /// Pairs of contexts.
    pub pairs: Vec<Pair>,
    /// Tables and figures; empty for all.
    pub tables: Vec<Table>,
    /// How often everything is repeated.
    pub seeds: u64,
}

/// What the paper's own system learns: the authors' set, our filter's of the same replies, our synthesizer's.
const OUR_SETS: [&str; 3] = ["gpt-4o-authors", "gpt-4o-filtered", "embedded"];

/// What the paper's baselines learn: the source as Hearth's own methods do, split; and the sequences of ten that the authors ran
/// them on, whose tests are others.
const THEIR_SETS: [&str; 2] = ["source", FIXED_LENGTH];

/// The detector that the paper's SmartGen trains on synthetic sequences, and as a baseline on the source.
const THEIRS: &str = "TransAE";

/// Trivial answers learn what the published system learnt.
const TRIVIAL: [&str; 9] = [
    "flag all",
    "unseen action",
    "unseen hours",
    "unseen action at hours",
    "surprisal",
    "most frequent",
    "count table",
    "bigram",
    "n-gram",
];

/// The authors' sets with one part of their system left out.
const ABLATIONS: [&str; 5] = [
    "ablation-all",
    "without-TSS",
    "without-SSC",
    "without-GSS",
    "without-all",
];

/// What the filter is given, what each of its stages leaves, and what both do.
const STAGES: [&str; 4] = ["candidates", "stage-1", "stage-2", "gpt-4o-filtered"];

/// What the authors kept of the replies of each model.
const MODELS: [&str; 3] = ["gpt-4o-authors", "Llama_70B-authors", "Qwen2.5_72B-authors"];

/// Δt_max and T_max of the authors' recorded sets, in hours.
const LIMITS: [&str; 7] = [
    "split-6-24",
    "split-9-24",
    "split-12-24",
    "split-15-24",
    "split-9-12",
    "split-9-36",
    "split-9-48",
];

/// All cells of a run, none twice: tables share some.
pub fn cells(plan: &Plan, roster: &Roster) -> Vec<Cell> {
    let mut cells = Cells {
        seen: BTreeSet::new(),
        cells: Vec::new(),
    };
    for pair in &plan.pairs {
        cells.compare(plan, pair, roster);
        cells.vary(plan, pair, roster);
        if plan.wants(Table::Filter) {
            cells.add(pair, Task::Tof, OURS, &["gpt-4o"], plan.seeds);
        }
        if plan.wants(Table::Compression) {
            for method in compression::methods() {
                cells.add(pair, Task::Ssc, &method, &["source"], plan.seeds);
            }
        }
        if plan.wants(Table::Distribution) {
            cells.add(
                pair,
                Task::Fidelity,
                "set",
                &["gpt-4o-authors", "embedded"],
                1,
            );
        }
    }
    cells.cells
}

impl Plan {
    fn wants(&self, table: Table) -> bool {
        self.tables.is_empty() || self.tables.contains(&table)
    }
}

/// Cells, each once.
struct Cells {
    seen: BTreeSet<Cell>,
    cells: Vec<Cell>,
}

impl Cells {
    fn add(&mut self, pair: &Pair, task: Task, method: &str, sets: &[&str], seeds: u64) {
        for set in sets {
            for seed in 1..=seeds {
                let cell = Cell {
                    protocol: Protocol::Paper,
                    task,
                    dataset: pair.dataset.clone(),
                    shift: pair.shift,
                    method: method.to_owned(),
                    training: (*set).to_owned(),
                    k: 0,
                    seed,
                };
                if self.seen.insert(cell.clone()) {
                    self.cells.push(cell);
                }
            }
        }
    }

    /// The tables that compare methods.
    fn compare(&mut self, plan: &Plan, pair: &Pair, roster: &Roster) {
        if plan.wants(Table::Detection) {
            for name in roster.detectors() {
                self.add(pair, Task::Ad, name, sets(name), plan.seeds);
            }
        }
        if plan.wants(Table::Prediction) {
            for name in roster.predictors() {
                self.add(pair, Task::Bp, name, sets(name), plan.seeds);
            }
        }
    }

    /// The tables and figures that vary what the paper's own system learns.
    fn vary(&mut self, plan: &Plan, pair: &Pair, roster: &Roster) {
        let season = pair.shift == Kind::ST;
        let variations: [(Table, bool, &[&str]); 4] = [
            (Table::Ablation, season && pair.dataset == "sp", &ABLATIONS),
            (Table::Filter, true, &STAGES),
            (Table::Limits, season, &LIMITS),
            (Table::Models, season, &MODELS),
        ];
        for (table, published, sets) in variations {
            if !published || !plan.wants(table) {
                continue;
            }
            if roster.detector(OURS).is_ok() {
                self.add(pair, Task::Ad, OURS, sets, plan.seeds);
            }
            if roster.predictor(OURS).is_ok() {
                self.add(pair, Task::Bp, OURS, sets, plan.seeds);
            }
        }
    }
}

/// What a method learns for the tables that compare methods.
fn sets(name: &str) -> &'static [&'static str] {
    if name == MAINTAINED {
        // It learns a life in its order; the paper's protocol has none.
        &[]
    } else if name == OURS {
        &OUR_SETS
    } else if name == THEIRS {
        &["source", FIXED_LENGTH, "gpt-4o-authors"]
    } else if TRIVIAL.contains(&name) {
        &OUR_SETS[..1]
    } else {
        &THEIR_SETS
    }
}

/// Computes a cell.
///
/// # Errors
/// A file is missing, or a model cannot learn the set; the message says what.
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
        Task::Ssc => compression::measure(cell, &pair, store),
        Task::Tof => verdicts(cell, &pair, store),
        Task::Fidelity => fidelity_of(cell, &pair, store),
    }
}
