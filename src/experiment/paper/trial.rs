//! What a cell of the paper's protocol learns and is tested on.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use hearth_operators::words::Sequence;

use super::super::cells::{Cell, Task};
use super::super::data::{Attack, Baselines, Kind, Material, Pair, Store};
use crate::trainer::{Purpose, Settings, split};

/// The training set of the authors' own sequences of ten.
pub(super) const FIXED_LENGTH: &str = "fixed-length";

/// What a cell learns and is tested on.
pub(super) struct Trial {
    pub material: Arc<Material>,
    /// The whole set.
    pub set: Vec<Sequence>,
    /// Four fifths of it, drawn, and the rest.
    pub parts: (Vec<Sequence>, Vec<Sequence>),
    /// Whether the set is synthetic: the paper's baselines learn the source.
    pub synthetic: bool,
    pub pair: Pair,
    pub seed: u64,
}

impl Trial {
    pub fn new(cell: &Cell, pair: &Pair, store: &Store) -> Result<Self> {
        if cell.training == FIXED_LENGTH {
            return Self::fixed_length(cell, pair, store);
        }
        let set = store.training(pair, &cell.training, cell.seed)?;
        ensure!(!set.is_empty(), "there is nothing to learn");
        let mut material = store.material(pair)?;
        if matches!(cell.training.as_str(), "without-TSS" | "without-all") {
            // What was never split is tested unsplit.
            material = Arc::new(store.repository(pair)?.unsplit(pair.shift)?);
        }
        let settings = Settings {
            preset: store.preset(),
            seed: cell.seed,
        };
        let parts = split(set.iter().collect(), settings.seed_for(Purpose::Split));
        let owned = |part: Vec<&Sequence>| part.into_iter().cloned().collect();
        Ok(Trial {
            parts: (owned(parts.train), owned(parts.held)),
            set: set.to_vec(),
            synthetic: cell.training != "source",
            material,
            pair: pair.clone(),
            seed: cell.seed,
        })
    }

    /// As the authors ran their baselines: on sequences of ten, with their own validation and test.
    pub fn fixed_length(cell: &Cell, pair: &Pair, store: &Store) -> Result<Self> {
        let of = match (cell.task, cell.method.as_str()) {
            (Task::Ad, _) => Baselines::Detection,
            (_, "SASRec") => Baselines::SasRec,
            _ => Baselines::Prediction,
        };
        let fixed = store.repository(pair)?.fixed_length(pair.shift, of)?;
        ensure!(!fixed.train.is_empty(), "there is nothing to learn");
        let mut material = store.material(pair)?;
        if of != Baselines::SasRec {
            let attacks = fixed.attacks.into_iter();
            material = Arc::new(Material {
                catalog: material.catalog.clone(),
                shift: material.shift.clone(),
                source: Vec::new(),
                normal: fixed.normal,
                attacks: attacks
                    .map(|sequence| Attack { of: None, sequence })
                    .collect(),
                numbering: None,
            });
        }
        Ok(Trial {
            set: fixed.train.clone(),
            parts: (fixed.train, fixed.held),
            synthetic: false,
            material,
            pair: pair.clone(),
            seed: cell.seed,
        })
    }

    /// The percentile of the validation losses that the authors set by hand for this pair.
    pub fn percentile(&self) -> Result<f32> {
        if !self.synthetic {
            // Their baselines', the same everywhere.
            return Ok(90.0);
        }
        let of = match (self.pair.dataset.as_str(), self.pair.shift) {
            ("fr", Kind::ST) => Some(95.5),
            ("fr" | "sp", Kind::TT) | ("sp" | "us", Kind::ST) => Some(95.0),
            ("us", Kind::TT) => Some(93.0),
            ("fr" | "sp" | "us", Kind::NT) => Some(99.0),
            _ => None,
        };
        of.with_context(|| format!("the paper sets no threshold for {}", self.pair))
    }
}
