//! The first pass over a log, in which catalogs are inferred: kept in the output folder, so that it is not made again.
//!
//! What the catalogs became, stage by stage, is kept in a file of its own beside it: it follows from the pass, and is many times as long,
//! so it is written now and then.

use std::io;
use std::path::{Path, PathBuf};

use crate::catalog::{FirstPass, Grown};
use crate::codec::{CATALOGS, Part, Reader, Writer};
use crate::disk::{Disk, Open};

/// So many stages the catalogs that are kept may be behind: whoever goes on has to have them grow by these.
const BEHIND: usize = 16;

/// Where it is kept.
pub fn path(out: &Path) -> PathBuf {
    out.join(".hearth.first-pass")
}

fn catalogs(out: &Path) -> PathBuf {
    out.join(".hearth.catalogs")
}

/// That of an earlier run; one that cannot be read is made again.
pub fn read(disk: &Disk, out: &Path) -> Option<FirstPass> {
    let bytes = disk.read(&path(out)).ok()?;
    let pass: FirstPass = serde_json::from_slice(&bytes).ok()?;
    let mut pass = Some(pass).filter(FirstPass::is_sound)?;
    pass.grown = grown(disk, out);
    Some(pass)
}

/// The catalogs that are kept, whatever pass they are of.
fn grown(disk: &Disk, out: &Path) -> Option<Grown> {
    let file = disk.open(&catalogs(out), Open::Read).ok()?;
    let (file, part): (_, Part) = Reader::open(file, &CATALOGS).ok()?;
    serde_json::from_slice(&file.bytes(part).ok()?).ok()
}

/// Keeps it in place of one before.
///
/// # Errors
/// What the system says.
pub fn write(disk: &Disk, out: &Path, pass: &FirstPass) -> io::Result<()> {
    disk.replace(&path(out), &serde_json::to_vec(pass)?)?;
    let due = |grown: &&Grown| grown.stages.is_multiple_of(BEHIND);
    let Some(grown) = pass.grown.as_ref().filter(due) else {
        return Ok(());
    };
    let mut file = Writer::new(Vec::new(), &CATALOGS)?;
    let part = file.add_bytes(&serde_json::to_vec(grown)?)?;
    let (bytes, _) = file.finish(&part)?;
    disk.replace(&catalogs(out), &bytes)
}

/// Removes it.
///
/// # Errors
/// What the system says.
pub fn remove(disk: &Disk, out: &Path) -> io::Result<()> {
    disk.remove(&path(out))?;
    disk.remove(&catalogs(out))
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;
    use std::fs;

    use hearth_operators::words::Catalogs;

    use super::*;
    use crate::config::Keys;
    use crate::fleet::{Fleet, Given};
    use crate::home_names::HomeNames;

    /// What a fleet knows, to compare: catalogs and cohorts with their ids, by home.
    fn told(fleet: &Fleet) -> String {
        let mut told = format!("{:?} {:?}\n", fleet.sums, fleet.measured);
        for home in fleet.catalogs.homes() {
            let (name, words) = (fleet.homes.name(home), fleet.catalogs.own_words(home));
            let catalog = fleet.catalogs.of(home);
            let ids = catalog.action_ids().map(|action| catalog.full_name(action));
            let ids: Vec<String> = ids.collect();
            writeln!(told, "{name} {ids:?} {words:?}").unwrap();
        }
        for cohort in fleet.catalogs.cohorts() {
            let devices = fleet.catalogs.cohort(cohort).devices();
            writeln!(told, "{devices:?}").unwrap();
        }
        told
    }

    /// Whatever is kept of what the catalogs became: in memory, in files, of files that are damaged, or nothing.
    #[test]
    fn catalogs_go_on_from_what_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let (out, disk) = (folder.path(), Disk::real());
        let logs = [out.join("log.jsonl")];
        let keys = Keys::default();
        let open = |first_pass, known: &[&str]| {
            let names = HomeNames::default();
            known.iter().for_each(|name| {
                names.intern(name);
            });
            Fleet::open(Given {
                logs: &logs,
                catalog: None,
                homes: None,
                keys: &keys,
                timezone: None,
                first_pass,
                growing: None,
                known: names,
            })
            .unwrap()
        };
        let bare = || {
            let mut pass = read(&disk, out)?;
            pass.grown = None;
            Some(pass)
        };
        let (mut text, mut in_memory) = (String::new(), None);
        for part in 0..2 * BEHIND + 3 {
            for (home, device) in [(part % 5, part / 2), (part / 3, part % 4)] {
                writeln!(
                    text,
                    r#"{{"home":"h-{home}","time":"2025-03-01T07:00:00Z","device":"Lamp {device}","action":"{}"}}"#,
                    ["on", "off", "dim"][part % 3]
                )
                .unwrap();
            }
            fs::write(&logs[0], &text).unwrap();
            let mut fleet = open(in_memory.take(), &[]);
            let pass = fleet.first_pass.take().unwrap();
            assert!(fleet.has_read);
            write(&disk, out, &pass).unwrap();
            assert_eq!(grown(&disk, out).is_some(), part + 1 >= BEHIND);
            let kept = read(&disk, out);
            let has = kept.as_ref().and_then(|pass| pass.grown.as_ref());
            assert_eq!(
                has.map_or(0, |grown| grown.stages),
                (part + 1) / BEHIND * BEHIND
            );
            let expected = told(&fleet);
            assert_eq!(told(&open(kept, &[])), expected);
            assert_eq!(told(&open(bare(), &[])), expected);
            in_memory = Some(pass);
        }
        // That they do, and make nothing anew.
        let mut forged = read(&disk, out).unwrap();
        forged.grown.as_mut().unwrap().catalogs = Catalogs::shared(Default::default());
        assert_ne!(told(&open(Some(forged), &[])), told(&open(bare(), &[])));
        // Homes may have other ids by now.
        let others = ["h-3", "h-1"];
        let expected = told(&open(bare(), &others));
        assert_eq!(told(&open(read(&disk, out), &others)), expected);
        let file = catalogs(out);
        let mut bytes = fs::read(&file).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(&file, bytes).unwrap();
        assert!(grown(&disk, out).is_none());
        remove(&disk, out).unwrap();
        assert!(read(&disk, out).is_none() && !file.exists());
    }
}
