//! Work outside the workers: requests go out, answers come back at the request's own epoch.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::mpsc;

use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::Capability;
use timely::dataflow::operators::generic::Operator;
use timely::scheduling::SyncActivator;

use crate::words::Epoch;

/// Whoever answers questions on threads of his own: a synthesizer, a trainer, an encoder.
///
/// `ask` returns at once; the answer is sent later, from any thread. A question whose [`Answer`] is dropped has none.
/// An answer must depend on its question alone, for then a replay is reproducible.
pub trait Outside<Q, A>: Send + Sync {
    /// Takes a question.
    fn ask(&self, question: Q, answer: Answer<A>);
}

impl<Q, A, F: Fn(Q, Answer<A>) + Send + Sync> Outside<Q, A> for F {
    fn ask(&self, question: Q, answer: Answer<A>) {
        self(question, answer);
    }
}

/// Where the answer to one question goes.
pub struct Answer<A> {
    ticket: u64,
    desk: mpsc::Sender<(u64, Option<A>)>,
    activator: SyncActivator,
    sent: bool,
}

impl<A> Answer<A> {
    /// Sends the answer and wakes the worker that waits for it.
    pub fn send(mut self, answer: A) {
        self.deliver(Some(answer));
    }

    fn deliver(&mut self, answer: Option<A>) {
        self.sent = true;
        // Where the worker is gone, nobody waits for the answer.
        let _ = self.desk.send((self.ticket, answer));
        let _ = self.activator.activate();
    }
}

impl<A> Drop for Answer<A> {
    fn drop(&mut self) {
        if !self.sent {
            self.deliver(None);
        }
    }
}

/// An operator's questions: those that wait, in order, and those that are out, each with a note `K` (its capability,
/// say) that comes back with the answer.
pub(crate) struct Desk<K, Q, A> {
    outside: Arc<dyn Outside<Q, A>>,
    activator: SyncActivator,
    limit: usize,
    waiting: VecDeque<(K, Q)>,
    out: HashMap<u64, K>,
    issued: u64,
    sender: mpsc::Sender<(u64, Option<A>)>,
    answers: mpsc::Receiver<(u64, Option<A>)>,
}

impl<K, Q, A> Desk<K, Q, A> {
    /// At most `limit` questions are out at a time.
    pub fn new(outside: Arc<dyn Outside<Q, A>>, limit: usize, activator: SyncActivator) -> Self {
        let (sender, answers) = mpsc::channel();
        Desk {
            outside,
            activator,
            limit: limit.max(1),
            waiting: VecDeque::new(),
            out: HashMap::new(),
            issued: 0,
            sender,
            answers,
        }
    }

    /// Puts a question, now or when there is room.
    pub fn ask(&mut self, note: K, question: Q) {
        self.waiting.push_back((note, question));
        self.dispatch();
    }

    /// The next answer that has arrived, with its question's note; `None` in it where there is no answer to be had.
    pub fn answer(&mut self) -> Option<(K, Option<A>)> {
        let (ticket, answer) = self.answers.try_recv().ok()?;
        let note = self.out.remove(&ticket)?;
        self.dispatch();
        Some((note, answer))
    }

    fn dispatch(&mut self) {
        while self.out.len() < self.limit {
            let Some((note, question)) = self.waiting.pop_front() else {
                break;
            };
            let ticket = self.issued;
            self.issued += 1;
            self.out.insert(ticket, note);
            let answer = Answer {
                ticket,
                desk: self.sender.clone(),
                activator: self.activator.clone(),
                sent: false,
            };
            self.outside.ask(question, answer);
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
    /// use hearth_operators::offload::{Answer, Offload};
    /// use timely::dataflow::operators::{ToStream, capture::{Capture, Extract}};
    ///
    /// let square = |n: u64, answer: Answer<u64>| {
    ///     std::thread::spawn(move || answer.send(n * n));
    /// };
    /// let squares = timely::example(move |scope| {
    ///     (1..4).to_stream(scope).offload("Square", Arc::new(square), 2).capture()
    /// });
    /// let mut squares: Vec<u64> = squares.extract().into_iter().flat_map(|(_, s)| s).collect();
    /// squares.sort();
    /// assert_eq!(squares, [1, 4, 9]);
    /// ```
    fn offload<A: Clone + 'static>(
        self,
        name: &str,
        outside: Arc<dyn Outside<Q, A>>,
        limit: usize,
    ) -> StreamVec<'s, Epoch, A>;
}

impl<'s, Q: Clone + 'static> Offload<'s, Q> for StreamVec<'s, Epoch, Q> {
    fn offload<A: Clone + 'static>(
        self,
        name: &str,
        outside: Arc<dyn Outside<Q, A>>,
        limit: usize,
    ) -> StreamVec<'s, Epoch, A> {
        let worker = self.scope().worker();
        self.unary(Pipeline, name, move |_capability, info| {
            let activator = worker.sync_activator_for(info.address.to_vec());
            let mut desk: Desk<Capability<Epoch>, Q, A> = Desk::new(outside, limit, activator);
            move |input, output| {
                input.for_each_stamp(|capability, data| {
                    if let Some(capability) = capability.retain_least(output.output_index()) {
                        for question in data.flat_map(std::mem::take) {
                            desk.ask(capability.clone(), question);
                        }
                    }
                });
                while let Some((capability, answer)) = desk.answer() {
                    if let Some(answer) = answer {
                        output.session(&capability).give(answer);
                    }
                }
            }
        })
    }
}
