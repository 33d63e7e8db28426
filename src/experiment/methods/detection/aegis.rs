//! Aegis: a first-order Markov chain over what happens in a home.
//!
//! Sikder, Babun, Aksu, Uluagac: *Aegis: A Context-aware Security Framework for Smart Home Systems*, ACSAC 2019: unlikely
//! transitions are anomalous. The score is the mean of `−ln P(state | state before)` over a sequence's transitions, the one
//! from its start included; so a sequence scores no higher for being long.
//!
//! With the preset `paper` the chain runs, as the authors' does, through the numbers of a sequence one after the other (weekday,
//! hours, device, action, weekday …); numbers of different columns are different states, though, which they are not there. Else
//! a state is a whole behaviour: its hours and its action. The authors call a sequence an attack when its probability is *at
//! least* 1e-50, so the likely ones; here it is the right way round. The smoothing ([`Conditional`]) is ours.

use hearth_operators::words::{HOURS, Quadruple, Sequence};

use super::columns::ColumnReader;
use super::conditional::Conditional;
use super::{Detection, Scorer, TrainingData};
use crate::models::{Columns, ModelError, Preset};

/// Markov chain.
pub struct Aegis(pub Preset);

impl Detection for Aegis {
    fn name(&self) -> &'static str {
        "Aegis"
    }

    fn fit(&self, data: &TrainingData) -> Result<Box<dyn Scorer>, ModelError> {
        let reader = ColumnReader::new(data.catalog, data.columns);
        let train = reader.train(data)?;
        let actions = data.catalog.actions();
        let states = match (self.0, data.columns) {
            (Preset::Small, Columns::All) => States::Behaviors { actions },
            _ => States::Numbers,
        };
        let count = match states {
            States::Numbers => reader.sizes().iter().sum(),
            States::Behaviors { actions } => HOURS.len() * actions,
        };
        let mut chain = Chain {
            reader,
            states,
            start: count,
            transitions: Conditional::new(count),
        };
        for sequence in train {
            for (before, state) in chain.walk(sequence) {
                chain.transitions.learn(before, state);
            }
        }
        Ok(Box::new(chain))
    }
}

struct Chain {
    reader: ColumnReader,
    states: States,
    /// The state before the first; no sequence returns to it.
    start: usize,
    transitions: Conditional,
}

/// What is a state.
enum States {
    /// A number of a column.
    Numbers,
    /// Hours and action of a behaviour.
    Behaviors { actions: usize },
}

impl Chain {
    /// The transitions of a sequence.
    fn walk(&self, sequence: &Sequence) -> Vec<(usize, usize)> {
        let mut before = self.start;
        let states = sequence.0.iter().flat_map(|q| self.states(q));
        states
            .map(|state| (std::mem::replace(&mut before, state), state))
            .collect()
    }

    fn states(&self, q: &Quadruple) -> Vec<usize> {
        match self.states {
            States::Numbers => {
                let mut start = 0;
                let numbers = self.reader.numbers(q).zip(self.reader.sizes());
                numbers
                    .map(|(number, size)| {
                        start += size;
                        start - size + number
                    })
                    .collect()
            }
            States::Behaviors { actions } => {
                vec![usize::from(q.hours) * actions + usize::from(q.action.0)]
            }
        }
    }
}

impl Scorer for Chain {
    fn score(&self, sequence: &Sequence) -> Result<f32, ModelError> {
        self.reader.check(sequence)?;
        let walk = self.walk(sequence);
        let surprise = walk
            .iter()
            .map(|&(before, state)| -self.transitions.probability(before, state).ln());
        Ok((surprise.sum::<f64>() / walk.len() as f64) as f32)
    }
}
