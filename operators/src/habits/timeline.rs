//! Segments in order of event time, as places.

use std::cmp::Ordering;

use super::places::{Clock, DEEPEST, Place, Places, room};
use crate::state::{Packing, read_number, read_signed, write_number, write_signed};
use crate::words::{ActionId, Segment, Sequence, Time};

/// Segments in order of event time, one after the other.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Timeline {
    places: Places,
    marks: Vec<Mark>,
}

/// Where a segment lies.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Mark {
    start: Time,
    end: Time,
    /// Its first place.
    first: u32,
}

impl Timeline {
    /// Sequences without dates, in their order.
    pub fn imagined<'a>(sequences: impl Iterator<Item = &'a Sequence>) -> Self {
        let mut timeline = Timeline::default();
        for sequence in sequences {
            let behaviors = sequence.0.iter();
            timeline.append(
                Time::default(),
                Time::default(),
                behaviors.map(|q| (q.action, Clock::within(q.hours))),
            );
        }
        timeline
    }

    /// All behaviours.
    pub fn places(&self) -> &Places {
        &self.places
    }

    /// The first places of segments, the last one first.
    pub fn starts(&self) -> impl Iterator<Item = usize> {
        self.marks.iter().rev().map(|mark| mark.first as usize)
    }

    /// When a segment starts.
    pub fn start(&self, segment: usize) -> Option<Time> {
        self.marks.get(segment).map(|mark| mark.start)
    }

    /// How many segments start before a time.
    pub fn before(&self, time: Time) -> usize {
        self.marks.partition_point(|mark| mark.start < time)
    }

    /// The first place of a segment: of the one that would be next, where places end.
    pub fn first(&self, segment: usize) -> usize {
        let mark = self.marks.get(segment);
        mark.map_or(self.places.len(), |mark| mark.first as usize)
    }

    /// Where a segment lies, or where it would.
    pub fn find(&self, segment: &Segment) -> Result<usize, usize> {
        let mut known = self.before(segment.start());
        while known < self.marks.len() {
            match self.compare(known, segment) {
                Ordering::Less => known += 1,
                Ordering::Equal => return Ok(known),
                Ordering::Greater => break,
            }
        }
        Err(known)
    }

    /// Puts a segment before that which is `at` now.
    pub fn insert(&mut self, at: usize, segment: &Segment) {
        let (marks, places) = self.split_off(at);
        let behaviors = segment.moments.iter();
        self.append(
            segment.start(),
            segment.end(),
            behaviors.map(|moment| (moment.action, Clock::of(moment))),
        );
        self.restore(&marks, &places);
    }

    /// Takes a segment out.
    pub fn remove(&mut self, at: usize) {
        let (marks, places) = self.split_off(at);
        let behaviors = marks
            .get(1)
            .map(|next| (next.first - marks[0].first) as usize);
        let behaviors = behaviors.unwrap_or(places.len());
        self.restore(&marks[1..], &places[behaviors..]);
    }

    /// Drops the first segments.
    pub fn drop_front(&mut self, segments: usize) {
        let places = self.first(segments);
        self.places.drop_front(places);
        self.marks.drain(..segments);
        for mark in &mut self.marks {
            mark.first -= places as u32;
        }
    }

    /// Bytes that it takes beside itself.
    pub fn bytes(&self) -> usize {
        self.places.bytes() + size_of::<Mark>() * self.marks.capacity()
    }

    fn compare(&self, known: usize, segment: &Segment) -> Ordering {
        let mark = &self.marks[known];
        let places = (self.first(known)..self.first(known + 1)).map(|place| {
            let place = self.places.get(place);
            (place.action, place.clock.day, place.clock.minute)
        });
        let moments = segment.moments.iter().map(|moment| {
            let clock = Clock::of(moment);
            (moment.action, clock.day, clock.minute)
        });
        let times = (mark.start, mark.end).cmp(&(segment.start(), segment.end()));
        times.then_with(|| places.cmp(moments))
    }

    fn append(&mut self, start: Time, end: Time, all: impl Iterator<Item = (ActionId, Clock)>) {
        let first = self.places.len() as u32;
        room(&mut self.marks);
        self.marks.push(Mark { start, end, first });
        for (n, (action, clock)) in all.enumerate() {
            let depth = n.min(DEEPEST.into()) as u8;
            self.places.push(Place {
                action,
                clock,
                depth,
            });
        }
    }

    fn split_off(&mut self, at: usize) -> (Vec<Mark>, Vec<Place>) {
        let places = self.places.split_off(self.first(at));
        (self.marks.split_off(at), places)
    }

    /// Puts segments back at the end, wherever they lay before.
    fn restore(&mut self, marks: &[Mark], places: &[Place]) {
        let moved = marks.first().map_or(0, |mark| mark.first);
        let first = self.places.len() as u32;
        self.marks.extend(marks.iter().map(|mark| Mark {
            first: mark.first - moved + first,
            ..*mark
        }));
        for place in places {
            self.places.push(*place);
        }
    }
}

