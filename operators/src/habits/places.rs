//! What a home did, one behaviour after the other, with a way from each to the one before of the same action.

use serde::{Deserialize, Serialize};

use crate::words::{ActionId, Hours, Moment, Time};

/// A point of local time: the day, and the minute of the day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Clock {
    pub day: i32,
    pub minute: u16,
}

/// Minutes of a day.
pub(super) const DAY: u16 = 24 * 60;

impl Clock {
    /// What the event's clock showed.
    pub fn of(moment: &Moment) -> Self {
        const MINUTE: i64 = 60 * Time::SECOND;
        let minutes = moment.time.0.div_euclid(MINUTE) + i64::from(moment.offset);
        let day = minutes.div_euclid(i64::from(DAY));
        Clock {
            // Far beyond any calendar all days are one.
            day: day.clamp(i32::MIN.into(), i32::MAX.into()) as i32,
            minute: minutes.rem_euclid(i64::from(DAY)) as u16,
        }
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

/// No place.
const NONE: u32 = u32::MAX;

/// A behaviour at its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub action: ActionId,
    pub clock: Clock,
    /// How many behaviours of its segment come before it, 255 for more.
    pub depth: u8,
}

/// Behaviours in their order, segment after segment. Places change at the end (and at the front, where they are dropped): what
/// lies before stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Places {
    actions: Vec<ActionId>,
    days: Vec<i32>,
    minutes: Vec<u16>,
    depths: Vec<u8>,
    /// The place before of the same action.
    before: Vec<u32>,
    /// The last place of each action, by action.
    last: Vec<(ActionId, u32)>,
}

impl Places {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.actions.len()
    }

    /// What lies at a place.
    pub fn get(&self, place: usize) -> Place {
        Place {
            action: self.actions[place],
            clock: Clock {
                day: self.days[place],
                minute: self.minutes[place],
            },
            depth: self.depths[place],
        }
    }

    /// The action at a place.
    #[inline]
    pub fn action(&self, place: usize) -> ActionId {
        self.actions[place]
    }

    /// The minute of the day of a place.
    #[inline]
    pub fn minute(&self, place: usize) -> u16 {
        self.minutes[place]
    }

    /// The day of a place.
    #[inline]
    pub fn day(&self, place: usize) -> i32 {
        self.days[place]
    }

    /// How many behaviours of its segment come before, 255 for more.
    #[inline]
    pub fn depth(&self, place: usize) -> u8 {
        self.depths[place]
    }

    /// Whether the place is there and in the segment of the one before it.
    #[inline]
    pub fn continues(&self, place: usize) -> bool {
        self.depths.get(place).is_some_and(|depth| *depth > 0)
    }

    /// The actions that came, in order.
    pub fn actions(&self) -> impl Iterator<Item = ActionId> {
        self.last.iter().map(|(action, _)| *action)
    }

    /// The places of an action, the last one first.
    pub fn of(&self, action: ActionId) -> impl Iterator<Item = usize> {
        let found = self.find(action);
        let last = found.map_or(NONE, |at| self.last[at].1);
        // Behind no place there is none.
        let before = move |place: &u32| self.before.get(*place as usize).copied();
        std::iter::successors(Some(last), before)
            .take_while(|place| *place != NONE)
            .map(|place| place as usize)
    }

    /// The places from `first` (not the very first of all) on, each with the minute of the day of the place before it.
    #[inline]
    pub fn since(&self, first: usize) -> impl Iterator<Item = (usize, u16)> {
        let first = first.clamp(1, self.len().max(1));
        let before = self.minutes.get(first - 1..).unwrap_or_default();
        (first..self.len()).zip(before.iter().copied())
    }

    /// Adds a behaviour at the end.
    pub fn push(&mut self, place: Place) {
        let at = self.len() as u32;
        let before = match self.find(place.action) {
            Ok(found) => std::mem::replace(&mut self.last[found].1, at),
            Err(free) => {
                self.last.insert(free, (place.action, at));
                NONE
            }
        };
        self.actions.push(place.action);
        self.days.push(place.clock.day);
        self.minutes.push(place.clock.minute);
        self.depths.push(place.depth);
        self.before.push(before);
    }

    /// Takes off all from `from` on.
    pub fn split_off(&mut self, from: usize) -> Vec<Place> {
        let tail: Vec<_> = (from..self.len()).map(|place| self.get(place)).collect();
        let before = self.before.split_off(from);
        for (place, before) in (from..self.len()).zip(before).rev() {
            if let Ok(found) = self.find(self.actions[place]) {
                match before {
                    NONE => drop(self.last.remove(found)),
                    _ => self.last[found].1 = before,
                }
            }
        }
        self.actions.truncate(from);
        self.days.truncate(from);
        self.minutes.truncate(from);
        self.depths.truncate(from);
        tail
    }

    /// Drops the first ones.
    pub fn drop_front(&mut self, dropped: usize) {
        self.actions.drain(..dropped);
        self.days.drain(..dropped);
        self.minutes.drain(..dropped);
        self.depths.drain(..dropped);
        self.before.drain(..dropped);
        let dropped = dropped as u32;
        for before in &mut self.before {
            *before = match *before {
                NONE => NONE,
                before => before.checked_sub(dropped).unwrap_or(NONE),
            };
        }
        self.last.retain_mut(|(_, last)| {
            let kept = *last >= dropped;
            *last = last.wrapping_sub(dropped);
            kept
        });
    }

    fn find(&self, action: ActionId) -> Result<usize, usize> {
        self.last
            .binary_search_by_key(&action, |(action, _)| *action)
    }
}
