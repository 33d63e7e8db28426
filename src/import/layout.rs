//! Sequences without dates, laid out on a calendar.
//!
//! A sequence says weekday and three-hour bucket of each behaviour, in chronological order; where the next one would lie
//! before the last, a week has passed. [`Calendar::place`] gives each behaviour an instant such that
//! - weekday, bucket and order hold, and no two behaviours share an instant;
//! - the split decides as it would on the buckets themselves: for any two behaviours of a sequence, the time between
//!   them is more than 9 h (more than 24 h) exactly where the buckets lie more than 9 h (24 h) apart. For that,
//!   behaviours of one bucket stand close together, and each day's stand a little earlier in their bucket than the day's
//!   before it;
//! - sequences never touch: more than 33 h (`max_gap` and `max_span` together) lie between two of them, and at most ten
//!   days, far below `max_jump`.
//!
//! One thing time alone cannot keep apart: a sequence that begins with an action which closes something in the sequence
//! before it belongs to that one by meaning. [`order`] therefore chooses who follows whom (the data's order is shuffled
//! anyway, so no information is lost), and takes the sequence that can begin soonest, so that the calendar stays short.

use std::collections::VecDeque;

use hearth_operators::words::{Hours, Time, Weekday};

/// More than this lies between two sequences.
const APART: i64 = 33 * Time::HOUR;

const BUCKET: i64 = 3 * Time::HOUR;

/// Within a bucket, behaviours stand between its start and this.
const ROOM: i64 = 2 * Time::HOUR;

/// Lays sequences out one after the other.
#[derive(Clone)]
pub(super) struct Calendar {
    /// The last instant that is taken.
    last: Time,
}

impl Calendar {
    /// A calendar whose first sequence begins after midnight UTC of day `start` (microseconds since 1970).
    pub fn new(start: Time) -> Self {
        Calendar {
            last: Time(start.0 - APART),
        }
    }

    /// The last instant that is taken.
    pub fn last(&self) -> Time {
        self.last
    }

    /// The instants of a sequence's behaviours, after all that was placed before.
    pub fn place(&mut self, sequence: &[(Weekday, Hours)]) -> Vec<Time> {
        let buckets = buckets(sequence);
        let (Some(&first), Some(&last)) = (buckets.first(), buckets.last()) else {
            return Vec::new();
        };
        // The first whole day after the pause, then on to the sequence's weekday.
        let mut day = (self.last.0 + APART).div_euclid(Time::DAY) + 1;
        let weekday = |day: i64| (day + 3).rem_euclid(7);
        let wanted = i64::from(sequence[0].0);
        day += (wanted - weekday(day)).rem_euclid(7);
        // Buckets are counted from Monday 0 h of the first behaviour's week.
        let monday = (day - wanted) * Time::DAY;

        let days = last / 8 - first / 8 + 1;
        let day_step = (ROOM / (days + 1)).min(60 * Time::SECOND);
        let rank_step = day_step / (buckets.len() as i64 + 1);
        let mut rank = 0;
        let mut out = Vec::with_capacity(buckets.len());
        for (i, &bucket) in buckets.iter().enumerate() {
            rank = if i > 0 && buckets[i - 1] == bucket {
                rank + 1
            } else {
                0
            };
            let within = (days - (bucket / 8 - first / 8)) * day_step + rank * rank_step;
            out.push(Time(monday + bucket * BUCKET + within));
        }
        self.last = out[out.len() - 1];
        out
    }
}

/// The buckets of a sequence, counted on from Monday 0 h of its first behaviour's week: never falling.
fn buckets(sequence: &[(Weekday, Hours)]) -> Vec<i64> {
    const WEEK: i64 = 7 * 8;
    let mut last = 0;
    sequence
        .iter()
        .map(|&(weekday, hours)| {
            let slot = i64::from(weekday) * 8 + i64::from(hours);
            last += (slot - last).rem_euclid(WEEK);
            last
        })
        .collect()
}