/// Segment by segment: how long after the one before it starts, how long it lasts and how many behaviours it has; then of each
/// its action and the minutes since the one before, of the first since its start: its clock's offset.
impl Packing for Timeline {
    fn pack(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(2 * self.places.len() + 12 * self.marks.len());
        let mut before = 0;
        for (n, mark) in self.marks.iter().enumerate() {
            write_span(mark.start.0.wrapping_sub(before), &mut bytes);
            write_span(mark.end.0.wrapping_sub(mark.start.0), &mut bytes);
            before = mark.start.0;
            let places = self.first(n)..self.first(n + 1);
            write_number(places.len() as u64, &mut bytes);
            let mut minutes = before.div_euclid(MINUTE);
            for place in places {
                let Place { action, clock, .. } = self.places.get(place);
                write_number(action.0.into(), &mut bytes);
                write_signed(clock.minutes() - minutes, &mut bytes);
                minutes = clock.minutes();
            }
        }
        bytes
    }

    fn unpack(mut bytes: &[u8]) -> Option<Self> {
        let (mut timeline, mut before) = (Timeline::default(), 0);
        while !bytes.is_empty() {
            let start = read_span(&mut bytes)?.wrapping_add(before);
            let end = read_span(&mut bytes)?.wrapping_add(start);
            before = start;
            let first = timeline.places.len() as u32;
            let (start, end) = (Time(start), Time(end));
            room(&mut timeline.marks);
            timeline.marks.push(Mark { start, end, first });
            let mut minutes = before.div_euclid(MINUTE);
            for n in 0..read_number(&mut bytes)? {
                let action = ActionId(read_number(&mut bytes)?.try_into().ok()?);
                minutes = minutes.wrapping_add(read_signed(&mut bytes)?);
                timeline.places.push(Place {
                    action,
                    clock: Clock::at(minutes),
                    depth: n.min(DEEPEST.into()) as u8,
                });
            }
        }
        Some(timeline)
    }
}

const MINUTE: i64 = 60 * Time::SECOND;

/// Writes a time span: in seconds where it is whole, and mostly it is.
fn write_span(span: i64, bytes: &mut Vec<u8>) {
    let whole = span % Time::SECOND == 0;
    bytes.push(whole.into());
    write_signed(if whole { span / Time::SECOND } else { span }, bytes);
}

fn read_span(bytes: &mut &[u8]) -> Option<i64> {
    let unit = match bytes.split_off_first()? {
        0 => 1,
        _ => Time::SECOND,
    };
    Some(read_signed(bytes)?.wrapping_mul(unit))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::words::{HomeId, Moment};

    proptest! {
        /// Whatever it holds: what is packed is what was there; the places of an action are where it is.
        #[test]
        fn is_read_back(
            segments in prop::collection::vec(
                (0i64..1 << 40, prop::collection::vec((0i64..1 << 32, prop_oneof![4 => 0u16..4, 1 => any::<u16>()], -900i16..900), 1..40)),
                0..8,
            ),
            gone in any::<prop::sample::Index>(),
        ) {
            let mut timeline = Timeline::default();
            let (mut start, mut actions) = (-(1i64 << 42), Vec::new());
            for (pause, moments) in &segments {
                start += pause;
                let mut time = Time(start);
                let moments = moments.iter().map(|(step, action, offset)| {
                    time.0 += step;
                    Moment { time, action: ActionId(*action), offset: *offset }
                });
                let segment = Segment { home: HomeId(0), moments: moments.collect() };
                start = time.0;
                timeline.insert(timeline.marks.len(), &segment);
                actions.push(segment.moments.iter().map(|m| m.action).collect::<Vec<_>>());
            }
            prop_assert_eq!(&Timeline::unpack(&timeline.pack()).unwrap(), &timeline);
            if !segments.is_empty() {
                let gone = gone.index(segments.len());
                timeline.remove(gone);
                actions.remove(gone);
                prop_assert_eq!(&Timeline::unpack(&timeline.pack()).unwrap(), &timeline);
            }
            let actions = actions.concat();
            for action in &actions {
                let there: Vec<_> = (0..actions.len()).rev().filter(|n| actions[*n] == *action).collect();
                prop_assert_eq!(timeline.places().of(*action).collect::<Vec<_>>(), there);
            }
        }

        #[test]
        fn bytes_that_make_no_sense_are_told(bytes: Vec<u8>) {
            if let Some(timeline) = Timeline::unpack(&bytes) {
                prop_assert_eq!(Timeline::unpack(&timeline.pack()), Some(timeline));
            }
        }
    }
}
