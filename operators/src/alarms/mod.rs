//! Alarms: what a person is told of. A person can look at few, so they have a [budget](Budget).
//!
//! An alarm is a segment with behaviours whose score exceeds the home's threshold. The threshold follows what comes:
//!
//! - A home's *level* is how surprising its days usually are: of the greatest scores of its latest days the median, and by how
//!   much days above it exceed it on average (with the cohort's average as five more such days).
//! - How *seldom* a score is follows from how many spreads it lies above the median. The shape of that tail is the cohort's:
//!   counts of how high its homes' segments went; an exponential one until there are such counts. So a home has a threshold for
//!   what comes once a month after five days, though nothing has come once a month yet.
//! - The threshold is the score that is exceeded as often as the budget says, times e to twice the *debt*: the alarms that the
//!   budget would have allowed by now less those that there were (at most two, either way). So the budget is kept whatever the tail is like, also when a
//!   shift makes everything surprising: each alarm makes the next one harder, and silence makes it easier.
//!
//! A home is learnt for five days, in silence.
//!
//! What is known when a segment is judged are the segments that stand and start before it, as they were recorded when they
//! came; a segment that is taken back, while it is not final, takes its record with it. So the alarms are a function of the
//! segments that stand, in the order of event time, and of what the cohort had shown in the epoch in which each came.
//!
//! Costs per segment, not per behaviour: a few hundred steps. A home takes at most 512 bytes for its days, 32 a segment that is
//! not final, and its latest alarms.

mod budget;
mod home;
mod level;
mod reasons;
mod tails;

pub use budget::Budget;
pub use home::{Alarm, Alarms, Standing, Verdict};
pub use reasons::{Between, Fact, Pause, Reason, open_reasons, reasons};
pub use tails::{TailChanges, Tails};

#[cfg(test)]
mod tests;
