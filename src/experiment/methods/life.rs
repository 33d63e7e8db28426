//! What a home has lived through, in order and with dates: what maintained models learn from.

use hearth_operators::words::{HomeId, Moment, Segment, Sequence, Time, Weekday};

/// A home before and after a shift.
#[derive(Clone, Debug, Default)]
pub struct Life {
    /// What it did before.
    pub past: Vec<Sequence>,
    /// What others think that it does since.
    pub imagined: Vec<Sequence>,
    /// What it did since.
    pub present: Vec<Sequence>,
}

const MINUTE: i64 = 60 * Time::SECOND;
const WEEK: i64 = 7 * Time::DAY;
/// A three-hour bucket.
const BUCKET: i64 = 3 * Time::HOUR;
/// Sequences a day: one a bucket.
const DAILY: i64 = 8;

/// Gives sequences without dates such that fit their weekdays and hours. Nothing is known of their order: they are spread over
/// weeks as they come.
#[derive(Clone, Debug)]
pub(super) struct Calendar {
    /// The first week.
    monday: Time,
    /// By weekday: how many sequences it has had since.
    had: [i64; 7],
}

impl Calendar {
    /// From the first Monday of 1970 on.
    pub fn new() -> Self {
        Calendar {
            monday: Time(4 * Time::DAY),
            had: [0; 7],
        }
    }

    /// Dates for some sequences, none empty: in order of time.
    pub fn date(&mut self, sequences: &[Sequence]) -> Vec<Segment> {
        let dated = sequences.iter().map(|sequence| {
            let had = &mut self.had[usize::from(sequence.weekday())];
            let week = Time(self.monday.0 + *had / DAILY * WEEK);
            *had += 1;
            within(week, sequence)
        });
        let mut dated: Vec<Segment> = dated.collect();
        dated.sort_by_key(Segment::start);
        dated
    }

    /// Begins the week after all that was dated, and says when that is.
    pub fn turn(&mut self) -> Time {
        let full = |had: &i64| (had + DAILY - 1) / DAILY;
        let weeks = self.had.iter().map(full).max().unwrap_or(0);
        self.monday.0 += weeks * WEEK;
        self.had = [0; 7];
        self.monday
    }
}

/// A sequence in a week: each behaviour is a minute after the one before while its hours allow, else in the middle of the next such
/// hours of its weekday. Time does not go back, whatever the sequence says.
pub(super) fn within(monday: Time, sequence: &Sequence) -> Segment {
    let mut now = monday.0;
    let mut moments = Vec::with_capacity(sequence.0.len());
    for q in &sequence.0 {
        let soon = Time(now + MINUTE);
        let goes_on = !moments.is_empty() && soon.local(0) == (q.weekday, q.hours);
        now = if goes_on {
            soon.0
        } else {
            next(now, q.weekday, i64::from(q.hours))
        };
        moments.push(Moment {
            time: Time(now),
            action: q.action,
            offset: 0,
        });
    }
    Segment {
        home: HomeId(0),
        moments,
    }
}

/// The next middle of a bucket of a weekday; the same instant if that is one, or where the bucket is too full to go on.
fn next(now: i64, weekday: Weekday, hours: i64) -> i64 {
    if Time(now).local(0) == (weekday, hours as u8) && now % BUCKET > BUCKET / 2 {
        return now;
    }
    let monday = now - (now - 4 * Time::DAY).rem_euclid(WEEK);
    let middle = monday + i64::from(weekday) * Time::DAY + hours * BUCKET + BUCKET / 2;
    if middle < now { middle + WEEK } else { middle }
}

#[cfg(test)]
mod tests {
    use hearth_operators::words::{ActionId, Quadruple};
    use proptest::prelude::*;

    use super::*;

    fn sequences() -> impl Strategy<Value = Vec<Sequence>> {
        let behavior = (0u8..7, 0u8..8, 0u16..3).prop_map(|(weekday, hours, action)| Quadruple {
            weekday,
            hours,
            action: ActionId(action),
        });
        let same = prop::collection::vec(behavior, 1..4).prop_flat_map(|some| {
            // Also many behaviours in the same hours.
            prop::collection::vec(prop::sample::select(some), 1..9)
        });
        prop::collection::vec(same.prop_map(Sequence), 0..60)
    }

    proptest! {
        /// What has dates is what had none, in time, and what is dated later comes later.
        #[test]
        fn dates_fit(sequences in sequences(), later in sequences()) {
            let mut calendar = Calendar::new();
            let mut expected = sequences.clone();
            let dated = calendar.date(&sequences);
            let mut found: Vec<Sequence> = dated.iter().map(Segment::sequence).collect();
            expected.sort();
            found.sort();
            prop_assert_eq!(found, expected);
            for segment in &dated {
                prop_assert!(segment.moments.is_sorted_by_key(|m| m.time));
            }
            prop_assert!(dated.is_sorted_by_key(Segment::start));
            let turned = calendar.turn();
            prop_assert!(dated.iter().all(|segment| segment.start() < turned));
            for segment in calendar.date(&later) {
                prop_assert!(segment.start() >= turned);
            }
        }
    }

    #[test]
    fn a_day_takes_one_sequence_a_bucket_and_a_bucket_any_number_of_behaviours() {
        let one = Sequence(vec![
            Quadruple {
                weekday: 2,
                hours: 7,
                action: ActionId(0)
            };
            200
        ]);
        let dated = Calendar::new().date(&vec![one.clone(); 9]);
        let days: Vec<i64> = dated.iter().map(|s| s.start().0 / Time::DAY).collect();
        assert_eq!(days, [vec![6; 8], vec![13]].concat());
        assert_eq!(dated[0].sequence(), one);
        assert_eq!(dated[0].end().0 - dated[0].start().0, 89 * MINUTE);
    }
}
