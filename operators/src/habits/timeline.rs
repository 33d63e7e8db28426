//! Segments in order of event time, as places.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use super::places::{Clock, Place, Places};
use crate::words::{ActionId, Segment, Sequence, Time};

/// Segments in order of event time, one after the other.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Timeline {
    places: Places,
    marks: Vec<Mark>,
}

/// Where a segment lies.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
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
        self.marks.push(Mark { start, end, first });
        for (n, (action, clock)) in all.enumerate() {
            let depth = n.min(u8::MAX.into()) as u8;
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
