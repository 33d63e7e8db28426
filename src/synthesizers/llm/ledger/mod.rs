//! The money for calls: reserved before a call goes out, settled when its answer is there, kept through kills.
//!
//! Spending can never pass the budget, because at any time
//! `spent + set aside ≤ budget` for the run and for each home, every attempt's ceiling is set aside before it is sent, and
//! whatever has no known end stays spent. A [journal](JournalError) keeps that true across the end of the process: a
//! reservation is on the disk before its call goes out.
//!
//! Cost per attempt: two short lines, and one sync of the file, which all reservations share that come while it runs.

mod accounts;
#[cfg(test)]
mod fuzz;
mod journal;
mod prices;
#[cfg(test)]
mod tests;

use std::io;
use std::path::Path;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

pub use crate::config::{Money, Price};
pub use crate::outputs::LlmTotals;
pub use accounts::{Budget, Open};
pub use journal::{Found, JournalError};
pub use prices::Prices;

use super::{CallError, Later, Purse, Reservation, Usage};
use crate::disk::Disk;
use accounts::{Accounts, Decision};
use journal::{Journal, Line};

/// The money of a run.
#[derive(Clone)]
pub struct Ledger(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    /// Something was settled, released or lost: who waits for room looks again.
    changed: Notify,
    /// How many lines are on the disk. Whoever holds it is syncing.
    synced: tokio::sync::Mutex<u64>,
}

struct State {
    accounts: Accounts,
    journal: Journal,
    /// Lines written by this process.
    lines: u64,
    /// Why the journal can be written no more. Then nothing is reserved any more either.
    broken: Option<String>,
}

impl Ledger {
    /// Opens the journal, or makes it. What it holds counts against the budget; what it holds open is spent.
    ///
    /// # Errors
    /// The file cannot be used, is used by another run, or says what no ledger wrote.
    pub fn open(
        disk: &Disk,
        journal: &Path,
        prices: Prices,
        budget: Budget,
    ) -> Result<(Self, Found), JournalError> {
        let mut accounts = Accounts::new(prices, budget);
        let (journal, found) = Journal::open(disk, journal, &mut accounts)?;
        let shared = Shared {
            state: Mutex::new(State {
                accounts,
                journal,
                lines: 0,
                broken: None,
            }),
            changed: Notify::new(),
            synced: tokio::sync::Mutex::new(0),
        };
        Ok((Ledger(Arc::new(shared)), found))
    }

    /// The money for the attempts at one call for a home. The ceiling is the most tokens that one attempt can have.
    ///
    /// A reservation waits while there would be room if attempts under way cost nothing, and is refused when not even
    /// then. So whoever holds one must not wait for another.
    pub fn purse(&self, home: &str, ceiling: Usage) -> impl Purse + use<> {
        HomePurse {
            shared: Arc::clone(&self.0),
            home: home.to_owned(),
            ceiling,
        }
    }

