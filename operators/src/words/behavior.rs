//! What happens in a home: behaviours, and the segments they are split into.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{ActionId, Hours, Quadruple, Sequence, Weekday};

/// A home, interned in the order in which the source met it; names stay at the edges.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct HomeId(pub u32);

impl HomeId {
    /// The worker on which the home lives, among so many: all that operators hold of it is there.
    #[inline]
    pub fn worker(self, peers: usize) -> usize {
        self.0 as usize % peers.max(1)
    }
}

/// An instant of event time: microseconds since 1970-01-01T00:00:00Z.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Time(pub i64);

impl Time {
    /// Microseconds in a second.
    pub const SECOND: i64 = 1_000_000;
    /// Microseconds in an hour.
    pub const HOUR: i64 = 3_600 * Self::SECOND;
    /// Microseconds in a day.
    pub const DAY: i64 = 24 * Self::HOUR;

    /// The weekday (0 = Monday) and three-hour bucket that a clock `offset` minutes east of UTC shows.
    pub fn local(self, offset: i16) -> (Weekday, Hours) {
        let local = self.0 + i64::from(offset) * 60 * Self::SECOND;
        // 1970-01-01 was a Thursday: weekday 3.
        let weekday = (local.div_euclid(Self::DAY) + 3).rem_euclid(7);
        let hours = local.rem_euclid(Self::DAY) / (3 * Self::HOUR);
        (weekday as Weekday, hours as Hours)
    }
}

/// Where a behaviour was read: file (index into the source's list) and line (from 1).
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Line {
    /// Index of the file in the order given on the command line.
    pub file: u32,
    /// Line number, from 1.
    pub line: u64,
}

/// One event: at `time`, `action` (and so its device) happened in `home`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Behavior {
    /// The home, key of everything.
    pub home: HomeId,
    /// When, on the home's own clock, and what.
    pub moment: Moment,
    /// The event's identity, where the log gives one; without it `(time, action)` is the identity.
    pub id: Option<Box<str>>,
    /// Where it was read, for messages.
    pub line: Line,
}

/// A behaviour without its home: ordered by time, then action (actions of a catalog are ordered by device).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Moment {
    /// Event time.
    pub time: Time,
    /// The action (which implies its device).
    pub action: ActionId,
    /// Minutes east of UTC that the event's clock showed.
    pub offset: i16,
}

impl Moment {
    /// Weekday, three-hour bucket and action, as the models and the synthesizers see it.
    pub fn quadruple(&self) -> Quadruple {
        let (weekday, hours) = self.time.local(self.offset);
        Quadruple {
            weekday,
            hours,
            action: self.action,
        }
    }
}

/// A behaviour sequence cut out by the Time and Semantic-aware Split (TSS): never empty, in event-time order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Segment {
    /// The home it belongs to.
    pub home: HomeId,
    /// Its behaviours.
    #[serde(deserialize_with = "some")]
    pub moments: Vec<Moment>,
}

/// What is kept of a segment may come from anywhere, and has behaviours all the same.
fn some<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Vec<Moment>, D::Error> {
    let moments = Vec::deserialize(from)?;
    match moments.is_empty() {
        true => Err(serde::de::Error::invalid_length(0, &"a behaviour")),
        false => Ok(moments),
    }
}

impl Segment {
    /// Time of the first behaviour.
    pub fn start(&self) -> Time {
        self.moments[0].time
    }

    /// Time of the last behaviour.
    pub fn end(&self) -> Time {
        self.moments[self.moments.len() - 1].time
    }

    /// The segment as the models see it.
    pub fn sequence(&self) -> Sequence {
        Sequence(self.moments.iter().map(Moment::quadruple).collect())
    }

    /// Weekday of the first behaviour: the bucket of compression and of requests.
    pub fn weekday(&self) -> Weekday {
        self.moments[0].quadruple().weekday
    }
}

/// A home's last segment, which still grows, after an epoch that changed it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Open {
    /// The home.
    pub home: HomeId,
    /// As it stands; `None`: there is none any more (the log has ended, or all of it was erased).
    pub segment: Option<Arc<Segment>>,
    /// The position from which on it is not what it was.
    pub new: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weekday_and_bucket_are_local() {
        // 2022-08-04T23:30:00Z, a Thursday; two hours east it is Friday 01:30.
        let time = Time(1_659_655_800 * Time::SECOND);
        assert_eq!(time.local(0), (3, 7));
        assert_eq!(time.local(120), (4, 0));
        assert_eq!(Time(-1).local(0), (2, 7));
    }
}
