//! A disk that is full, a real one.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::household::{dir, first};
use super::killed::command;
use super::program::{Folder, STREAMS, hearth, same_lines};

/// A file system of its own in memory, gone when dropped.
struct Small(PathBuf);

impl Small {
    /// With so many KiB; `None` where this may not be mounted.
    fn mount(at: PathBuf, room: u64) -> Option<Self> {
        std::fs::create_dir_all(&at).unwrap();
        let options = format!("size={room}k");
        mount(&["-t", "tmpfs", "-o", &options, "tmpfs"], &at).then_some(Small(at))
    }

    fn grow(&self) {
        assert!(mount(&["-o", "remount,size=64m"], &self.0));
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

fn mount(options: &[&str], at: &Path) -> bool {
    let ran = Command::new("mount").args(options).arg(at).output();
    ran.is_ok_and(|ran| ran.status.success())
}

fn bytes(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).unwrap();
    let size = |entry: std::fs::DirEntry| match entry.file_type().unwrap().is_dir() {
        true => bytes(&entry.path()),
        false => entry.metadata().unwrap().len(),
    };
    entries.map(|entry| size(entry.unwrap())).sum()
}

/// The run ends with code 1 and names a file; with room again the same command leaves what it would have left.
#[test]
fn a_full_disk_ends_a_run_that_goes_on_once_there_is_room() {
    let room = bytes(&first().0) >> 10;
    for (number, share) in [20, 45, 70].into_iter().enumerate() {
        let name = format!("small-{number}");
        let Some(small) = Small::mount(dir().join(&name), room * share / 100) else {
            eprintln!(
                "SKIPPED: no tmpfs can be mounted here (that takes root), so no real disk was full"
            );
            return;
        };
        let command = command(&format!("{name}/out"), "");
        let full = hearth(dir(), &command);
        assert_eq!(full.code, Some(1), "{share} %: {}", full.stderr);
        let says = |part: &str| assert!(full.stderr.contains(part), "{share} %: {}", full.stderr);
        says("No space left");
        says(&name);
        small.grow();
        hearth(dir(), &command).fine();
        same_lines(first(), &Folder(dir().join(&name).join("out")), &STREAMS);
    }
}
