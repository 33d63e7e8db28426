//! How surprising a home's days usually are, and how seldom a score is.

use super::tails::{BINS, Tails, bin_floor};

/// How surprising a home's days are: by the greatest score of each.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Level {
    /// Their median.
    usual: f32,
    /// By how much days above the median exceed it, on average.
    spread: f32,
}

/// Days from which on a level is known.
const DAYS: usize = 4;
/// Days above the median that the spread of other homes counts as much as.
const OTHERS: f32 = 5.0;
/// Days of the cohort that the exponential tail counts as much as.
const EXPONENTIAL: f32 = 60.0;

impl Level {
    /// Of days with these greatest scores, in any order.
    pub fn of(mut days: Vec<f32>, tails: &Tails) -> Option<Level> {
        if days.len() < DAYS {
            return None;
        }
        days.sort_by(f32::total_cmp);
        let usual = f32::midpoint(days[(days.len() - 1) / 2], days[days.len() / 2]);
        let above = days.iter().filter(|score| **score > usual);
        let excess: f32 = above.clone().map(|score| score - usual).sum();
        let spread = (excess + OTHERS * tails.spread()) / (above.count() as f32 + OTHERS);
        Some(Level { usual, spread })
    }

    /// How many spreads a score is above what is usual.
    pub fn height(&self, score: f32) -> f32 {
        (score - self.usual) / self.spread
    }

    /// By how much a score exceeds what is usual, if it does.
    pub fn excess(&self, score: f32) -> Option<f32> {
        (score > self.usual).then_some(score - self.usual)
    }

    /// How often a day scores so high are reached: half of all days exceed their median, and beyond it an exponential tail
    /// stands in until the cohort has shown what its own is like.
    pub fn daily(&self, tails: &Tails, score: f32) -> f32 {
        let height = self.height(score);
        let exponential = 0.5 * (-height).exp();
        let seen = tails.reached(height) as f32;
        (seen + EXPONENTIAL * exponential) / (tails.days() as f32 + EXPONENTIAL)
    }

    /// The least score that is reached less often than so many times a day.
    pub fn threshold(&self, tails: &Tails, daily: f32) -> f32 {
        let wanted = daily * (tails.days() as f32 + EXPONENTIAL);
        let mut seen = 0;
        let mut ceiling = f32::INFINITY;
        for bin in (0..BINS).rev() {
            seen += tails.in_bin(bin);
            let floor = bin_floor(bin);
            let missing = wanted - seen as f32;
            if missing <= EXPONENTIAL * 0.5 * (-floor).exp() {
                // Where the exponential tail makes up for what is missing; nowhere in this bin if nothing is.
                let height = if missing > 0.0 {
                    -(missing / (EXPONENTIAL * 0.5)).ln()
                } else {
                    ceiling
                };
                return self.usual + self.spread * height.clamp(floor, ceiling);
            }
            ceiling = floor;
        }
        self.usual + self.spread * bin_floor(0)
    }
}
