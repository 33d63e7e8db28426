//! Sends a stream's records to an outside service, and emits its answers.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::Capability;
use timely::dataflow::operators::generic::Operator;

use super::{Inquiries, Outside};
use crate::state::{Held, Plain, Stateful};
use crate::words::Epoch;

/// The questions that are open, each at its epoch, in the order in which they came: they can be asked again.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Questions<Q> {
    open: BTreeMap<u64, (Epoch, Q)>,
    numbered: u64,
}

impl<Q> Default for Questions<Q> {
    fn default() -> Self {
        Questions {
            open: BTreeMap::new(),
            numbered: 0,
        }
    }
}

impl<Q: Plain> Stateful for Questions<Q> {}

impl<Q> Questions<Q> {
    /// How many are open.
    pub fn len(&self) -> usize {
        self.open.len()
    }

    /// Whether none is open.
    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    fn add(&mut self, epoch: Epoch, question: Q) -> u64 {
        let number = self.numbered;
        self.numbered += 1;
        self.open.insert(number, (epoch, question));
        number
    }

    /// Deals the questions out; it does not matter which worker asks.
    pub(crate) fn deal(self, to: &mut [&mut Self]) {
        let workers = to.len();
        for (turn, (epoch, question)) in self.open.into_values().enumerate() {
            to[turn % workers].add(epoch, question);
        }
    }
}

/// Sends a stream's records to the outside.
pub trait Offload<'s, Q> {
    /// Emits the answer to each question at the question's epoch, so that frontiers stay truthful while the worker
    /// goes on. At most `limit` questions of this worker are out at a time; the others wait here, in order.
    ///
    /// State: the questions that are open. Cost per question: constant.
    ///
    /// # Examples
    /// ```
    /// use std::sync::Arc;
    /// use hearth_operators::outside::{Answer, Offload};
    /// use hearth_operators::state::Held;
    /// use timely::dataflow::operators::{ToStream, capture::{Capture, Extract}};
    ///
    /// let square = |n: u64, answer: Answer<u64>| {
    ///     std::thread::spawn(move || answer.send(n * n));
    /// };
    /// let squares = timely::example(move |scope| {
    ///     (1..4).to_stream(scope).offload("Square", Arc::new(square), 2, Held::default()).capture()
    /// });
    /// let mut squares: Vec<u64> = squares.extract().into_iter().flat_map(|(_, s)| s).collect();
    /// squares.sort();
    /// assert_eq!(squares, [1, 4, 9]);
    /// ```
    fn offload<A: Clone + Send + 'static>(
        self,
        name: &str,
        outside: Arc<dyn Outside<Q, A>>,
        limit: usize,
        state: Held<Questions<Q>>,
    ) -> StreamVec<'s, Epoch, A>;
}

impl<'s, Q: Clone + 'static> Offload<'s, Q> for StreamVec<'s, Epoch, Q> {
    fn offload<A: Clone + Send + 'static>(
        self,
        name: &str,
        outside: Arc<dyn Outside<Q, A>>,
        limit: usize,
        state: Held<Questions<Q>>,
    ) -> StreamVec<'s, Epoch, A> {
        let scope = self.scope();
        self.unary(Pipeline, name, move |initial, info| {
            state.wake(scope, info.address.clone());
            let activator = scope.worker().sync_activator_for(info.address.to_vec());
            let mut inquiries: Inquiries<u64, Q, A> = Inquiries::new(outside, limit, activator);
            let mut capabilities: HashMap<u64, Capability<Epoch>> = HashMap::new();
            for (number, (epoch, question)) in &state.borrow_mut().open {
                capabilities.insert(*number, initial.delayed(epoch));
                inquiries.ask(*number, question.clone());
            }
            move |input, output| {
                let mut questions = state.borrow_mut();
                input.for_each_stamp(|capability, data| {
                    if let Some(capability) = capability.retain_least(output.output_index()) {
                        for question in data.flat_map(std::mem::take) {
                            let number = questions.add(*capability.time(), question.clone());
                            capabilities.insert(number, capability.clone());
                            if state.is_running() {
                                inquiries.ask(number, question);
                            }
                        }
                    }
                });
                while let Some((number, answer)) = inquiries.answer() {
                    questions.open.remove(&number);
                    if let (Some(capability), Some(answer)) = (capabilities.remove(&number), answer)
                    {
                        output.session(&capability).give(answer);
                    }
                }
                if state.is_released() {
                    inquiries.abandon().for_each(drop);
                    capabilities.clear();
                }
            }
        })
    }
}
