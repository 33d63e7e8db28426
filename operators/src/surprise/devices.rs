//! In which state a home's devices are before a segment.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::words::{ActionId, Catalog, DeviceId, Moment, Segment, Time};

/// What each device of a home did last: before segments that can still change, and in each of these.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Devices {
    settled: BTreeMap<DeviceId, ActionId>,
    /// In order of start.
    open: Vec<Left>,
}

/// How a segment leaves the devices that it touches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Left {
    start: Time,
    end: Time,
    /// In order of device.
    devices: Vec<(DeviceId, ActionId)>,
}

impl Left {
    fn by(catalog: &Catalog, segment: &Segment) -> Self {
        let last = segment.moments.iter();
        let last = last.map(|&Moment { action, .. }| (catalog.device_of(action), action));
        let last: BTreeMap<_, _> = last.collect();
        Left {
            start: segment.start(),
            end: segment.end(),
            devices: last.into_iter().collect(),
        }
    }
}

impl Devices {
    /// What a device did last before a segment that starts at `start`.
    pub fn last(&self, start: Time, device: DeviceId) -> Option<ActionId> {
        let earlier = self.open.partition_point(|left| left.start < start);
        let open = self.open[..earlier].iter().rev();
        let mut found = open.filter_map(|left| {
            let at = left.devices.binary_search_by_key(&device, |(d, _)| *d);
            at.ok().map(|at| left.devices[at].1)
        });
        found.next().or_else(|| self.settled.get(&device).copied())
    }

    pub fn add(&mut self, catalog: &Catalog, segment: &Segment) {
        let left = Left::by(catalog, segment);
        let at = self
            .open
            .partition_point(|other| (other.start, other.end) < (left.start, left.end));
        self.open.insert(at, left);
    }

    /// Takes a segment back; false if it is not there, or final.
    pub fn remove(&mut self, segment: &Segment) -> bool {
        let key = (segment.start(), segment.end());
        let found = self.open.iter().position(|l| (l.start, l.end) == key);
        found.map(|at| self.open.remove(at)).is_some()
    }

    /// Segments that end before are final.
    pub fn settle(&mut self, before: Time) {
        let last = self.open.iter().position(|left| left.end >= before);
        let last = last.unwrap_or(self.open.len());
        for left in self.open.drain(..last) {
            self.settled.extend(left.devices);
        }
    }
}
