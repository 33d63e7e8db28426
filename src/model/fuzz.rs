//! Files of models of bytes that nobody meant, as they lie on a disk and with checksums that agree, under all that
//! `hearth model` does with them.

use std::fs;
use std::path::Path;

use super::*;
use crate::fuzz::{fuzz, reasons};
use crate::kept::{self, forged};

/// What a replay of two homes kept.
const KEPT: &str = "tests/models";

/// A folder with models, and events of one of their homes.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("models")).unwrap();
    let event = |minute: usize, action: &str| {
        format!(
            "{{\"home\":\"h-9\",\"time\":\"2025-01-20T08:{minute:02}:00+02:00\",\"device\":\"BedroomLight\",\"action\":\"{action}\"}}\n"
        )
    };
    let log = event(1, "switch on") + &event(30, "switch off");
    fs::write(folder.path().join("log.jsonl"), log).unwrap();
    folder
}

/// Does with a folder of models all that can be done; what was said.
fn used(dir: &Path) -> String {
    let stop = Stop::default();
    let mut said = Vec::new();
    let mut run = |what| {
        let done = match what {
            What::Apply(arguments) => apply::score(&arguments, &stop).map(drop),
            what => super::run(&ModelArgs { what }, &stop),
        };
        said.extend(done.err().map(|error| error.to_string()));
    };
    let all = dir.to_owned();
    run(What::List(ListArgs {
        dir: all,
        json: true,
    }));
    let homes = match Models::open(dir) {
        Ok(models) => models
            .homes()
            .iter()
            .map(|entry| entry.home.clone())
            .collect(),
        Err(_) => Vec::new(),
    };
    for home in homes.into_iter().take(3) {
        let of = OneArgs {
            dir: dir.to_owned(),
            home: home.clone(),
        };
        run(What::Show(of.clone()));
        run(What::Export(ExportArgs { of, out: None }));
        run(What::Apply(ApplyArgs {
            dir: dir.to_owned(),
            logs: vec![dir.join("log.jsonl")],
            home,
            columns: Default::default(),
            frozen: false,
            csv: false,
            out: None,
        }));
    }
    reasons(said.iter().map(String::as_str))
}

fn kept() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(KEPT)
}

#[test]
fn kept_models() {
    let seed = fs::read(kept::path(&kept())).unwrap();
    let folder = folder();
    fuzz(&[&seed], &[], |bytes| {
        fs::write(kept::path(folder.path()), bytes).unwrap();
        let other = folder.path().join("merged");
        let merged = kept::merge(&[folder.path().to_owned()], &other);
        let home = "h-9";
        let removed = kept::remove(folder.path(), home);
        let said = [merged.err(), removed.err()].into_iter().flatten();
        let said: Vec<String> = said.map(|error| error.to_string()).collect();
        reasons(said.iter().map(String::as_str)) + &used(folder.path())
    });
}

/// The first byte says which part the others are.
#[test]
fn forged_models() {
    let kept = kept();
    let parts = forged::parts(&kept);
    let of = |number: usize| [&[number as u8], &forged::part(&kept, number)[..]].concat();
    let seeds: Vec<Vec<u8>> = (0..parts).map(of).collect();
    let seeds: Vec<&[u8]> = seeds.iter().map(Vec::as_slice).collect();
    let folder = folder();
    fuzz(&seeds, &[], |bytes| {
        let (first, part) = bytes.split_first().unwrap_or((&0, &[]));
        let number = usize::from(*first) % parts;
        forged::write(&kept, folder.path(), number, part);
        format!("{number} {}", used(folder.path()))
    });
}
