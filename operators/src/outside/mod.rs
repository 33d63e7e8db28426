//! Work outside the workers: questions go out, answers come back at the question's own epoch.

mod offload;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::mpsc;

use timely::scheduling::SyncActivator;

pub use offload::{Offload, Questions};

/// A service that answers asynchronously: a synthesizer, a trainer, an encoder.
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
pub struct Answer<A>(Option<Deliver<A>>);

/// Says whether anybody was there to take it.
type Deliver<A> = Box<dyn FnOnce(Option<A>) -> bool + Send>;

impl<A> Answer<A> {
    /// To whoever `deliver` tells, from any thread; `None`: there is no answer to be had. It says whether somebody still waited.
    pub fn new(deliver: impl FnOnce(Option<A>) -> bool + Send + 'static) -> Self {
        Answer(Some(Box::new(deliver)))
    }

    /// Sends the answer, and says whether anybody still waited for it.
    pub fn send(mut self, answer: A) -> bool {
        self.0.take().is_some_and(|deliver| deliver(Some(answer)))
    }
}

impl<A> Drop for Answer<A> {
    fn drop(&mut self) {
        if let Some(deliver) = self.0.take() {
            deliver(None);
        }
    }
}

/// An operator's questions: those that wait, in order, and those that are out, each with a note `K` that comes back with the
/// answer. Nothing of them is state: what is to survive a suspension, the operator keeps, and asks again.
pub(crate) struct Inquiries<K, Q, A> {
    outside: Arc<dyn Outside<Q, A>>,
    activator: SyncActivator,
    limit: usize,
    waiting: VecDeque<(K, Q)>,
    out: HashMap<u64, K>,
    issued: u64,
    sender: mpsc::Sender<(u64, Option<A>)>,
    answers: mpsc::Receiver<(u64, Option<A>)>,
}

impl<K, Q, A: Send + 'static> Inquiries<K, Q, A> {
    /// At most `limit` questions are out at a time.
    pub fn new(outside: Arc<dyn Outside<Q, A>>, limit: usize, activator: SyncActivator) -> Self {
        let (sender, answers) = mpsc::channel();
        Inquiries {
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

    /// Forgets all questions; nobody waits for answers that are still to come. Their notes.
    pub fn abandon(&mut self) -> impl Iterator<Item = K> {
        (self.sender, self.answers) = mpsc::channel();
        let waiting = self.waiting.drain(..).map(|(note, _)| note);
        waiting.chain(self.out.drain().map(|(_, note)| note))
    }

    fn dispatch(&mut self) {
        while self.out.len() < self.limit {
            let Some((note, question)) = self.waiting.pop_front() else {
                break;
            };
            let ticket = self.issued;
            self.issued += 1;
            self.out.insert(ticket, note);
            let (answers, activator) = (self.sender.clone(), self.activator.clone());
            let answer = Answer::new(move |answer| {
                let waited = answers.send((ticket, answer)).is_ok();
                // Where the worker is gone, there is nobody to wake.
                let _ = activator.activate();
                waited
            });
            self.outside.ask(question, answer);
        }
    }
}
