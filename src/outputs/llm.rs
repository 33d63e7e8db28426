//! What a language model was asked in a run and what that cost, for `summary.json` and for a person.

use std::fmt;

use serde::Serialize;

use super::grouped;
use crate::config::Money;

/// What became of a run's requests to a language model, and what they cost.
#[derive(Clone, Debug, Default, Serialize)]
pub struct LlmSummary {
    /// The model, as it was asked for.
    pub model: String,
    /// Requests that were taken on.
    pub requests: u64,
    /// Of these, answered from the cassette.
    pub recorded: u64,
    /// Requests that were asked anew because their call is another than the recorded one.
    pub changed: u64,
    /// What is different in the first of these.
    pub first_change: Option<String>,
    /// Requests that got no answer, for whatever reason.
    pub failed: u64,
    /// Of these, because the budget did not allow for them.
    pub unaffordable: u64,
    /// Why the server refuses all requests, if it does.
    pub refused: Option<String>,
    /// Attempts, tokens and money, this run's and those that the ledger held before.
    #[serde(flatten)]
    pub spent: Option<LlmTotals>,
}

impl fmt::Display for LlmSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "  asked of {}: {} from the cassette",
            self.model,
            grouped(self.recorded)
        )?;
        if self.changed > 0 {
            let changed = grouped(self.changed);
            write!(
                f,
                ", {changed} recorded otherwise and asked anew (summary.json says how)"
            )?;
        }
        if self.failed > 0 {
            write!(f, ", {} without an answer", grouped(self.failed))?;
        }
        if self.unaffordable > 0 {
            write!(f, " ({} for want of budget)", grouped(self.unaffordable))?;
        }
        let Some(spent) = &self.spent else {
            return Ok(());
        };
        write!(
            f,
            "; {} calls, {} + {} tokens, {} spent",
            grouped(spent.calls),
            grouped(spent.input_tokens),
            grouped(spent.output_tokens),
            spent.spent
        )?;
        if spent.unaccounted.calls > 0 {
            write!(
                f,
                ", {} of it for {} calls of unknown end",
                spent.unaccounted.money,
                grouped(spent.unaccounted.calls)
            )?;
        }
        if spent.overrun.calls > 0 {
            write!(
                f,
                "; the server counted {} more than it can have been sent",
                spent.overrun.money
            )?;
        }
        Ok(())
    }
}

/// Where the money went. Amounts are decimal numbers in a string, exact.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LlmTotals {
    /// Attempts that were answered.
    pub calls: u64,
    /// Of these, the ones whose server does not tell its count: they are booked at their ceiling.
    pub untold: u64,
    /// Tokens of the messages of answered attempts.
    pub input_tokens: u64,
    /// Tokens of their answers.
    pub output_tokens: u64,
    /// All that is spent: answered attempts and unaccounted ones.
    pub spent: Money,
    /// Attempts that nobody knows the end of (an answer that broke off, a killed run): the server may have charged for
    /// them, so they are spent at their ceiling.
    pub unaccounted: LlmCharges,
    /// Set aside for attempts under way.
    pub reserved: LlmCharges,
    /// Attempts that cost more than their ceiling, and how much more.
    pub overrun: LlmCharges,
    /// Homes that money was spent on.
    pub homes: u64,
    /// The most that was spent on one.
    pub home_maximum: Money,
}

/// Attempts, and the money that they stand for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LlmCharges {
    /// How many.
    pub calls: u64,
    /// How much.
    pub money: Money,
}

impl LlmCharges {
    pub(crate) fn add(&mut self, money: Money) {
        self.calls += 1;
        self.money += money;
    }

    pub(crate) fn take(&mut self, money: Money) {
        self.calls = self.calls.saturating_sub(1);
        self.money = self.money.minus(money);
    }
}
