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
pub struct Answer<A> {
    ticket: u64,
    answers: mpsc::Sender<(u64, Option<A>)>,
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
        let _ = self.answers.send((self.ticket, answer));
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

impl<K, Q, A> Inquiries<K, Q, A> {
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

    /// Forgets all questions; answers that are still to come go nowhere. Their notes.
    pub fn abandon(&mut self) -> impl Iterator<Item = K> {
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
            let answer = Answer {
                ticket,
                answers: self.sender.clone(),
                activator: self.activator.clone(),
                sent: false,
            };
            self.outside.ask(question, answer);
        }
    }
}
