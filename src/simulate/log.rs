//! From the homes' days to one log: all homes interleaved in time order, with the disorder that was asked for.

use std::io;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use hearth_operators::words::{ActionId, Catalog, CatalogError, Moment, ShiftKind, Time};
use rand::Rng;

use super::anomalies::plant;
use super::chance::stream;
use super::days::days;
use super::devices::World;
use super::home::{Home, SHIFT_HOUR};
use super::occurrence::{Anomaly, DAY, Occurrence};
use super::settings::Settings;
use super::spool::{Record, Spool};

/// Local midnight that begins the simulation, in seconds of local time: Monday 2025-01-06.
const START: i64 = 20_094 * DAY;
/// Where the axis of records begins (UTC): early enough for every offset.
const AXIS: i64 = START - DAY;
/// Homes that a thread may be ahead.
const AHEAD: usize = 4;
/// Duplicates come at most so many seconds of event time after the first.
const COPY_WITHIN: u32 = 600;

/// A line of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// Number of the home, from 1.
    pub home: u32,
    /// When and what.
    pub moment: Moment,
    /// Number of the event within its home, from 0, in order of time: its identity.
    pub ordinal: u32,
    /// Whether the same event was written before.
    pub copy: bool,
    /// Why it does not belong, if it was planted.
    pub anomaly: Option<Anomaly>,
}

/// A shift of a home.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlantedShift {
    /// Number of the home, from 1.
    pub home: u32,
    /// When.
    pub time: Time,
    /// Minutes east of UTC of the home.
    pub offset: i16,
    /// What kind of context shifts.
    pub kind: ShiftKind,
    /// The context that ends.
    pub from: &'static str,
    /// The context that begins.
    pub to: &'static str,
}

/// How far a simulation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The days of so many homes are simulated.
    Simulated(u32),
    /// So many lines of this many are written.
    Written(u64, u64),
}

/// What was simulated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Lines of the log.
    pub lines: u64,
    /// Events without their duplicates.
    pub unique: u64,
    /// Events written a second time.
    pub duplicates: u64,
    /// Events written later than their time, by `--late`.
    pub late: u64,
    /// Events written later than their time, by `--reorder`.
    pub reordered: u64,
    /// Events planted as anomalies.
    pub anomalies: u64,
    /// Shifts.
    pub shifts: u64,
}

/// Takes a simulation as it comes: first the shifts, home by home, then the events in the order of the log.
pub trait Sink {
    /// A shift of a home.
    ///
    /// # Errors
    /// It cannot be written; the simulation ends.
    fn shift(&mut self, shift: &PlantedShift) -> io::Result<()>;

    /// A line of the log.
    ///
    /// # Errors
    /// It cannot be written; the simulation ends.
    fn event(&mut self, event: &Event) -> io::Result<()>;

    /// Called now and then.
    fn progress(&mut self, progress: Progress) {
        let _ = progress;
    }
}

