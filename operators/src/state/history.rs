//! A home's segments in few bytes: kept for a shift that may be declared, and seldom looked at.

use serde::{Deserialize, Serialize};

use super::packing::{self, read_number, write_number};
use crate::words::{ActionId, Moment, Segment, Time};

/// Segments of one home in the order of their starts: about five bytes a behaviour, where it is 16 in a [`Segment`].
///
/// Records stand one after the other, each with its length behind it: they are read from the back, as late events change
/// the last ones. A record is the first moment as it is; then of each further one a number that holds its action and two
/// bits, and the time since the one before. The bits: whether that time is in microseconds, not seconds; whether the
/// clock's offset follows, as it is another. Numbers are written seven bits a byte.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct History {
    #[serde(with = "packing::bytes")]
    bytes: Vec<u8>,
}

/// Bytes of a first moment: time, action, offset.
const FIRST: usize = 12;
/// Bytes of a record's length.
const LENGTH: usize = 4;
/// What a further behaviour takes most often.
const USUAL: usize = 4;

const IN_MICROSECONDS: u32 = 1;
const OTHER_OFFSET: u32 = 2;

impl History {
    /// Adds a segment.
    pub fn insert(&mut self, segment: &Segment) {
        let end = self.bytes.len();
        if end == 0 {
            // Of many homes no second one comes for a long time.
            let usual = FIRST + USUAL * segment.moments.len() + LENGTH - USUAL;
            self.bytes.reserve_exact(usual);
        }
        let start = segment.start();
        let later = self
            .backwards()
            .take_while(|(_, record)| record.start() > start);
        let place = later.last().map_or(end, |(place, _)| place);
        self.write(&segment.moments);
        let length = self.bytes.len() - end;
        self.bytes[place..].rotate_right(length);
    }

    /// Removes a segment. Whether it was there.
    pub fn remove(&mut self, segment: &Segment) -> bool {
        if self.oldest() == Some(segment.start()) && self.remove_first(segment) {
            return true;
        }
        let start = segment.start();
        let same = |record: &Record<'_>| record.moments().eq(segment.moments.iter().copied());
        let candidates = self.backwards().take_while(|(_, r)| r.start() >= start);
        let found = candidates.filter(|(_, record)| same(record)).last();
        let found = found.map(|(place, record)| place..place + record.0.len() + LENGTH);
        if let Some(record) = found.clone() {
            self.bytes.drain(record);
        }
        found.is_some()
    }

    /// Removes the first segment, if it is this one: what is not kept for ever goes from there.
    fn remove_first(&mut self, segment: &Segment) -> bool {
        let mut first = History::default();
        first.write(&segment.moments);
        let is_first = self.bytes.starts_with(&first.bytes);
        if is_first {
            self.bytes.drain(..first.bytes.len());
            if self.bytes.capacity() > 2 * self.bytes.len() {
                self.bytes.shrink_to_fit();
            }
        }
        is_first
    }

    /// When the first segment starts.
    pub fn oldest(&self) -> Option<Time> {
        (!self.is_empty()).then(|| Record(&self.bytes).start())
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The segments that start in `[from, until)`, each as its moments.
    pub fn between(&self, from: Time, until: Time) -> Vec<Vec<Moment>> {
        let records = self.backwards().map(|(_, record)| record);
        let records = records.skip_while(|r| r.start() >= until);
        let records = records.take_while(|r| r.start() >= from);
        let mut segments: Vec<Vec<_>> = records.map(|r| r.moments().collect()).collect();
        segments.reverse();
        segments
    }

    /// Reads where the next segment will be written.
    pub fn touch(&self) -> i64 {
        self.bytes.last().map_or(0, |last| i64::from(*last))
    }

    /// The records, the last one first, with their places.
    fn backwards(&self) -> impl Iterator<Item = (usize, Record<'_>)> {
        let mut rest = &self.bytes[..];
        std::iter::from_fn(move || {
            let (before, length) = rest.split_last_chunk::<LENGTH>()?;
            let place = before
                .len()
                .checked_sub(u32::from_le_bytes(*length) as usize)?;
            let (before, record) = before.split_at(place);
            rest = before;
            Some((place, Record(record)))
        })
    }

    /// Writes a record at the end.
    fn write(&mut self, moments: &[Moment]) {
        let Some((first, more)) = moments.split_first() else {
            return;
        };
        let bytes = &mut self.bytes;
        let begin = bytes.len();
        bytes.extend(first.time.0.to_le_bytes());
        bytes.extend(first.action.0.to_le_bytes());
        bytes.extend(first.offset.to_le_bytes());
        let mut before = *first;
        for moment in more {
            // Moments are in order, so the difference is none below zero.
            let since = moment.time.0.wrapping_sub(before.time.0) as u64;
            let seconds = since / Time::SECOND as u64;
            let whole = seconds * Time::SECOND as u64 == since;
            let mut code = u32::from(moment.action.0) << 2;
            if !whole {
                code |= IN_MICROSECONDS;
            }
            if moment.offset != before.offset {
                code |= OTHER_OFFSET;
            }
            write_number(u64::from(code), bytes);
            write_number(if whole { seconds } else { since }, bytes);
            if moment.offset != before.offset {
                bytes.extend(moment.offset.to_le_bytes());
            }
            before = *moment;
        }
        let length = (bytes.len() - begin) as u32;
        bytes.extend(length.to_le_bytes());
    }
}

/// A segment as it is kept.
struct Record<'a>(&'a [u8]);

