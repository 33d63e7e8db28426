//! Parts of checkpoints of bytes that nobody meant: as they lie on a disk, and as sections whose checksums agree.

use std::path::Path;

use super::part::Stored;
use super::pieces::{self, Sections};
use super::store::{Folder, Store};
use crate::disk::Disk;
use crate::fuzz::{fuzz, reasons};

/// What an older version kept.
const KEPT: &str = "tests/checkpoints/v1/out/state";

fn kept() -> Folder {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(KEPT);
    Folder::new(&Disk::real(), folder)
}

#[test]
fn checkpoint_parts() {
    let folder = tempfile::tempdir().unwrap();
    let store = Folder::new(&Disk::real(), folder.path().to_owned());
    let seed = std::fs::read(kept().path("part-000000000000")).unwrap();
    fuzz(&[&seed], &[], |bytes| {
        std::fs::write(folder.path().join("part"), bytes).unwrap();
        let mut sections = Sections::new();
        let read = Stored::open(&store, "part").and_then(|part| {
            part.verify()?;
            part.read(&mut sections)
        });
        match read {
            Ok(()) => {
                pieces::read(&sections, 2).unwrap();
                String::new()
            }
            Err(error) => reasons([error.to_string().as_str()]),
        }
    });
}

/// The first byte says of which section the others are.
#[test]
fn checkpoint_sections() {
    let mut whole = Sections::new();
    let part = Stored::open(&kept(), "part-000000000000").unwrap();
    part.read(&mut whole).unwrap();
    let of = |(n, section): (usize, &Vec<Vec<u8>>)| [&[n as u8], &section[0][..]].concat();
    let seeds: Vec<Vec<u8>> = whole.values().enumerate().map(of).collect();
    let seeds: Vec<&[u8]> = seeds.iter().map(Vec::as_slice).collect();
    fuzz(&seeds, &[], |bytes| {
        let (first, section) = bytes.split_first().unwrap_or((&0, &[]));
        let mut sections = whole.clone();
        let place = *first as usize % sections.len();
        *sections.values_mut().nth(place).unwrap() = vec![section.to_vec()];
        match pieces::read(&sections, 2) {
            Ok(_) => format!("section {:?}", sections.keys().nth(place)),
            Err(error) => reasons([error.to_string().as_str()]),
        }
    });
}