    /// Where the money went so far.
    pub fn totals(&self) -> LlmTotals {
        self.0.state().accounts.totals()
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        // Each change of the state is whole before anything could panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets money aside if there is any, and says which line of the journal must be on the disk before it may be used.
    fn set_aside(
        self: &Arc<Self>,
        home: &str,
        ceiling: Usage,
    ) -> Result<Option<(Held, u64)>, CallError> {
        let mut state = self.state();
        let money = state.accounts.prices().cost(ceiling);
        match state.accounts.decide(home, money) {
            Decision::Grant => {}
            Decision::Wait => return Ok(None),
            Decision::Refuse(why) => return Err(CallError::Unaffordable(why)),
        }
        let id = state.accounts.next();
        let line = Line::Reserve {
            id,
            home: home.to_owned(),
            ceiling,
            money,
        };
        // It is not the budget that ends then, but what the run may do.
        state.write(&line).map_err(CallError::Refused)?;
        let open = Open {
            home: home.to_owned(),
            ceiling,
            money,
        };
        state
            .accounts
            .reserve(id, open)
            .map_err(CallError::Refused)?;
        let held = Held {
            shared: Arc::clone(self),
            id,
            stage: Stage::Unsent,
        };
        Ok(Some((held, state.lines)))
    }

    /// Returns once a line of the journal is on the disk. One sync serves all lines that were written before it.
    async fn sync(&self, line: u64) -> Result<(), String> {
        let mut synced = self.synced.lock().await;
        if *synced >= line {
            return Ok(());
        }
        let (file, lines) = {
            let state = self.state();
            (Arc::clone(&state.journal.file), state.lines)
        };
        let done = tokio::task::spawn_blocking(move || file.sync()).await;
        match done.map_err(io::Error::other).and_then(|done| done) {
            Ok(()) => {
                *synced = lines;
                Ok(())
            }
            Err(error) => {
                let mut state = self.state();
                let error = state.journal.error(error);
                Err(state.break_off(&error))
            }
        }
    }

    /// Changes the state, and lets those look again who wait for room.
    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state());
        self.changed.notify_waiters();
    }
}

impl State {
    fn write(&mut self, line: &Line) -> Result<(), String> {
        if let Some(broken) = &self.broken {
            return Err(broken.clone());
        }
        match self.journal.write(line) {
            Ok(()) => {
                self.lines += 1;
                Ok(())
            }
            Err(error) => Err(self.break_off(&error)),
        }
    }

    /// A line may be written in part: nothing is to follow it.
    fn break_off(&mut self, error: &JournalError) -> String {
        let why = format!("{error}. Nothing more is asked");
        self.broken.get_or_insert(why).clone()
    }
}

/// The money for one home's call.
struct HomePurse {
    shared: Arc<Shared>,
    home: String,
    ceiling: Usage,
}

impl Purse for HomePurse {
    fn reserve(&self) -> Later<'_, Result<Box<dyn Reservation>, CallError>> {
        Box::pin(async move {
            let (mut held, line) = loop {
                // Listen first: what changes between the look and the wait must not be missed.
                let mut changed = pin!(self.shared.changed.notified());
                changed.as_mut().enable();
                match self.shared.set_aside(&self.home, self.ceiling) {
                    Ok(Some(granted)) => break granted,
                    Ok(None) => changed.await,
                    Err(why) => return Err(why),
                }
            };
            let synced = self.shared.sync(line).await;
            synced.map_err(CallError::Refused)?;
            held.stage = Stage::Sent;
            Ok(Box::new(held) as Box<dyn Reservation>)
        })
    }
}

/// Money set aside.
struct Held {
    shared: Arc<Shared>,
    id: u64,
    stage: Stage,
}

#[derive(Clone, Copy)]
enum Stage {
    /// Not yet on the disk: its call cannot have gone out.
    Unsent,
    /// Its call may have gone out.
    Sent,
    /// Booked.
    Done,
}

impl Reservation for Held {
    fn settle(mut self: Box<Self>, usage: Option<Usage>) {
        self.stage = Stage::Done;
        let id = self.id;
        self.shared.change(|state| {
            // The reservation is open: only this can end it. What the journal lacks, it takes for spent in full.
            if let Ok(money) = state.accounts.charge(id, usage) {
                let _ = state.write(&Line::Settle { id, usage, money });
                let _ = state.accounts.settle(id, usage, money);
            }
        });
    }

    fn release(mut self: Box<Self>) {
        self.stage = Stage::Unsent;
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let id = self.id;
        match self.stage {
            Stage::Unsent => self.shared.change(|state| {
                let _ = state.write(&Line::Release { id });
                let _ = state.accounts.release(id);
            }),
            // No line: a reservation without an end is spent.
            Stage::Sent => self.shared.change(|state| {
                let _ = state.accounts.lose(id);
            }),
            Stage::Done => {}
        }
    }
}
