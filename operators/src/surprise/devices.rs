//! The segments of a home that can still change, and in which state its devices are before each.

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
    segment: Segment,
    regime: u32,
    /// In order of device.
    devices: Vec<(DeviceId, ActionId)>,
}

impl Left {
    fn by(catalog: &Catalog, segment: &Segment, regime: u32) -> Self {
        let last = segment.moments.iter();
        let last = last.map(|&Moment { action, .. }| (catalog.device_of(action), action));
        let last: BTreeMap<_, _> = last.collect();
        Left {
            segment: segment.clone(),
            regime,
            devices: last.into_iter().collect(),
        }
    }
}

impl Devices {
    /// What a device did last before a segment that starts at `start`.
    pub fn last(&self, start: Time, device: DeviceId) -> Option<ActionId> {
        let earlier = self
            .open
            .partition_point(|left| left.segment.start() < start);
        let open = self.open[..earlier].iter().rev();
        let mut found = open.filter_map(|left| {
            let at = left.devices.binary_search_by_key(&device, |(d, _)| *d);
            at.ok().map(|at| left.devices[at].1)
        });
        found.next().or_else(|| self.settled.get(&device).copied())
    }

    pub fn add(&mut self, catalog: &Catalog, segment: &Segment, regime: u32) {
        let (Ok(at) | Err(at)) = self.find(segment);
        self.open.insert(at, Left::by(catalog, segment, regime));
    }

    /// Takes a segment back, and says its regime; nothing if it is not there, or final.
    pub fn remove(&mut self, segment: &Segment) -> Option<u32> {
        let at = self.find(segment).ok()?;
        Some(self.open.remove(at).regime)
    }

    /// A segment is in another regime, if it is not final.
    pub fn relabel(&mut self, segment: &Segment, regime: u32) {
        if let Ok(at) = self.find(segment) {
            self.open[at].regime = regime;
        }
    }

    fn find(&self, segment: &Segment) -> Result<usize, usize> {
        let key = (segment.start(), &segment.moments);
        self.open
            .binary_search_by(|left| (left.segment.start(), &left.segment.moments).cmp(&key))
    }

    /// The segments whose next one starts before are final. The start of the first of them, and the newest regime of any.
    pub fn settle(&mut self, before: Time) -> Option<(Time, u32)> {
        let starts = |left: &Left| left.segment.start() < before;
        let last = self.open.partition_point(starts).saturating_sub(1);
        let settled = &self.open[..last];
        let first = settled.first().map(|left| left.segment.start());
        let newest = settled.iter().map(|left| left.regime).max();
        for left in self.open.drain(..last) {
            self.settled.extend(left.devices);
        }
        first.zip(newest)
    }

    /// Bytes that they take beside themselves, roughly.
    pub fn bytes(&self) -> usize {
        let each = |left: &Left| {
            let moments = size_of::<Moment>() * left.segment.moments.len();
            size_of::<Left>() + moments + 4 * left.devices.len()
        };
        self.open.iter().map(each).sum::<usize>() + 8 * self.settled.len()
    }

    /// The segments that are not final, in order of start, each with its regime.
    pub fn open(&self) -> impl Iterator<Item = (&Segment, u32)> {
        self.open.iter().map(|left| (&left.segment, left.regime))
    }
}
