//! The measured work: a seeded log of any number of homes, in time order but for a share that comes late.
//!
//! Forty devices with 220 actions, chosen by Zipf's law with exponent 1.1; about 8.3 events a segment; gaps of some
//! minutes within a segment and of more than nine hours between two.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fmt::Write as _;
use std::fs::File;
use std::io::BufWriter;
use std::path::Path;

use anyhow::Context;
use hearth_operators::words::{Action, ActionId, Catalog, Device, Time};
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use super::values::Input;
use crate::sources::{self, LogWriter, Packing};

/// A log to be made.
#[derive(Clone, Debug)]
pub struct Workload {
    /// How many homes.
    pub homes: u32,
    /// How many events, over all homes.
    pub events: u64,
    /// Share of the events that come up to twelve hours late.
    pub late: f64,
    /// Exponent of the homes' activity: 0 all alike, 1 the second home half as active as the first.
    pub skew: f64,
    /// Where all chance comes from.
    pub seed: u64,
}

const DEVICES: u16 = 40;
const ACTIONS: usize = 220;
/// Exponent of the actions' frequencies.
const ZIPF: f64 = 1.1;
/// Chance that an event is the last of its segment.
const LAST: f64 = 1.0 / 8.26;
/// 2024-01-01T00:00:00Z.
pub(super) const BEGIN: i64 = 1_704_067_200 * Time::SECOND;
/// The least active home waits at most so many times as long as the most active one: thirty days are a broken clock.
const SLOWEST: f64 = 25.0;
const MINUTE: i64 = 60 * Time::SECOND;

/// The vocabulary of the measured work: twenty devices of five actions and twenty of six, `off` closing `on`.
pub fn catalog() -> anyhow::Result<Catalog> {
    let devices = (0..DEVICES).map(|device| {
        let modes = 3 + device % 2;
        let mut actions = vec![
            Action::new("switch on"),
            Action {
                closes: vec!["switch on".into()],
                ..Action::new("switch off")
            },
        ];
        actions.extend((1..=modes).map(|mode| Action::new(format!("mode {mode}"))));
        Device::new(format!("Device{device:02}"), actions)
    });
    let catalog = Catalog::new(devices.collect());
    catalog.map_err(|error| anyhow::anyhow!("the measured vocabulary: {error}"))
}

/// An event of the measured work.
#[derive(Clone, Copy, Debug)]
pub(super) struct Event {
    pub time: Time,
    pub home: u32,
    pub action: ActionId,
}

impl Workload {
    /// Writes the log in a format.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&self, input: Input, file: &Path) -> anyhow::Result<()> {
        let failed = || format!("cannot write {}", file.display());
        let out = File::create(file).with_context(failed)?;
        let out = BufWriter::with_capacity(1 << 20, out);
        let catalog = catalog()?;
        let log = LogWriter::new(input.format(), Packing::Plain, out);
        let mut log = log.with_context(failed)?;
        let mut home = String::new();
        self.each(|event| {
            home.clear();
            write!(home, "h-{}", event.home)?;
            Ok(log.event(&sources::Event {
                home: (&*home).into(),
                time: event.time,
                offset: 0,
                device: Some(catalog.device_name(event.action).into()),
                action: catalog.action_name(event.action).into(),
                id: None,
                how: sources::How::default(),
            })?)
        })?;
        log.finish().with_context(failed)
    }

    /// Makes the events one by one, in the order of the log.
    pub(super) fn each(
        &self,
        mut give: impl FnMut(Event) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let mut chance = ChaCha8Rng::seed_from_u64(self.seed);
        let choice = Choice::new();
        // When each home acts next; and the events that are held back.
        let mut next: BinaryHeap<Reverse<(i64, u32)>> = (0..self.homes)
            .map(|home| Reverse((BEGIN + chance.random_range(0..24 * Time::HOUR), home)))
            .collect();
        let mut held: BinaryHeap<Reverse<(i64, i64, u32, u16)>> = BinaryHeap::new();
        for _ in 0..self.events {
            let Some(Reverse((now, home))) = next.pop() else {
                break;
            };
            while let Some(&Reverse((due, time, home, action))) = held.peek()
                && due <= now
            {
                let (time, action) = (Time(time), ActionId(action));
                give(Event { time, home, action })?;
                held.pop();
            }
            let action = choice.action(&mut chance);
            if self.late > 0.0 && chance.random_bool(self.late.min(1.0)) {
                let due = now + chance.random_range(MINUTE..12 * Time::HOUR);
                held.push(Reverse((due, now, home, action.0)));
            } else {
                let time = Time(now);
                give(Event { time, home, action })?;
            }
            let slower = f64::from(home + 1).powf(self.skew).min(SLOWEST);
            let (least, spread) = if chance.random_bool(LAST) {
                (9 * Time::HOUR + MINUTE, 10.0 * Time::HOUR as f64 * slower)
            } else {
                (Time::SECOND, 20.0 * MINUTE as f64)
            };
            // Exponential, cut where a home would fall silent for too long.
            let wait = -(1.0 - chance.random::<f64>()).ln();
            let gap = least + (wait.min(2.0) * spread) as i64;
            // Whole seconds, as most logs have.
            let at = (now + gap) / Time::SECOND * Time::SECOND;
            next.push(Reverse((at, home)));
        }
        while let Some(Reverse((_, time, home, action))) = held.pop() {
            let (time, action) = (Time(time), ActionId(action));
            give(Event { time, home, action })?;
        }
        Ok(())
    }
}

/// Draws actions by Zipf's law.
pub(super) struct Choice {
    /// By rank: the sum of the frequencies up to it.
    sums: Vec<f64>,
}

impl Choice {
    pub(super) fn new() -> Self {
        let mut sum = 0.0;
        let frequencies = (1..=ACTIONS).map(|rank| {
            sum += (rank as f64).powf(-ZIPF);
            sum
        });
        Choice {
            sums: frequencies.collect(),
        }
    }

    pub(super) fn action(&self, chance: &mut ChaCha8Rng) -> ActionId {
        let all = self.sums.last().copied().unwrap_or(0.0);
        let drawn = chance.random::<f64>() * all;
        let rank = self
            .sums
            .partition_point(|sum| *sum < drawn)
            .min(ACTIONS - 1);
        // Frequent actions are spread over the devices: 83 and 220 have no common factor.
        ActionId((rank * 83 % ACTIONS) as u16)
    }
}
