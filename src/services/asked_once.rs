//! Questions that survive whoever asked them: asked again while they are out, they are not asked twice.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hearth_operators::outside::{Answer, Outside};

/// A service of which each question, known by a key, is asked once: whoever asks it again, for the dataflow was taken down and built
/// again meanwhile, gets the answer of the first time. What costs minutes or money is neither begun anew nor paid twice.
pub struct AskedOnce<Q, K, A> {
    inner: Arc<dyn Outside<Q, A>>,
    key: fn(&Q) -> K,
    open: Open<K, A>,
}

type Open<K, A> = Arc<Mutex<HashMap<K, State<A>>>>;

enum State<A> {
    /// It is out, and these wait.
    Out(Vec<Answer<A>>),
    /// It was answered when nobody waited.
    Answered(A),
}

impl<Q, K, A> AskedOnce<Q, K, A> {
    /// Over a service.
    pub fn over(inner: Arc<dyn Outside<Q, A>>, key: fn(&Q) -> K) -> Arc<Self> {
        let open = Arc::default();
        Arc::new(AskedOnce { inner, key, open })
    }
}

impl<Q, K, A> Outside<Q, A> for AskedOnce<Q, K, A>
where
    K: Copy + Eq + Hash + Send + 'static,
    A: Clone + Send + 'static,
{
    fn ask(&self, question: Q, answer: Answer<A>) {
        let key = (self.key)(&question);
        let mut open = lock(&self.open);
        match open.remove(&key) {
            Some(State::Answered(known)) => {
                drop(open);
                answer.send(known);
            }
            Some(State::Out(mut waiting)) => {
                waiting.push(answer);
                open.insert(key, State::Out(waiting));
            }
            None => {
                open.insert(key, State::Out(vec![answer]));
                drop(open);
                let open = self.open.clone();
                let deliver = move |answer| deliver(&open, key, answer);
                self.inner.ask(question, Answer::new(deliver));
            }
        }
    }
}

fn deliver<K, A>(open: &Open<K, A>, key: K, answer: Option<A>) -> bool
where
    K: Copy + Eq + Hash,
    A: Clone,
{
    let mut open = lock(open);
    let Some(State::Out(waiting)) = open.remove(&key) else {
        return false;
    };
    // Without an answer the waiting ones are dropped, which says so.
    let Some(answer) = answer else { return true };
    let waited = waiting.into_iter().map(|waits| waits.send(answer.clone()));
    if !waited.fold(false, |any, waited| any | waited) {
        open.insert(key, State::Answered(answer));
    }
    true
}

fn lock<T>(open: &Mutex<T>) -> MutexGuard<'_, T> {
    open.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;

    use super::*;

    /// Whoever asked is gone when the answer comes, or was there first: it is worked out once.
    #[test]
    fn a_question_is_asked_once() {
        let asked = Arc::new(AtomicUsize::new(0));
        let (give, taken) = mpsc::channel::<Answer<u32>>();
        let inner = {
            let asked = asked.clone();
            Arc::new(move |_: u32, answer: Answer<u32>| {
                asked.fetch_add(1, Ordering::SeqCst);
                give.send(answer).unwrap();
            })
        };
        let kept = AskedOnce::over(inner, |question: &u32| *question);
        let ask = || {
            let (sender, receiver) = mpsc::channel();
            kept.ask(7, Answer::new(move |answer| sender.send(answer).is_ok()));
            receiver
        };
        // The first one goes, the second waits.
        drop(ask());
        let second = ask();
        taken.recv().unwrap().send(49);
        assert_eq!(second.recv().unwrap(), Some(49));
        // Nobody waits when it is answered; who asks then has it at once.
        drop(ask());
        taken.recv().unwrap().send(50);
        assert_eq!(ask().recv().unwrap(), Some(50));
        assert_eq!(asked.load(Ordering::SeqCst), 2);
        // There is none to be had.
        let third = ask();
        drop(taken.recv().unwrap());
        assert_eq!(third.recv().unwrap_or(None), None);
    }
}
