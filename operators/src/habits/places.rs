//! What a home did, one behaviour after the other, in few bytes.

use crate::words::{ActionId, Hours, Moment, Time};

/// A point of local time: the day, and the minute of the day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Clock {
    pub day: i32,
    pub minute: u16,
}

/// Minutes of a day.
pub(super) const DAY: u16 = 24 * 60;
/// Days before and after 1970 that are told apart.
const FARTHEST: i64 = (1 << 17) - 1;

impl Clock {
    /// What the event's clock showed.
    pub fn of(moment: &Moment) -> Self {
        const MINUTE: i64 = 60 * Time::SECOND;
        let minutes = moment.time.0.div_euclid(MINUTE) + i64::from(moment.offset);
        Clock::at(minutes)
    }

    /// So many minutes of local time after 1970 began.
    pub fn at(minutes: i64) -> Self {
        let day = minutes.div_euclid(i64::from(DAY));
        Clock {
            // Centuries away, beyond what logs may say, all days are one.
            day: day.clamp(-FARTHEST, FARTHEST) as i32,
            minute: minutes.rem_euclid(i64::from(DAY)) as u16,
        }
    }

    /// Minutes of local time since 1970 began.
    pub fn minutes(self) -> i64 {
        i64::from(self.day) * i64::from(DAY) + i64::from(self.minute)
    }

    /// The middle of a three-hour bucket, of no day.
    pub fn within(hours: Hours) -> Self {
        Clock {
            day: 0,
            minute: u16::from(hours) * 180 + 90,
        }
    }

    /// The hour, 0 to 23.
    pub fn hour(self) -> u16 {
        self.minute / 60
    }

    /// The three-hour bucket.
    pub fn hours(self) -> u16 {
        self.minute / 180
    }

    /// Minutes between two times of the day, the shorter way round: at most half a day.
    #[inline]
    pub fn apart(self, minute: u16) -> usize {
        let apart = self.minute.abs_diff(minute);
        usize::from(apart.min(DAY - apart))
    }
}

/// A behaviour at its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub action: ActionId,
    pub clock: Clock,
    /// How many behaviours of its segment come before it, at most [`DEEPEST`].
    pub depth: u8,
}

/// As many behaviours before one in its segment as anybody asks for.
pub(super) const DEEPEST: u8 = 7;

/// Behaviours in their order, segment after segment, five bytes each (six once the home has an action beyond the first 256).
///
/// There is no index: to find the places of an action, sixteen are compared at a time.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Places {
    /// The lower half of each action's id.
    low: Vec<u8>,
    /// The upper half; nothing while that is 0 for all.
    high: Vec<u8>,
    whens: Vec<When>,
}

/// Day, minute of the day and depth of a place, the day in the upper bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct When(u32);

impl When {
    fn new(clock: Clock, depth: u8) -> Self {
        When((clock.day as u32) << 14 | u32::from(clock.minute) << 3 | u32::from(depth))
    }

    fn day(self) -> i32 {
        self.0 as i32 >> 14
    }

    fn minute(self) -> u16 {
        (self.0 >> 3) as u16 & 0x7ff
    }

    fn depth(self) -> u8 {
        self.0 as u8 & DEEPEST
    }
}

impl Places {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.low.len()
    }

    /// What lies at a place.
    pub fn get(&self, place: usize) -> Place {
        Place {
            action: self.action(place),
            clock: Clock {
                day: self.day(place),
                minute: self.minute(place),
            },
            depth: self.depth(place),
        }
    }

    /// The action at a place.
    #[inline]
    pub fn action(&self, place: usize) -> ActionId {
        let high = self.high.get(place).copied().unwrap_or(0);
        ActionId(u16::from_le_bytes([self.low[place], high]))
    }

    /// The minute of the day of a place.
    #[inline]
    pub fn minute(&self, place: usize) -> u16 {
        self.whens[place].minute()
    }

    /// The day of a place.
    #[inline]
    pub fn day(&self, place: usize) -> i32 {
        self.whens[place].day()
    }

    /// How many behaviours of its segment come before, at most [`DEEPEST`].
    #[inline]
    pub fn depth(&self, place: usize) -> u8 {
        self.whens[place].depth()
    }

    /// Whether the place is there and in the segment of the one before it.
    #[inline]
    pub fn continues(&self, place: usize) -> bool {
        self.whens.get(place).is_some_and(|when| when.depth() > 0)
    }

    /// The places of an action, the last one first.
    pub fn of(&self, action: ActionId) -> impl Iterator<Item = usize> {
        let [low, high] = action.0.to_le_bytes();
        let mut from = self.len();
        // A bit for each of those from there on that has not been said yet.
        let mut found = 0;
        let places = std::iter::from_fn(move || {
            while found == 0 {
                let (before, some) = match self.low[..from].split_last_chunk::<16>() {
                    Some((before, some)) => (before.len(), equal(some, low)),
                    None if from == 0 => return None,
                    None => (0, equal(&self.low[..from], low)),
                };
                (from, found) = (before, some);
            }
            let last = 15 - found.leading_zeros() as usize;
            found ^= 1 << last;
            Some(from + last)
        });
        let known = self.high.is_empty();
        places.filter(move |place| match known {
            true => high == 0,
            false => self.high[*place] == high,
        })
    }

    /// The places from `first` (not the very first of all) on, each with the minute of the day of the place before it.
    #[inline]
    pub fn since(&self, first: usize) -> impl Iterator<Item = (usize, u16)> {
        let first = first.clamp(1, self.len().max(1));
        let before = self.whens.get(first - 1..).unwrap_or_default();
        (first..self.len()).zip(before.iter().map(|when| when.minute()))
    }

    /// Adds a behaviour at the end.
    pub fn push(&mut self, place: Place) {
        let [low, high] = place.action.0.to_le_bytes();
        if high > 0 && self.high.is_empty() {
            self.high.resize(self.low.len(), 0);
        }
        if high > 0 || !self.high.is_empty() {
            room(&mut self.high);
            self.high.push(high);
        }
        room(&mut self.low);
        self.low.push(low);
        room(&mut self.whens);
        self.whens.push(When::new(place.clock, place.depth));
    }

    /// Takes off all from `from` on.
    pub fn split_off(&mut self, from: usize) -> Vec<Place> {
        let tail = (from..self.len()).map(|place| self.get(place)).collect();
        self.low.truncate(from);
        self.high.truncate(from);
        self.whens.truncate(from);
        self.trim();
        tail
    }

    /// Drops the first ones.
    pub fn drop_front(&mut self, dropped: usize) {
        self.low.drain(..dropped);
        self.high.drain(..dropped.min(self.high.len()));
        self.whens.drain(..dropped);
        self.trim();
    }

    /// Equal places are equal values, whatever there was before.
    fn trim(&mut self) {
        if self.high.iter().all(|high| *high == 0) {
            self.high = Vec::new();
        }
    }

    /// Bytes that it takes beside itself.
    pub fn bytes(&self) -> usize {
        self.low.capacity() + self.high.capacity() + size_of::<When>() * self.whens.capacity()
    }
}

/// A bit for each that is equal to `to`.
#[inline]
fn equal(some: &[u8], to: u8) -> u16 {
    let bits = some.iter().zip(0..);
    bits.fold(0, |all, (one, at)| all | u16::from(*one == to) << at)
}

/// Makes room for one more, and an eighth: half of what homes hold would be empty where they doubled.
pub(super) fn room<T>(list: &mut Vec<T>) {
    if list.len() == list.capacity() {
        list.reserve_exact(list.len() / 8 + 8);
    }
}
