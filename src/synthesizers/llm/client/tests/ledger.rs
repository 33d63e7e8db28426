//! A purse that keeps count.

use std::sync::{Arc, Mutex};

use crate::synthesizers::llm::{CallError, Later, Purse, Reservation, Usage};

/// What became of reservations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attempts {
    pub reserved: usize,
    pub settled: Vec<Option<Usage>>,
    pub released: usize,
    pub spent: usize,
}

/// Has money for so many attempts; what is released can be reserved again.
pub struct Ledger {
    attempts: usize,
    counts: Arc<Mutex<Attempts>>,
}

struct Held(Option<Arc<Mutex<Attempts>>>);

impl Ledger {
    pub fn for_attempts(attempts: usize) -> Self {
        Ledger {
            attempts,
            counts: Arc::default(),
        }
    }

    /// Enough for anything.
    pub fn rich() -> Self {
        Ledger::for_attempts(usize::MAX)
    }

    pub fn counts(&self) -> Attempts {
        self.counts.lock().unwrap().clone()
    }
}

impl Purse for Ledger {
    fn reserve(&self) -> Later<'_, Result<Box<dyn Reservation>, CallError>> {
        let mut counts = self.counts.lock().unwrap();
        let answer: Result<Box<dyn Reservation>, _> =
            if counts.reserved - counts.released < self.attempts {
                counts.reserved += 1;
                Ok(Box::new(Held(Some(Arc::clone(&self.counts)))))
            } else {
                Err(CallError::Unaffordable("the purse is empty".to_owned()))
            };
        Box::pin(async move { answer })
    }
}

impl Reservation for Held {
    fn settle(mut self: Box<Self>, usage: Option<Usage>) {
        let counts = self.0.take().unwrap();
        counts.lock().unwrap().settled.push(usage);
    }

    fn release(mut self: Box<Self>) {
        let counts = self.0.take().unwrap();
        counts.lock().unwrap().released += 1;
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(counts) = &self.0 {
            counts.lock().unwrap().spent += 1;
        }
    }
}
