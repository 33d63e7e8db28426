//! Two homes with a shift each, late, doubled and senseless lines, and a language model's server: small, for it is replayed
//! thousands of times.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use clap::builder::Resettable;
use clap::{CommandFactory, FromArgMatches};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::server::{Act, Server};
use crate::cli::{Cli, Command};
use crate::disk::simulated::Simulated;
use crate::replay::ReplayArgs;

/// Where outputs are, on the simulated disk.
pub const OUT: &str = "/out";

/// What calls may cost, as a summary writes it.
pub const BUDGET: &str = "5";

const DAYS: i64 = 12;

/// What each home does on a day: hour, minute, device and action.
const ROUTINE: [(i64, i64, &str, &str); 8] = [
    (6, 10, "Light", "switch on"),
    (6, 15, "Kettle", "switch on"),
    (6, 20, "Kettle", "switch off"),
    (6, 50, "Light", "switch off"),
    (18, 5, "Heater", "switch on"),
    (18, 40, "Television", "switch on"),
    (21, 30, "Television", "switch off"),
    (21, 40, "Heater", "switch off"),
];

fn time(minutes: i64) -> String {
    let (day, minute) = (minutes / 1440, minutes % 1440);
    let (hour, minute) = (minute / 60, minute % 60);
    format!("2025-01-{:02}T{hour:02}:{minute:02}:00+01:00", 6 + day)
}

/// The lines of the log.
fn log() -> String {
    let mut random = ChaCha8Rng::seed_from_u64(7);
    let mut lines: Vec<(i64, String)> = Vec::new();
    for day in 0..DAYS {
        for home in ["h-1", "h-2"] {
            for (hour, minute, device, action) in ROUTINE {
                let at = day * 1440 + hour * 60 + minute + random.random_range(0..5);
                let line = format!(
                    r#"{{"home":"{home}","time":"{}","device":"{device}","action":"{action}"}}"#,
                    time(at)
                );
                let comes = match random.random_range(0..20) {
                    // In time to be sorted in, or too late.
                    0 => at + 600,
                    1 => at + 3 * 1440,
                    2 => {
                        lines.push((at, line.clone()));
                        at
                    }
                    _ => at,
                };
                lines.push((comes, line));
            }
        }
        lines.push((day * 1440, "this is no event".to_owned()));
    }
    lines.sort_by_key(|(comes, _)| *comes);
    let lines = lines.into_iter().map(|(_, line)| line + "\n");
    lines.collect()
}

/// The logs in a folder, and the server that answers: runs with them differ in their workers and their disk alone.
pub struct Household {
    folder: PathBuf,
    server: Server,
    packs: bool,
    disk: Arc<Mutex<Option<Simulated>>>,
}

impl Household {
    /// With a server on this port, or on any that is free. Where the log is and who answers is part of what a cut is of.
    pub fn new(port: u16, packs: bool) -> Self {
        let folder = built().join(format!("log-{}", crc32fast::hash(log().as_bytes())));
        std::fs::create_dir_all(&folder).unwrap();
        // Others may be reading it.
        let write = |name: &str, text: &str| {
            let mut file = tempfile::NamedTempFile::new_in(&folder)?;
            file.write_all(text.as_bytes())?;
            file.persist(folder.join(name))
                .map_err(std::io::Error::from)
        };
        write("events.jsonl", &log()).unwrap();
        let shift = format!(
            r#"{{"home":"*","time":"{}","kind":"season","from":"winter","to":"summer"}}"#,
            time(7 * 1440)
        );
        write("contexts.jsonl", &(shift + "\n")).unwrap();
        let disk: Arc<Mutex<Option<Simulated>>> = Arc::default();
        let noted = disk.clone();
        let server = Server::start_at(port, move |_| {
            let disk = noted.lock().unwrap_or_else(PoisonError::into_inner);
            disk.iter().for_each(Simulated::note);
            Act::Answer
        });
        Household {
            folder,
            server,
            packs,
            disk,
        }
    }

    /// Where the server listens.
    pub fn port(&self) -> u16 {
        let url = self.server.url();
        let authority = url.trim_end_matches("/v1");
        let port = authority.rsplit(':').next();
        port.and_then(|port| port.parse().ok()).unwrap()
    }

    /// Whether its outputs are packed.
    pub fn packs(&self) -> bool {
        self.packs
    }

    /// Has calls be noted in the journal of this disk.
    pub fn noted_by(&self, disk: &Simulated) {
        let mut noted = self.disk.lock().unwrap_or_else(PoisonError::into_inner);
        *noted = Some(disk.clone());
    }

    /// What a person would type.
    pub fn arguments(&self, workers: usize) -> ReplayArgs {
        let at = |name: &str| self.folder.join(name).display().to_string();
        // What is packed goes back to a cut in its own way.
        let packed = if self.packs {
            "--output-packing zstd"
        } else {
            ""
        };
        let line = format!(
            "hearth replay {} --contexts {} --out {OUT} --warm-up 1 --warm-up-span 1s --max-gap 2h --epoch-events 8 \
             --threads 1 --workers {workers} --checkpoint-every 1ms {packed} --output-roll 2KiB --synthesizer openai --llm-url {} \
             --llm-model parrot-1 \
             --llm-price-input 2 --llm-price-output 10 --llm-budget {BUDGET}",
            at("events.jsonl"),
            at("contexts.jsonl"),
            self.server.url()
        );
        arguments(&line)
    }
}

/// A command line as the program reads it, but for `HEARTH_*` variables.
fn arguments(line: &str) -> ReplayArgs {
    let command = Cli::command().mut_subcommand("replay", |replay| {
        replay.mut_args(|argument| argument.env(Resettable::Reset))
    });
    let matches = command
        .try_get_matches_from(line.split_whitespace())
        .unwrap();
    match Cli::from_arg_matches(&matches).unwrap().command {
        Command::Replay(arguments) => *arguments,
        _ => unreachable!("the line says replay"),
    }
}

/// The folder for what these tests keep.
pub fn built() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/crashes")
}

/// Where the recorded answers are.
pub fn cassette() -> PathBuf {
    Path::new(OUT).join("cassette")
}
