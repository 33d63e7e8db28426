//! `hearth simulate`: many homes with habits, shifts and anomalies, and the truth about them.
//!
//! A home is a handful of people with hours and habits of their own, some of the devices of a shared catalog, and
//! routines that are chains of device actions ([`Settings`] says what can be asked for). About the middle of its days its
//! context shifts: by *season* the heater gives way to windows, fans and the air conditioner, by *schedule* the same routines
//! move into the night, by *occupancy* a second person's routines interleave and bring devices of their own.
//!
//! All chance comes from the seed and the number of the home: the home `h-17` is the same among twenty homes and among a
//! thousand, and disorder (`--late`, `--duplicates`, `--reorder`) moves lines without changing a behaviour.
//!
//! # `truth.jsonl`
//!
//! One JSON object a line: the shifts by home, then the anomalies in the order of the log, then the counts. These keys
//! are part of the interface:
//!
//! ```json
//! {"truth":"shift","home":"h-1","time":"2025-01-21T04:00:00+01:00","kind":"season","from":"winter","to":"summer"}
//! {"truth":"anomaly","home":"h-1","time":"2025-01-23T18:02:11+01:00","device":"Heater","action":"switch on","kind":"out_of_season"}
//! {"truth":"counts","homes":20,"lines":20000,"unique":19800,"duplicates":200,"late":100,"reordered":0,"anomalies":190,"shifts":20}
//! ```
//!
//! An anomaly is the event of that home, time, device and action; [`Anomaly`] has the kinds. `unique` counts events without
//! duplicates (`lines = unique + duplicates`); `late` and `reordered` count events that are written later than
//! their time says; shares are of the unique events.

mod anomalies;
mod chance;
mod days;
mod devices;
mod folder;
mod home;
mod log;
mod occurrence;
mod routines;
mod settings;
mod spool;
mod state;

use std::io::Write as _;
use std::path::PathBuf;

pub use log::{Event, PlantedShift, Progress, SimulateError, Sink, Totals, catalog, simulate};
pub use occurrence::Anomaly;
pub use settings::{Days, Delay, Settings, Share, Shifts};

use crate::sources::LogFormat;

/// Simulate many homes, with planted shifts and anomalies and the truth about them
#[derive(clap::Args, Clone, Debug)]
#[command(
    long_about = "Simulate many homes whose people have habits, and write their behaviours as one log in time order.\n\n\
        DIR gets events.jsonl (the log; or another --format), contexts.jsonl (a shift of every home, about the middle of its days), catalog.json \
        (devices, actions, what closes what) and truth.jsonl (what was planted: shifts, anomalies, counts). Files of these \
        names are replaced, others are left alone. The same options give the same bytes, and a home is the same \
        however many others there are. Memory does not grow with the homes: a large log is sorted on disk, in DIR.",
    after_help = "Examples:\n  \
        Twenty homes, thirty days, every kind of shift:\n    \
        hearth simulate --out sim\n  \
        Two hundred homes that all meet a new season, without anomalies:\n    \
        hearth simulate --homes 200 --shifts season --anomalies 0 --out sim\n  \
        A disorderly log: late, duplicated and reordered lines, some too late for replay's 24h:\n    \
        hearth simulate --late 0.02 --late-by 30h --duplicates 0.01 --reorder 0.1 --ids --out sim\n  \
        A large log that is quick to read:\n    \
        hearth simulate --homes 10000 --format hlog --out sim\n  \
        What to do with it:\n    \
        hearth replay sim/events.jsonl --contexts sim/contexts.jsonl --catalog sim/catalog.json --out out\n    \
        hearth show out --truth sim/truth.jsonl"
)]
pub struct SimulateArgs {
    /// What to simulate.
    #[command(flatten)]
    pub settings: Settings,

    /// Folder for the files; made if it is missing
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,

    /// Format of the log
    #[arg(long, value_enum, default_value_t)]
    pub format: LogFormat,
}

/// Runs the command: simulates into the folder and says on standard output what is there.
///
/// # Errors
/// A file in the folder cannot be written.
pub fn run(args: &SimulateArgs) -> anyhow::Result<()> {
    let counts = write(args)?;
    let (homes, days) = (args.settings.homes, args.settings.days.get());
    writeln!(
        std::io::stdout(),
        "{homes} homes, {days} days: {} events ({} lines with {} duplicates; {} late, {} reordered), {} of them planted anomalies; \
         {} shifts. Written to {}.",
        counts.unique,
        counts.lines,
        counts.duplicates,
        counts.late,
        counts.reordered,
        counts.anomalies,
        counts.shifts,
        args.out.display()
    )?;
    Ok(())
}

/// Simulates into the folder.
///
/// # Errors
/// A file in the folder cannot be written.
pub fn write(args: &SimulateArgs) -> anyhow::Result<Totals> {
    let SimulateArgs {
        settings,
        out,
        format,
    } = args;
    let homes = settings.homes.get();
    let mut folder = folder::Folder::create(out, *format, &catalog()?, homes, settings.ids)?;
    let counts = simulate(settings, &out.join("events.spool"), &mut folder)?;
    folder.finish(&counts)?;
    Ok(counts)
}
