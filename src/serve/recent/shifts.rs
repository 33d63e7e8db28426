//! What shifts changed: how a home lived before, what was imagined, and how it lives since.

use std::collections::{BTreeMap, VecDeque};

use hearth_operators::words::{HOURS, Time};

use crate::outputs::{
    BehaviorLine, Judgement, RequestLine, ShiftLine, Stamp, VerdictLine, shift_of,
};

/// Shifts that are kept of a home.
const SHIFTS: usize = 4;

/// Devices that are told apart in a shift.
const DEVICES: usize = 64;

/// How often something happened, by hours of the day and by device.
#[derive(Clone, Debug, Default)]
pub struct Histogram {
    /// By the three hours of the day.
    pub hours: [i64; HOURS.len()],
    /// By device.
    pub devices: BTreeMap<String, i64>,
    /// Altogether.
    pub all: i64,
}

impl Histogram {
    fn add(&mut self, hours: usize, device: &str, times: i64) {
        self.all += times;
        if let Some(count) = self.hours.get_mut(hours) {
            *count += times;
        }
        if let Some(count) = self.devices.get_mut(device) {
            *count += times;
        } else if self.devices.len() < DEVICES {
            self.devices.insert(device.to_owned(), times);
        }
    }

    /// The share of it that some of it is.
    pub fn share(&self, of: i64) -> f64 {
        match self.all {
            ..=0 => 0.0,
            all => of.max(0) as f64 / all as f64,
        }
    }
}

/// A shift of a home.
#[derive(Clone, Debug)]
pub struct Shift {
    /// Its name, as of its requests.
    id: String,
    /// Its kind in words, from what to what.
    pub kind: &'static str,
    /// The context that ended.
    pub from: String,
    /// The context that began.
    pub to: String,
    /// From when on.
    pub time: Stamp,
    /// Requests that were made for it.
    pub requests: u32,
    /// Sequences that the filter let through, and those that it did not.
    pub verdicts: [u32; 2],
    /// The representatives of the regime that it ended.
    pub before: Histogram,
    /// What was imagined and let through.
    pub synthetic: Histogram,
    /// What happened since, up to the next shift.
    pub after: Histogram,
}

/// The last shifts of a home, in the order in which their first requests came.
#[derive(Clone, Debug, Default)]
pub struct Shifts(VecDeque<Shift>);

impl Shifts {
    /// Those that are kept, the newest last.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Shift> {
        self.0.iter()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes a request. Says whether it is the first of a shift.
    pub fn request(&mut self, line: &RequestLine<'_>) -> bool {
        let id = shift_of(&line.request);
        let known = self.0.iter().position(|shift| shift.id == id);
        let at = known.unwrap_or_else(|| {
            self.0.push_back(Shift::new(id, &line.shift));
            if self.0.len() > SHIFTS {
                self.0.pop_front();
            }
            self.0.len() - 1
        });
        let Some(shift) = self.0.get_mut(at) else {
            return false;
        };
        shift.requests += 1;
        for [_, hours, device, _] in line.representatives.iter().flatten() {
            shift.before.add(bucket(hours), device, 1);
        }
        known.is_none()
    }

    /// Takes what became of a sequence.
    pub fn verdict(&mut self, line: &VerdictLine<'_>) {
        let id = shift_of(&line.request);
        let Some(shift) = self.0.iter_mut().find(|shift| shift.id == id) else {
            return;
        };
        if line.verdict == Judgement::Delete {
            shift.verdicts[1] += 1;
            return;
        }
        shift.verdicts[0] += 1;
        for row in &line.sequence {
            shift.synthetic.add(bucket(&row.hours), &row.device, 1);
        }
    }

    /// Takes behaviours that happened so many times more.
    pub fn happened(&mut self, behaviors: &[BehaviorLine<'_>], times: i64) {
        for behavior in behaviors {
            let time = behavior.time;
            let shifts = self
                .0
                .iter_mut()
                .filter(|shift| shift.time.time <= time.time);
            if let Some(shift) = shifts.max_by_key(|shift| shift.time.time) {
                shift.after.add(hours_of(time), &behavior.device, times);
            }
        }
    }
}

impl Shift {
    fn new(id: &str, line: &ShiftLine<'_>) -> Self {
        Shift {
            id: id.to_owned(),
            kind: line.kind.name(),
            from: line.from.clone().into_owned(),
            to: line.to.clone().into_owned(),
            time: line.time,
            requests: 0,
            verdicts: [0; 2],
            before: Histogram::default(),
            synthetic: Histogram::default(),
            after: Histogram::default(),
        }
    }
}

/// The place of three hours in the day, by their name; beyond the last where there is none of that name.
fn bucket(hours: &str) -> usize {
    let found = HOURS.iter().position(|name| *name == hours);
    found.unwrap_or(HOURS.len())
}

/// The three hours of the day that a home's clock shows.
fn hours_of(time: Stamp) -> usize {
    let local = time.time.0 + i64::from(time.offset) * 60 * Time::SECOND;
    (local.rem_euclid(Time::DAY) / (3 * Time::HOUR)) as usize
}
