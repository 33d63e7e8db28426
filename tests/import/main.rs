//! `hearth import`: small inputs made by hand, and the real data where it is there.

mod authors;
mod data_sets;
mod home_assistant;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Parser;
use hearth::catalog;
use hearth::home_names::HomeNames;
use hearth::import::{self, ImportArgs};
use hearth::sources::{EventLog, Options, read_contexts};
use hearth::zones::Zones;
use hearth_operators::words::{Behavior, Catalog, Catalogs, Shift};

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    import: ImportArgs,
}

/// What an import wrote, read back as `replay` would.
struct Imported {
    behaviors: Vec<Behavior>,
    catalog: Arc<Catalog>,
    homes: HomeNames,
    shifts: Vec<Shift>,
}

impl Imported {
    /// `home device:action time` of each behaviour, in the order of the log.
    fn lines(&self) -> Vec<String> {
        let line = |b: &Behavior| {
            let time = hearth::time::format(b.moment.time, b.moment.offset);
            format!(
                "{} {} {time}",
                self.homes.name(b.home),
                self.catalog.full_name(b.moment.action)
            )
        };
        self.behaviors.iter().map(line).collect()
    }
}

fn try_import(args: &[&str], out: &Path) -> anyhow::Result<()> {
    let out = ["--out", out.to_str().unwrap()];
    let args = ["import"].iter().chain(args).chain(&out);
    import::run(&Cli::try_parse_from(args)?.import)
}

fn import(args: &[&str]) -> Imported {
    let folder = tempfile::tempdir().unwrap();
    try_import(args, folder.path()).unwrap();
    let catalog = Arc::new(catalog::load(&folder.path().join("catalog.json")).unwrap());
    let options = Options {
        catalogs: Catalogs::shared(catalog.clone()),
        homes: HomeNames::default(),
        zones: Zones::new(None),
        keys: Default::default(),
    };
    let homes = options.homes.clone();
    let mut log = EventLog::open(&[folder.path().join("events.jsonl")], options).unwrap();
    let (mut behaviors, mut rejected) = (Vec::new(), Vec::new());
    while log.read(1000, &mut behaviors, &mut rejected).unwrap() > 0 {}
    assert!(rejected.is_empty(), "{rejected:?}");
    let contexts = folder.path().join("contexts.jsonl");
    let shifts = if contexts.exists() {
        let read = read_contexts(&contexts, &homes, &Zones::new(None)).unwrap();
        let (shifts, rejected) = (read.shifts, read.rejected);
        assert!(rejected.is_empty(), "{rejected:?}");
        shifts
    } else {
        Vec::new()
    };
    Imported {
        behaviors,
        catalog,
        homes,
        shifts,
    }
}

/// A folder of the shared data; `None`, said loudly, where it is not there.
fn data(folder: &str) -> Option<PathBuf> {
    let root = std::env::var_os("HEARTH_DATA").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data"),
        PathBuf::from,
    );
    let folder = root.join(folder);
    if !folder.is_dir() {
        eprintln!(
            "SKIPPED: real data is not at {}; set HEARTH_DATA",
            folder.display()
        );
        return None;
    }
    Some(folder)
}

fn write(folder: &Path, name: &str, bytes: impl AsRef<[u8]>) -> String {
    let file = folder.join(name);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(&file, bytes).unwrap();
    file.to_str().unwrap().to_owned()
}
