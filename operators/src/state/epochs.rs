//! Buffers input per epoch, with its capabilities, until the epoch closes.

use std::collections::BTreeMap;

use timely::communication::Pull;
use timely::container::CapacityContainerBuilder;
use timely::dataflow::channels::Message;
use timely::dataflow::operators::generic::{InputHandleCore, OutputBuilder};
use timely::dataflow::operators::{Capability, InputCapability};
use timely::progress::frontier::MutableAntichain;

use crate::words::Epoch;

/// Hands over what came, by epoch, to an operator that takes note of it at once and needs no capability for that.
pub fn each_epoch<D, P: Pull<Message<Epoch, Vec<D>>>>(
    input: &mut InputHandleCore<Epoch, Vec<D>, P>,
    mut take: impl FnMut(Epoch, &mut dyn Iterator<Item = D>),
) {
    input.for_each_stamp(|capability, data| {
        if let Some(&epoch) = capability.least() {
            take(epoch, &mut data.flat_map(std::mem::take));
        }
    });
}

/// Hands on what comes of an epoch.
pub fn give<D: Clone + 'static>(
    output: &mut OutputBuilder<Epoch, CapacityContainerBuilder<Vec<D>>>,
    at: &Capability<Epoch>,
    data: impl IntoIterator<Item = D>,
) {
    let mut output = output.activate();
    output.session(at).give_iterator(data.into_iter());
}

/// What is buffered of each open epoch: plain data, as an operator's state holds it.
pub type Buffered<D> = BTreeMap<Epoch, D>;

/// What arrived in each epoch that is still open, with one capability an output of the operator.
///
/// Most operators here act once an epoch is complete: that makes their output independent of how its events were
/// batched, ordered and spread over workers.
pub struct EpochBuffer<D> {
    outputs: usize,
    /// Beside the data, which is to serialise.
    capabilities: BTreeMap<Epoch, Vec<Capability<Epoch>>>,
    data: Buffered<D>,
    /// Emptied, for the next epoch.
    spare: Option<D>,
}

impl<D: Default> EpochBuffer<D> {
    /// An empty buffer of an operator with so many outputs.
    pub fn new(outputs: usize) -> Self {
        EpochBuffer {
            outputs,
            capabilities: BTreeMap::new(),
            data: Buffered::new(),
            spare: None,
        }
    }

    /// A buffer that goes on with what was buffered, for an operator that was built with `initial` capabilities, one an
    /// output.
    pub fn restored(data: Buffered<D>, initial: &[Capability<Epoch>]) -> Self {
        let at = |epoch: &Epoch| initial.iter().map(|c| c.delayed(epoch)).collect();
        EpochBuffer {
            outputs: initial.len(),
            capabilities: data.keys().map(|epoch| (*epoch, at(epoch))).collect(),
            data,
            spare: None,
        }
    }

    /// The place for what arrives under `capability`. `None` for a message that makes no claim to any epoch.
    pub fn at(&mut self, capability: &InputCapability<Epoch>) -> Option<&mut D> {
        let epoch = *capability.least()?;
        let (outputs, spare) = (self.outputs, &mut self.spare);
        let place = self.data.entry(epoch);
        Some(place.or_insert_with(|| {
            let capabilities = (0..outputs).map(|o| capability.delayed(&epoch, o));
            self.capabilities.insert(epoch, capabilities.collect());
            spare.take().unwrap_or_default()
        }))
    }

    /// Takes in what came, by way of `take`, into the place of its epoch.
    pub fn gather<T, P: Pull<Message<Epoch, Vec<T>>>>(
        &mut self,
        input: &mut InputHandleCore<Epoch, Vec<T>, P>,
        mut take: impl FnMut(&mut D, &mut dyn Iterator<Item = T>),
    ) {
        input.for_each_stamp(|capability, data| {
            if let Some(place) = self.at(&capability) {
                take(place, &mut data.flat_map(std::mem::take));
            }
        });
    }

    /// Takes back what an epoch arrived in, emptied by the caller: its room serves the next one.
    pub fn reuse(&mut self, emptied: D) {
        self.spare = Some(emptied);
    }

    /// The earliest epoch, where every one of the frontiers has passed it, and what arrived in it.
    pub fn peek(&self, frontiers: &[MutableAntichain<Epoch>]) -> Option<(Epoch, &D)> {
        let (&epoch, data) = self.data.first_key_value()?;
        let open = frontiers.iter().any(|f| f.less_equal(&epoch));
        (!open).then_some((epoch, data))
    }

    /// Takes out the earliest epoch that every one of the frontiers has passed.
    pub fn next(
        &mut self,
        frontiers: &[MutableAntichain<Epoch>],
    ) -> Option<(Vec<Capability<Epoch>>, D)> {
        let (epoch, _) = self.peek(frontiers)?;
        let (_, data) = self.data.pop_first()?;
        Some((self.capabilities.remove(&epoch)?, data))
    }

    /// While a dataflow is suspended: gives up all capabilities, and keeps in `kept` what is buffered, there already or new.
    pub fn release(&mut self, kept: &mut Buffered<D>, merge: impl Fn(&mut D, D)) {
        self.capabilities.clear();
        for (epoch, data) in std::mem::take(&mut self.data) {
            merge(kept.entry(epoch).or_default(), data);
        }
    }
}

/// The first epoch that may still come at this frontier (`Epoch::MAX` where none can).
pub fn first_open(frontier: &MutableAntichain<Epoch>) -> Epoch {
    let open = frontier.frontier();
    open.iter().copied().min().unwrap_or(Epoch::MAX)
}
