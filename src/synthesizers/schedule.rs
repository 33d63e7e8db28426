//! A schedule that shifts: activities keep their order and move by hours, over midnight into another weekday.

use hearth_operators::words::{Quadruple, Sequence};

/// Three-hour buckets of a day.
const DAY: i64 = 8;

/// For each behaviour its three-hour bucket, counted from the midnight before the first. Weekdays only go forward.
pub fn timeline(sequence: &[Quadruple]) -> Vec<i64> {
    let mut day = 0;
    let mut before = sequence.first().map_or(0, |q| q.weekday);
    let bucket = |q: &Quadruple| {
        day += (i64::from(q.weekday) - i64::from(before)).rem_euclid(7);
        before = q.weekday;
        day * DAY + i64::from(q.hours)
    };
    sequence.iter().map(bucket).collect()
}

/// The sequence with every behaviour moved by its bucket's number of buckets.
pub fn moved(sequence: &Sequence, buckets: &[i64; 8]) -> Sequence {
    let by = sequence.0.iter().map(|q| buckets[usize::from(q.hours)]);
    moved_each(sequence, &by.collect::<Vec<_>>())
}

/// The sequence with each behaviour moved by a number of buckets of its own.
pub fn moved_each(sequence: &Sequence, by: &[i64]) -> Sequence {
    let first = i64::from(sequence.weekday());
    let times = timeline(&sequence.0);
    let mut moved: Vec<(i64, Quadruple)> = sequence
        .0
        .iter()
        .zip(times.iter().zip(by))
        .map(|(q, (time, by))| {
            let time = time + by;
            let at = Quadruple {
                weekday: (first + time.div_euclid(DAY)).rem_euclid(7) as u8,
                hours: time.rem_euclid(DAY) as u8,
                action: q.action,
            };
            (time, at)
        })
        .collect();
    // Behaviours that move by different hours may change places; where all move alike, the order is left alone.
    let tears = |i: usize| times[i] <= times[i + 1] && moved[i].0 > moved[i + 1].0;
    if (0..moved.len().saturating_sub(1)).any(tears) {
        moved.sort_by_key(|&(time, _)| time);
    }
    Sequence(moved.into_iter().map(|(_, q)| q).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use hearth_operators::words::ActionId;

    fn sequence(behaviors: &[(u8, u8, u16)]) -> Sequence {
        let quadruple = |&(weekday, hours, action)| Quadruple {
            weekday,
            hours,
            action: ActionId(action),
        };
        Sequence(behaviors.iter().map(quadruple).collect())
    }

    #[test]
    fn half_a_day_turns_over_midnight_and_back() {
        let day = sequence(&[(6, 2, 1), (6, 3, 2), (6, 5, 3), (6, 7, 4), (0, 0, 5)]);
        let night = sequence(&[(6, 6, 1), (6, 7, 2), (0, 1, 3), (0, 3, 4), (0, 4, 5)]);
        assert_eq!(moved(&day, &[4; 8]), night);
        assert_eq!(moved(&night, &[-4; 8]), day);
    }

    #[test]
    fn uneven_moves_keep_time_in_order() {
        let source = sequence(&[(0, 2, 1), (0, 2, 2), (0, 3, 3)]);
        let table = [0, 0, 4, 0, 0, 0, 0, 0];
        let expected = sequence(&[(0, 3, 3), (0, 6, 1), (0, 6, 2)]);
        assert_eq!(moved(&source, &table), expected);
    }
}