/// The order in which `calendar` is to place sequences: each time the one that can begin soonest and is not `glued` to the one
/// before, among equals the first of the data (`None`: what was placed before this call). Returns positions in `sequences`, and
/// how many could only follow a sequence that they are glued to.
pub(super) fn order(
    sequences: &[Vec<(Weekday, Hours)>],
    mut calendar: Calendar,
    glued: impl Fn(Option<usize>, usize) -> bool,
) -> (Vec<usize>, usize) {
    let mut waiting: [VecDeque<usize>; 7] = Default::default();
    for (i, sequence) in sequences.iter().enumerate() {
        if let Some(first) = sequence.first() {
            waiting[usize::from(first.0)].push_back(i);
        }
    }
    let mut out = Vec::with_capacity(sequences.len());
    let mut joined = 0;
    while let Some(next) = {
        let soonest = (calendar.last().0 + APART).div_euclid(Time::DAY) + 1;
        let weekdays = (0..7).map(|later| ((soonest + 3 + later).rem_euclid(7)) as usize);
        let previous = out.last().copied();
        let free = |&candidate: &usize| !glued(previous, candidate);
        let choice = weekdays
            .clone()
            .find_map(|day| waiting[day].iter().position(&free).map(|at| (day, at)));
        let choice = choice.or_else(|| {
            let day = weekdays.clone().find(|&day| !waiting[day].is_empty())?;
            joined += 1;
            Some((day, 0))
        });
        choice.and_then(|(day, at)| waiting[day].remove(at))
    } {
        calendar.place(&sequences[next]);
        out.push(next);
    }
    (out, joined)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sequence() -> impl Strategy<Value = Vec<(Weekday, Hours)>> {
        prop::collection::vec((0_u8..7, 0_u8..8), 1..30)
    }

    proptest! {
        #[test]
        fn the_calendar_keeps_what_the_sequences_say(sequences in prop::collection::vec(sequence(), 1..12), start in -20_000_i64..20_000) {
            let mut calendar = Calendar::new(Time(start * Time::DAY));
            let mut end: Option<Time> = None;
            for sequence in &sequences {
                let times = calendar.place(sequence);
                let read: Vec<_> = times.iter().map(|t| t.local(0)).collect();
                prop_assert_eq!(&read, sequence);
                prop_assert!(times.is_sorted_by(|a, b| a < b));
                prop_assert!(times[0].0 >= start * Time::DAY);
                if let Some(end) = end {
                    prop_assert!(times[0].0 - end.0 > APART);
                    prop_assert!(times[0].0 - end.0 < 10 * Time::DAY);
                }
                let grid = buckets(sequence);
                for i in 0..times.len() {
                    for j in i..times.len() {
                        let (real, coarse) = (times[j].0 - times[i].0, (grid[j] - grid[i]) * 3);
                        prop_assert_eq!(real > 24 * Time::HOUR, coarse > 24);
                        if j == i + 1 {
                            prop_assert_eq!(real > 9 * Time::HOUR, coarse > 9);
                            prop_assert!(real < 8 * Time::DAY);
                        }
                    }
                }
                end = times.last().copied();
            }
        }

        /// Each sequence is placed once, and where it can be helped nobody follows whom it is glued to.
        #[test]
        fn the_order_is_a_permutation_without_glue(sequences in prop::collection::vec(sequence(), 1..40), sticky in 0_usize..8) {
            let glued = |before: Option<usize>, after: usize| before.is_none_or(|b| b % 8 == sticky) && after.is_multiple_of(5);
            let (order, joined) = order(&sequences, Calendar::new(Time(0)), glued);
            let mut sorted = order.clone();
            sorted.sort_unstable();
            prop_assert_eq!(sorted, (0..sequences.len()).collect::<Vec<_>>());
            let met = order.windows(2).filter(|pair| glued(Some(pair[0]), pair[1])).count()
                + usize::from(glued(None, order[0]));
            prop_assert_eq!(met, joined);
        }
    }
}