impl Record<'_> {
    /// Time of the first behaviour.
    fn start(&self) -> Time {
        let bytes = self.0.first_chunk().copied().unwrap_or_default();
        Time(i64::from_le_bytes(bytes))
    }

    fn moments(&self) -> impl Iterator<Item = Moment> {
        let mut rest = self.0;
        let mut before = None;
        std::iter::from_fn(move || {
            let moment = match before {
                None => Moment {
                    time: Time(i64::from_le_bytes(take(&mut rest)?)),
                    action: ActionId(u16::from_le_bytes(take(&mut rest)?)),
                    offset: i16::from_le_bytes(take(&mut rest)?),
                },
                Some(Moment { time, offset, .. }) => {
                    let code = read_number(&mut rest)? as u32;
                    let since = read_number(&mut rest)? as i64;
                    let since = match code & IN_MICROSECONDS {
                        0 => since.wrapping_mul(Time::SECOND),
                        _ => since,
                    };
                    Moment {
                        time: Time(time.0.wrapping_add(since)),
                        action: ActionId((code >> 2) as u16),
                        offset: match code & OTHER_OFFSET {
                            0 => offset,
                            _ => i16::from_le_bytes(take(&mut rest)?),
                        },
                    }
                }
            };
            before = Some(moment);
            before
        })
    }
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, after) = rest.split_first_chunk()?;
    *rest = after;
    Some(*taken)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::words::HomeId;

    /// Segments of a home: starts are apart, times may be any.
    fn segments() -> impl Strategy<Value = Vec<Segment>> {
        let step = prop_oneof![
            0i64..4,
            (0i64..90_000).prop_map(|s| s * Time::SECOND),
            0i64..i64::MAX / 64
        ];
        let moment = (
            step,
            any::<u16>(),
            prop_oneof![4 => Just(60i16), 1 => any::<i16>()],
        );
        let segment = prop::collection::vec(moment, 1..12);
        prop::collection::btree_map(any::<i16>(), segment, 0..12).prop_map(|segments| {
            let segment = |(start, steps): (i16, Vec<(i64, u16, i16)>)| {
                let mut time = Time(i64::from(start) * Time::DAY);
                let moments = steps.into_iter().map(|(step, action, offset)| {
                    let moment = Moment {
                        time,
                        action: ActionId(action),
                        offset,
                    };
                    time.0 = time.0.saturating_add(step);
                    moment
                });
                Segment {
                    home: HomeId(0),
                    moments: moments.collect(),
                }
            };
            segments.into_iter().map(segment).collect()
        })
    }

    const ALL: (Time, Time) = (Time(i64::MIN), Time(i64::MAX));

    fn moments(segments: &[Segment]) -> Vec<Vec<Moment>> {
        segments.iter().map(|s| s.moments.clone()).collect()
    }

    proptest! {
        /// As a list in order, whatever the order in which segments come and go.
        #[test]
        fn keeps_what_a_list_keeps(
            (segments, shuffled) in segments().prop_flat_map(|s| (Just(s.clone()), Just(s).prop_shuffle())),
            from in 0usize..12, until in 0usize..12, gone in any::<prop::sample::Selector>(),
        ) {
            let mut history = History::default();
            for segment in &shuffled {
                history.insert(segment);
            }
            prop_assert_eq!(history.between(ALL.0, ALL.1), moments(&segments));
            let at = |i: usize| segments.get(i).map_or(ALL.1, Segment::start);
            let (from, until) = (from.min(until), until.max(from));
            let within = segments.iter().filter(|s| s.start() >= at(from) && s.start() < at(until));
            let within: Vec<_> = within.cloned().collect();
            prop_assert_eq!(history.between(at(from), at(until)), moments(&within));

            let mut left = segments.clone();
            if let Some((index, segment)) = gone.try_select(shuffled.iter().enumerate()) {
                prop_assert!(history.remove(segment));
                prop_assert!(!history.remove(segment));
                left.retain(|s| s != segment);
                let mut other = shuffled[index].clone();
                other.moments[0].offset ^= 1;
                prop_assert!(!history.remove(&other));
            }
            prop_assert_eq!(history.between(ALL.0, ALL.1), moments(&left));
            prop_assert_eq!(history.is_empty(), left.is_empty());
            for n in 0..left.len() {
                prop_assert_eq!(history.oldest(), Some(left[n].start()));
                prop_assert!(history.remove(&left[n]));
                prop_assert_eq!(history.between(ALL.0, ALL.1), moments(&left[n + 1..]));
            }
            prop_assert_eq!(history.oldest(), None);
        }
    }
}
