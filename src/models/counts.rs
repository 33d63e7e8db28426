//! What was counted in which context, as a sorted table: small, exact, and stored as it is.
//!
//! A context is smoothed by one more general (Witten and Bell, *The zero-frequency problem*, IEEE Transactions on
//! Information Theory 37(4), 1991): the more different outcomes it had, the less its counts are trusted.

use candle_core::{DType, Device, Tensor};

use super::error::ModelError;
use super::parameters::Source;

/// Where something is counted: a kind of context and two numbers. Plain, because there are many and they are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Context(i64);

impl Context {
    /// Bits of a number.
    pub const BITS: u32 = 17;

    /// The context of a kind that two numbers, each below 2¹⁷, say.
    pub const fn new(kind: i64, [a, b]: [i64; 2]) -> Self {
        Context((((kind << Self::BITS) | a) << Self::BITS) | b)
    }
}

/// How often an outcome came in a context.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Count {
    context: Context,
    pub outcome: u16,
    pub times: u32,
}

/// Counts in order of context and outcome, one each.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Counts(Vec<Count>);

impl Counts {
    /// Counts the outcome of each example in all its contexts, each named once.
    pub fn of(examples: impl IntoIterator<Item = (Vec<Context>, u16)>) -> Self {
        let mut all = Vec::new();
        for (contexts, outcome) in examples {
            all.extend(contexts.into_iter().map(|context| Count {
                context,
                outcome,
                times: 1,
            }));
        }
        all.sort_unstable();
        all.dedup_by(|next, kept| {
            let same = (next.context, next.outcome) == (kept.context, kept.outcome);
            kept.times += if same { next.times } else { 0 };
            same
        });
        Counts(all)
    }

    /// All counts of a context.
    pub fn followers(&self, context: Context) -> &[Count] {
        let start = self.0.partition_point(|c| c.context < context);
        let rest = &self.0[start..];
        &rest[..rest.partition_point(|c| c.context == context)]
    }

    /// The probability of an outcome, of so many that there are, in the last of a chain of contexts, the general before the
    /// particular.
    pub fn probability(&self, chain: &[Context], outcome: u16, outcomes: usize) -> f64 {
        chain.iter().fold(1.0 / outcomes as f64, |lower, context| {
            let followers = self.followers(*context);
            match Seen::of(followers, outcome) {
                seen if seen.total > 0.0 => seen.smoothed(lower, 1.0),
                _ => lower,
            }
        })
    }

    /// As a tensor of rows `[context, outcome, times]`.
    pub fn tensor(&self) -> Result<Tensor, ModelError> {
        let rows = self.0.iter();
        let rows: Vec<i64> = rows
            .flat_map(|c| [c.context.0, i64::from(c.outcome), i64::from(c.times)])
            .collect();
        Ok(Tensor::from_vec(rows, (self.0.len(), 3), &Device::Cpu)?)
    }

    /// From the tensor of that name, if there may be so many outcomes.
    pub fn stored(name: &str, outcomes: usize, source: &mut Source) -> Result<Self, ModelError> {
        let wrong = || {
            ModelError::Weights(format!(
                "the tensor `{name}` holds no counts of this catalog"
            ))
        };
        let rows = source.take_stored(name, DType::I64)?;
        if rows.rank() != 2 || rows.dim(1)? != 3 {
            return Err(wrong());
        }
        let rows: Vec<Vec<i64>> = rows.to_vec2()?;
        let counts = rows.iter().map(|row| {
            let &[context, outcome, times] = row.as_slice() else {
                return None;
            };
            let outcome = u16::try_from(outcome).ok()?;
            let times = u32::try_from(times).ok().filter(|&times| times > 0)?;
            (usize::from(outcome) < outcomes).then_some(Count {
                context: Context(context),
                outcome,
                times,
            })
        });
        let counts: Option<Vec<Count>> = counts.collect();
        let counts = counts.filter(|c| c.is_sorted()).ok_or_else(wrong)?;
        Ok(Counts(counts))
    }
}

/// What was seen in a context.
pub(super) struct Seen {
    /// How often the outcome in question.
    pub times: f64,
    /// How often any.
    pub total: f64,
    /// How many different ones.
    pub kinds: f64,
}

impl Seen {
    /// The counts of one outcome in a context.
    pub fn of(followers: &[Count], outcome: u16) -> Self {
        let of = followers.iter().find(|c| c.outcome == outcome);
        Seen {
            times: of.map_or(0.0, |c| f64::from(c.times)),
            total: followers.iter().map(|c| f64::from(c.times)).sum(),
            kinds: followers.len() as f64,
        }
    }

    /// Its probability, given the one that it has in a more general context.
    pub fn smoothed(&self, lower: f64, strength: f32) -> f64 {
        let trust = f64::from(strength) * self.kinds;
        (self.times + trust * lower) / (self.total + trust)
    }
}
