//! The arithmetic of a budget: no file, no clock, no waiting.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;

use super::super::Usage;
use super::prices::Prices;
use crate::config::Money;
use crate::outputs::LlmTotals;

/// What may be spent; `None` is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Budget {
    /// By all calls together.
    pub run: Option<Money>,
    /// By the calls for one home.
    pub home: Option<Money>,
}

/// A reservation that is neither settled nor released.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Open {
    /// Whom it is for.
    pub home: String,
    /// The most that the attempt can have.
    pub ceiling: Usage,
    /// What that costs.
    pub money: Money,
}

/// What is decided about a reservation.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// There is money for it, whatever becomes of the others.
    Grant,
    /// There is, if attempts under way cost less than they may.
    Wait,
    /// There is none, in a sentence.
    Refuse(String),
}

/// What was spent on a home (or by the run), and what is set aside for it.
#[derive(Clone, Copy, Default)]
struct Account {
    spent: Money,
    reserved: Money,
}

/// All reservations of a run, open and done.
pub(super) struct Accounts {
    prices: Prices,
    budget: Budget,
    totals: LlmTotals,
    open: BTreeMap<u64, Open>,
    homes: HashMap<String, Account>,
    next: u64,
}

impl Accounts {
    pub fn new(prices: Prices, budget: Budget) -> Self {
        Accounts {
            prices,
            budget,
            totals: LlmTotals::default(),
            open: BTreeMap::new(),
            homes: HashMap::new(),
            next: 0,
        }
    }

    pub fn prices(&self) -> Prices {
        self.prices
    }

    pub fn next(&self) -> u64 {
        self.next
    }

    /// Whether so much may be set aside for a home now.
    pub fn decide(&self, home: &str, money: Money) -> Decision {
        if self.budget == Budget::default() {
            return Decision::Grant;
        }
        if self.totals.overrun.calls > 0 {
            return Decision::Refuse(format!(
                "the server charged {} more than a call's messages and `max_tokens` can come to, so no budget can be kept: \
                 nothing more is asked",
                self.totals.overrun.money
            ));
        }
        let home = self.homes.get(home).copied().unwrap_or_default();
        let run = Account {
            spent: self.totals.spent,
            reserved: self.totals.reserved.money,
        };
        let mut wait = false;
        for (budget, account, whose) in [
            (self.budget.run, run, "the run"),
            (self.budget.home, home, "a home"),
        ] {
            let Some(budget) = budget else { continue };
            let committed = account.spent.plus(money);
            if committed > budget {
                return Decision::Refuse(format!(
                    "the budget of {whose} is {budget}: {} is spent, and this call may cost {money}",
                    account.spent
                ));
            }
            wait |= committed.plus(account.reserved) > budget;
        }
        if wait {
            Decision::Wait
        } else {
            Decision::Grant
        }
    }

    /// Sets money aside. The journal's reservations come in here too, whatever the budget is by now.
    pub fn reserve(&mut self, id: u64, open: Open) -> Result<(), String> {
        if id < self.next {
            return Err(format!("reservation {id} was made before"));
        }
        self.next = id + 1;
        self.totals.reserved.add(open.money);
        self.homes.entry(open.home.clone()).or_default().reserved += open.money;
        self.open.insert(id, open);
        Ok(())
    }

    /// What an attempt has cost: by the server's count, else its ceiling.
    pub fn charge(&self, id: u64, usage: Option<Usage>) -> Result<Money, String> {
        let open = self.open.get(&id).ok_or_else(|| not_open(id))?;
        Ok(usage.map_or(open.money, |usage| self.prices.cost(usage)))
    }

    /// Books an answered attempt.
    pub fn settle(&mut self, id: u64, usage: Option<Usage>, cost: Money) -> Result<(), String> {
        let open = self.close(id)?;
        let counted = usage.unwrap_or(open.ceiling);
        let totals = &mut self.totals;
        totals.calls += 1;
        totals.untold += u64::from(usage.is_none());
        totals.input_tokens = totals.input_tokens.saturating_add(counted.input);
        totals.output_tokens = totals.output_tokens.saturating_add(counted.output);
        if cost > open.money {
            totals.overrun.add(cost.minus(open.money));
        }
        self.spend(&open.home, cost);
        Ok(())
    }

    /// Gives back what an attempt did not need: it cost nothing.
    pub fn release(&mut self, id: u64) -> Result<(), String> {
        self.close(id).map(drop)
    }

    /// Takes an attempt of unknown end as spent in full.
    pub fn lose(&mut self, id: u64) -> Result<Open, String> {
        let open = self.close(id)?;
        self.totals.unaccounted.add(open.money);
        self.spend(&open.home, open.money);
        Ok(open)
    }

    /// Takes all open attempts as spent in full: who made them is dead.
    pub fn lose_all(&mut self) -> Vec<Open> {
        let ids: Vec<u64> = self.open.keys().copied().collect();
        ids.into_iter()
            .filter_map(|id| self.lose(id).ok())
            .collect()
    }

    pub fn totals(&self) -> LlmTotals {
        let spent = || self.homes.values().map(|account| account.spent);
        LlmTotals {
            homes: spent().filter(|spent| *spent > Money::ZERO).count() as u64,
            home_maximum: spent().max().unwrap_or_default(),
            ..self.totals.clone()
        }
    }

    fn close(&mut self, id: u64) -> Result<Open, String> {
        let open = self.open.remove(&id).ok_or_else(|| not_open(id))?;
        self.totals.reserved.take(open.money);
        if let Some(account) = self.homes.get_mut(&open.home) {
            account.reserved = account.reserved.minus(open.money);
        }
        Ok(open)
    }

    fn spend(&mut self, home: &str, money: Money) {
        self.totals.spent += money;
        if let Some(account) = self.homes.get_mut(home) {
            account.spent += money;
        }
    }
}

fn not_open(id: u64) -> String {
    format!("reservation {id} is not open")
}