/// Why a simulation ended early.
#[derive(Debug, thiserror::Error)]
pub enum SimulateError {
    /// The temporary file that sorts the log failed.
    #[error("the temporary file {} failed: {error}; give a folder with room for it", path.display())]
    Spool {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// The sink failed.
    #[error(transparent)]
    Sink(#[from] io::Error),
    /// The catalog of the simulated world is wrong: a mistake in this program.
    #[error("the catalog of the simulation: {0}")]
    Catalog(#[from] CatalogError),
}

/// The catalog that all simulated homes share.
///
/// # Errors
/// It is wrong: a mistake in this program.
pub fn catalog() -> Result<Catalog, CatalogError> {
    Ok(World::new()?.catalog)
}

/// Simulates the homes and hands the log to `sink`. Memory does not grow with the homes: events beyond a
/// million are sorted in the file `spool`, which exists only meanwhile.
///
/// # Errors
/// The spool or the sink cannot be written.
pub fn simulate(
    settings: &Settings,
    spool: &Path,
    sink: &mut dyn Sink,
) -> Result<Totals, SimulateError> {
    let world = World::new()?;
    let mut counts = Totals::default();
    let failed = |error| SimulateError::Spool {
        path: spool.to_owned(),
        error,
    };
    let mut records = Spool::new(spool);
    each_life(settings, &world, |number, home, log| {
        if let Some(shift) = shift(number, home) {
            counts.shifts += 1;
            sink.shift(&shift)?;
        }
        deliver(settings, number, home.offset, log, &mut counts, |record| {
            records.push(record).map_err(failed)
        })?;
        sink.progress(Progress::Simulated(number));
        Ok(())
    })?;
    let (lines, mut written) = (records.len(), 0);
    records.drain(|record| {
        sink.event(&event(record))?;
        written += 1;
        if written % 8_192 == 0 || written == lines {
            sink.progress(Progress::Written(written, lines));
        }
        Ok::<_, SimulateError>(())
    })?;
    counts.lines = lines;
    Ok(counts)
}

/// Simulates the homes side by side, and hands on each with its log, in the order of their numbers.
fn each_life(
    settings: &Settings,
    world: &World,
    mut each: impl FnMut(u32, &Home, &[Occurrence]) -> Result<(), SimulateError>,
) -> Result<(), SimulateError> {
    let threads = std::thread::available_parallelism().map_or(1, NonZeroUsize::get) as u32;
    let homes = 1..=settings.homes.get();
    std::thread::scope(|scope| {
        // One thread has the homes 1, 1 + threads and so on, the next one 2, 2 + threads …, each a few ahead.
        let lives = homes.clone().take(threads as usize).map(|first| {
            let (give, lives) = crossbeam_channel::bounded(AHEAD);
            let mine = (first..=*homes.end()).step_by(threads as usize);
            scope.spawn(move || {
                for number in mine {
                    let home = Home::new(settings, number, world);
                    let log = lives_of(settings, number, &home, world);
                    // Nobody takes it any more where writing has failed.
                    if give.send((home, log)).is_err() {
                        return;
                    }
                }
            });
            lives
        });
        let lives: Vec<_> = lives.collect();
        for (number, lives) in homes.clone().zip(lives.iter().cycle()) {
            // Its thread has panicked, which the scope tells.
            let Ok((home, log)) = lives.recv() else { break };
            each(number, &home, &log)?;
        }
        Ok(())
    })
}

/// A home's log in order of time, no two events in the same second, so that each has an identity without an id.
fn lives_of(settings: &Settings, number: u32, home: &Home, world: &World) -> Vec<Occurrence> {
    let rng = &mut stream(settings.seed, number, "life");
    let mut log = days(home, settings.days.get(), world, rng);
    let rng = &mut stream(settings.seed, number, "anomalies");
    plant(home, world, &mut log, settings.anomalies.get(), rng);
    let mut last = i64::MIN;
    for occurrence in &mut log {
        occurrence.at = occurrence.at.max(last.saturating_add(1));
        last = occurrence.at;
    }
    log
}

fn shift(number: u32, home: &Home) -> Option<PlantedShift> {
    let shift = home.shift?;
    let local = START + i64::from(shift.day) * DAY + SHIFT_HOUR * 3_600;
    Some(PlantedShift {
        home: number,
        time: Time((local - i64::from(home.offset) * 60) * Time::SECOND),
        offset: home.offset,
        kind: shift.kind,
        from: shift.from,
        to: shift.to,
    })
}

/// Marks of a [`Record`]: the lowest bit for a copy, the rest for the anomaly (0 for none).
const COPY: u8 = 1;

/// Puts a home's events on their way, with the disorder that was asked for.
fn deliver(
    settings: &Settings,
    number: u32,
    offset: i16,
    log: &[Occurrence],
    counts: &mut Totals,
    mut send: impl FnMut(Record) -> Result<(), SimulateError>,
) -> Result<(), SimulateError> {
    let late_by = settings.late_by.seconds();
    let reorder_by = settings.reorder_by.seconds();
    let (late, reorder) = (settings.late.get(), settings.reorder.get());
    let duplicates = settings.duplicates.get();
    // One stream for each kind of disorder: asking for one does not move the others.
    let lates = &mut stream(settings.seed, number, "late");
    let reorders = &mut stream(settings.seed, number, "reorder");
    let copies = &mut stream(settings.seed, number, "duplicates");
    for (ordinal, occurrence) in log.iter().enumerate() {
        // At most ten years of a home: seconds and ordinals fit.
        let time = (START + occurrence.at - i64::from(offset) * 60 - AXIS) as u32;
        let mut written = time;
        if lates.random_bool(late) {
            written += lates.random_range(1..=late_by);
            counts.late += 1;
        } else if reorders.random_bool(reorder) {
            written += reorders.random_range(1..=reorder_by);
            counts.reordered += 1;
        }
        let record = Record {
            written,
            home: number,
            time,
            ordinal: ordinal as u32,
            action: occurrence.action.0,
            offset,
            mark: occurrence.anomaly.map_or(0, |kind| (kind as u8 + 1) << 1),
        };
        counts.unique += 1;
        counts.anomalies += u64::from(occurrence.anomaly.is_some());
        send(record)?;
        if copies.random_bool(duplicates) {
            counts.duplicates += 1;
            send(Record {
                written: written + copies.random_range(1..=COPY_WITHIN),
                mark: record.mark | COPY,
                ..record
            })?;
        }
    }
    Ok(())
}

fn event(record: &Record) -> Event {
    let anomaly = usize::from(record.mark >> 1).checked_sub(1);
    Event {
        home: record.home,
        moment: Moment {
            time: Time((AXIS + i64::from(record.time)) * Time::SECOND),
            action: ActionId(record.action),
            offset: record.offset,
        },
        ordinal: record.ordinal,
        copy: record.mark & COPY != 0,
        anomaly: anomaly.and_then(|kind| Anomaly::ALL.get(kind).copied()),
    }
}
