//! What a cell of the honest protocol learns and is tested on.

use std::sync::Arc;

use anyhow::{Result, ensure};
use hearth_operators::words::Sequence;

use super::super::cells::Cell;
use super::super::data::{Material, Pair, Store};
use super::super::methods::{Life, TrainingData};
use super::shots::Shots;
use crate::models::Columns;
use crate::trainer::{Purpose, Settings, split};

/// What a cell learns and is tested on.
pub(super) struct Trial {
    pub material: Arc<Material>,
    pub train: Vec<Sequence>,
    pub held: Vec<Sequence>,
    /// Both in the order in which the home lived them.
    pub life: Life,
    /// Positions in the normal sequences.
    pub tested: Vec<usize>,
    pub seed: u64,
}

impl Trial {
    /// What a method learns: all columns, because nothing says in which one an attack will be.
    pub fn training_data(&self) -> TrainingData<'_> {
        TrainingData {
            catalog: &self.material.catalog,
            train: &self.train,
            held: &self.held,
            life: Some(&self.life),
            columns: Columns::All,
            seed: self.seed,
        }
    }

    pub fn new(cell: &Cell, pair: &Pair, store: &Store) -> Result<Self> {
        let material = store.material(pair)?;
        let set = store.training(pair, &cell.training, cell.seed)?;
        let mut life = Life::default();
        for part in cell.training.split('+') {
            let learnt = match part {
                "source" => &mut life.past,
                _ => &mut life.imagined,
            };
            learnt.extend_from_slice(&store.training(pair, part, cell.seed)?);
        }
        let shots = Shots::draw(&material.normal, cell.k, cell.seed)?;
        let all: Vec<&Sequence> = set.iter().chain(&shots.known).collect();
        ensure!(!all.is_empty(), "there is nothing to learn");
        let settings = Settings {
            preset: store.preset(),
            seed: cell.seed,
        };
        let parts = split(all, settings.seed_for(Purpose::Split));
        let owned = |part: Vec<&Sequence>| part.into_iter().cloned().collect();
        Ok(Trial {
            train: owned(parts.train),
            held: owned(parts.held),
            life: Life {
                present: shots.known,
                ..life
            },
            tested: shots.tested,
            material,
            seed: cell.seed,
        })
    }
}
