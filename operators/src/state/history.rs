//! A home's segments in few bytes: kept for a shift that may be declared, and seldom looked at.

use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::packing::{self, Packing, read_number, write_number};
use crate::words::{ActionId, Moment, Segment, Time};

/// Segments of one home in the order of their starts: about five bytes a behaviour, where it is 16 in a [`Segment`].
///
/// Records stand one after the other, each with its length behind it: they are read from the back, as late events change
/// the last ones. A record is the first moment as it is; then of each further one a number that holds its action and two
/// bits, and the time since the one before. The bits: whether that time is in microseconds, not seconds; whether the
/// clock's offset follows, as it is another. Numbers are written seven bits a byte.
///
/// What is full is moved no more and is shared with clones: neither growing nor a cut copies what a home did long ago.
#[derive(Clone, Debug, Default)]
pub(crate) struct History {
    /// The oldest records.
    full: Option<Arc<Full>>,
    /// Those behind them.
    last: Vec<u8>,
}

/// Records that seldom change, in pieces that begin and end with one.
#[derive(Clone, Debug, Default)]
struct Full {
    pieces: Vec<Arc<[u8]>>,
    /// Bytes of the first piece that are gone: what is not kept for ever goes from there.
    gone: usize,
}

/// Bytes of a first moment: time, action, offset.
const FIRST: usize = 12;
/// Bytes of a record's length.
const LENGTH: usize = 4;
/// What a further behaviour takes most often.
const USUAL: usize = 4;
/// Bytes of a piece, at least.
const PIECE: usize = 1024;
/// Bytes by which the last records' room grows, at least.
const ROOM: usize = 128;

const IN_MICROSECONDS: u32 = 1;
const OTHER_OFFSET: u32 = 2;

impl Full {
    /// The pieces, the oldest first.
    fn pieces(&self) -> impl DoubleEndedIterator<Item = &[u8]> {
        let gone = |at| if at == 0 { self.gone } else { 0 };
        let pieces = self.pieces.iter().enumerate();
        pieces.map(move |(at, piece)| piece.get(gone(at)..).unwrap_or_default())
    }

    /// So many bytes of the first piece go.
    fn remove_first(&mut self, bytes: usize) {
        self.gone += bytes;
        if self
            .pieces
            .first()
            .is_some_and(|piece| piece.len() <= self.gone)
        {
            self.pieces.remove(0);
            self.gone = 0;
        }
    }
}

impl History {
    /// Adds a segment.
    pub fn insert(&mut self, segment: &Segment) {
        let start = segment.start();
        let later = self.backwards();
        let later = later.take_while(|place| place.record.start() > start);
        let place = later.last().map(|place| (place.piece, place.at));
        let (pieces, at) = place.unwrap_or((0, self.last.len()));
        self.thaw(pieces);
        let end = self.last.len();
        // Of many homes no second one comes for a long time.
        let first = self.last.is_empty() && self.full.is_none();
        let usual = FIRST + USUAL * segment.moments.len() + LENGTH - USUAL;
        if self.last.capacity() - end < usual {
            self.last
                .reserve_exact(if first { usual } else { usual.max(ROOM) });
        }
        write(&segment.moments, &mut self.last);
        let length = self.last.len() - end;
        self.last[at..].rotate_right(length);
        self.freeze();
    }

    /// Removes a segment. Whether it was there.
    pub fn remove(&mut self, segment: &Segment) -> bool {
        let start = segment.start();
        if self.oldest() == Some(start) && self.remove_first(segment) {
            return true;
        }
        let same = |record: &Record<'_>| record.moments().eq(segment.moments.iter().copied());
        let candidates = self.backwards();
        let candidates = candidates.take_while(|place| place.record.start() >= start);
        let found = candidates.filter(|place| same(&place.record)).last();
        let found = found.map(|place| (place.piece, place.at, place.record.0.len() + LENGTH));
        if let Some((pieces, at, length)) = found {
            self.thaw(pieces);
            self.last.drain(at..at + length);
            self.freeze();
        }
        found.is_some()
    }

    /// Removes the first segment, if it is this one.
    fn remove_first(&mut self, segment: &Segment) -> bool {
        let mut first = Vec::new();
        write(&segment.moments, &mut first);
        let is_first = self.pieces().next().is_some_and(|p| p.starts_with(&first));
        if is_first {
            match &mut self.full {
                Some(full) => Arc::make_mut(full).remove_first(first.len()),
                None => drop(self.last.drain(..first.len())),
            }
            self.full.take_if(|full| full.pieces.is_empty());
            if self.last.capacity() > (2 * self.last.len()).max(ROOM) {
                self.last.shrink_to_fit();
            }
        }
        is_first
    }

    /// When the first segment starts.
    pub fn oldest(&self) -> Option<Time> {
        let first = self.pieces().find(|piece| !piece.is_empty());
        first.map(|piece| Record(piece).start())
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.full.is_none() && self.last.is_empty()
    }

    /// The segments that start in `[from, until)`, each as its moments.
    pub fn between(&self, from: Time, until: Time) -> Vec<Vec<Moment>> {
        let records = self.backwards().map(|place| place.record);
        let records = records.skip_while(|r| r.start() >= until);
        let records = records.take_while(|r| r.start() >= from);
        let mut segments: Vec<Vec<_>> = records.map(|r| r.moments().collect()).collect();
        segments.reverse();
        segments
    }

    /// Whether a segment starts in `[from, until)`.
    pub fn any(&self, from: Time, until: Time) -> bool {
        let mut starts = self.backwards().map(|place| place.record.start());
        starts
            .find(|start| *start < until)
            .is_some_and(|last| last >= from)
    }

