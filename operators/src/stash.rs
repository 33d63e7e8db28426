//! Epochs that wait, with the right to answer at them, until they are complete.

use std::collections::BTreeMap;

use timely::dataflow::operators::{Capability, InputCapability};
use timely::progress::frontier::MutableAntichain;

use crate::words::Epoch;

/// What arrived in each epoch that is still open, with one capability an output of the operator.
///
/// Most operators here act once an epoch is complete: that makes their output independent of how its events were
/// batched, ordered and spread over workers.
pub(crate) struct Stash<D> {
    outputs: usize,
    epochs: BTreeMap<Epoch, (Vec<Capability<Epoch>>, D)>,
    /// Emptied, for the next epoch.
    spare: Option<D>,
}

impl<D: Default> Stash<D> {
    /// An empty stash of an operator with so many outputs.
    pub fn new(outputs: usize) -> Self {
        Stash {
            outputs,
            epochs: BTreeMap::new(),
            spare: None,
        }
    }

    /// The place for what arrives under `capability`. `None` for a message that makes no claim to any epoch.
    pub fn at(&mut self, capability: &InputCapability<Epoch>) -> Option<&mut D> {
        let epoch = *capability.least()?;
        let (outputs, spare) = (self.outputs, &mut self.spare);
        let (_, data) = self.epochs.entry(epoch).or_insert_with(|| {
            let capabilities = (0..outputs).map(|o| capability.delayed(&epoch, o));
            (capabilities.collect(), spare.take().unwrap_or_default())
        });
        Some(data)
    }

    /// Takes back what an epoch arrived in, emptied by the caller: its room serves the next one.
    pub fn reuse(&mut self, emptied: D) {
        self.spare = Some(emptied);
    }

    /// Takes out the earliest epoch that every one of the frontiers has passed.
    pub fn next(
        &mut self,
        frontiers: &[MutableAntichain<Epoch>],
    ) -> Option<(Vec<Capability<Epoch>>, D)> {
        let (&epoch, _) = self.epochs.first_key_value()?;
        if frontiers.iter().any(|f| f.less_equal(&epoch)) {
            return None;
        }
        self.epochs.pop_first().map(|(_, waiting)| waiting)
    }
}

/// The first epoch that may still come at this frontier (`Epoch::MAX` where none can).
pub(crate) fn first_open(frontier: &MutableAntichain<Epoch>) -> Epoch {
    frontier
        .frontier()
        .iter()
        .copied()
        .min()
        .unwrap_or(Epoch::MAX)
}