    /// Reads where the next segment will be written.
    pub fn touch(&self) -> i64 {
        self.last.last().map_or(0, |last| i64::from(*last))
    }

    /// All records, the oldest first, in pieces.
    fn pieces(&self) -> impl DoubleEndedIterator<Item = &[u8]> {
        let full = self.full.iter().flat_map(|full| full.pieces());
        full.chain([&self.last[..]])
    }

    /// The records with their places, the last one first.
    fn backwards(&self) -> impl Iterator<Item = Place<'_>> {
        let pieces = self.pieces().rev().enumerate();
        pieces.flat_map(|(piece, bytes)| {
            let records = backwards(bytes);
            records.map(move |(at, record)| Place { piece, at, record })
        })
    }

    /// Has so many pieces be changed: they join the last records.
    fn thaw(&mut self, pieces: usize) {
        let Some(full) = self.full.as_mut().filter(|_| pieces > 0) else {
            return;
        };
        let full = Arc::make_mut(full);
        let stay = full.pieces.len().saturating_sub(pieces);
        let mut joined = full.pieces().skip(stay).collect::<Vec<_>>().concat();
        joined.append(&mut self.last);
        self.last = joined;
        full.pieces.truncate(stay);
        self.full.take_if(|full| full.pieces.is_empty());
    }

    /// Where the last records are enough for a piece, they are one.
    fn freeze(&mut self) {
        if self.last.len() >= PIECE {
            let last = std::mem::take(&mut self.last);
            let full = Arc::make_mut(self.full.get_or_insert_default());
            full.pieces.push(last.into());
        }
    }
}

/// A cut, and whoever compares, sees the records alone.
impl Packing for History {
    fn pack(&self) -> Vec<u8> {
        self.pieces().collect::<Vec<_>>().concat()
    }

    fn unpack(bytes: &[u8]) -> Option<Self> {
        let mut history = History::default();
        let mut rest = bytes;
        let mut pieces = Vec::new();
        for (at, _) in backwards(bytes) {
            if rest.len() - at >= PIECE {
                pieces.push(Arc::from(&rest[at..]));
                rest = &rest[..at];
            }
        }
        // What is left comes before them, and is less than a piece.
        if pieces.is_empty() {
            history.last = rest.to_vec();
        } else {
            pieces.extend((!rest.is_empty()).then(|| Arc::from(rest)));
            pieces.reverse();
            history.full = Some(Arc::new(Full { pieces, gone: 0 }));
        }
        Some(history)
    }
}

impl Serialize for History {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        packing::serialize(self, to)
    }
}

impl<'de> Deserialize<'de> for History {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        packing::deserialize(from)
    }
}

impl PartialEq for History {
    fn eq(&self, other: &Self) -> bool {
        self.pack() == other.pack()
    }
}

/// Where a record lies.
struct Place<'a> {
    /// In which piece, counted from the back.
    piece: usize,
    /// Bytes of the piece before it.
    at: usize,
    record: Record<'a>,
}

/// The records of a piece, the last one first, with the bytes before each.
fn backwards(piece: &[u8]) -> impl Iterator<Item = (usize, Record<'_>)> {
    let mut rest = piece;
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

/// Writes a record.
fn write(moments: &[Moment], bytes: &mut Vec<u8>) {
    let Some((first, more)) = moments.split_first() else {
        return;
    };
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
        let segment = prop::collection::vec(moment, 1..120);
        prop::collection::btree_map(any::<i16>(), segment, 0..24).prop_map(|segments| {
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
            from in 0usize..24, until in 0usize..24, gone in any::<prop::sample::Selector>(), read_back: bool,
        ) {
            let mut history = History::default();
            for segment in &shuffled {
                history.insert(segment);
            }
            prop_assert_eq!(history.between(ALL.0, ALL.1), moments(&segments));
            let mut in_order = History::default();
            segments.iter().for_each(|segment| in_order.insert(segment));
            prop_assert_eq!(history.pack(), in_order.pack());
            if read_back {
                history = History::unpack(&history.pack()).unwrap();
            }
            let clone = history.clone();
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
            prop_assert_eq!(clone, in_order);
        }
    }

    #[test]
    fn what_is_full_is_shared_and_not_moved() {
        let segment = |hour: i64| Segment {
            home: HomeId(0),
            moments: vec![
                Moment {
                    time: Time(hour * Time::HOUR),
                    action: ActionId(1),
                    offset: 0,
                };
                25
            ],
        };
        let mut history = History::default();
        (0..50).for_each(|hour| history.insert(&segment(hour)));
        let cut = history.clone();
        (50..100).for_each(|hour| history.insert(&segment(hour)));
        assert!(history.remove(&segment(0)) && history.remove(&segment(99)));
        let pieces = |history: &History| -> Vec<*const u8> {
            let full = history.full.as_ref().unwrap();
            full.pieces.iter().map(|piece| piece.as_ptr()).collect()
        };
        let shared = pieces(&cut);
        assert!(shared.len() > 2 && pieces(&history).starts_with(&shared));
        assert_eq!(cut.between(ALL.0, ALL.1).len(), 50);
        assert_eq!(history.between(ALL.0, ALL.1).len(), 98);
    }

    /// As a checkpoint of another Hearth may have it: then the rest of its bytes are not understood, but kept.
    #[test]
    fn what_makes_no_sense_is_read_without_a_panic() {
        let bytes = [7; 3 * PIECE];
        let history = History::unpack(&bytes).unwrap();
        assert_eq!(history.between(ALL.0, ALL.1), Vec::<Vec<_>>::new());
        assert_eq!(history.pack(), bytes);
    }
}
