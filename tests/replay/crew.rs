//! Several processes that share a run, from one life of it to the next, and what they leave together.

use std::path::{Path, PathBuf};
use std::process::Child;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use super::cluster::{PATIENCE, household, same};
use super::household::{EPOCH, dir};
use super::program::{Folder, hearth, start};

/// A run of so many epochs that it comes to a cut a dozen times.
pub fn many_epochs() -> String {
    let (usual, short) = (format!("--epoch-events {EPOCH}"), "--epoch-events 10");
    household().replace(&usual, short)
}

/// The same by one process, which nothing befalls.
pub fn undisturbed() -> &'static Folder {
    static UNDISTURBED: OnceLock<Folder> = OnceLock::new();
    UNDISTURBED.get_or_init(|| {
        hearth(
            dir(),
            &format!("{} --workers 1 --out undisturbed", many_epochs()),
        )
        .fine();
        Folder(dir().join("undisturbed"))
    })
}

/// Processes whose files begin with a name of their own.
pub struct Crew(pub &'static str);

impl Crew {
    /// The output folder of a process.
    pub fn out(&self, process: usize) -> String {
        format!("{}-{process}", self.0)
    }

    /// The place where each process has one for its checkpoints.
    fn state(&self) -> String {
        format!("{}-state", self.0)
    }

    /// Removes all that was ever written; there were fewer than ten processes.
    pub fn clear(&self) {
        let folders = (0..9).map(|process| self.out(process));
        for folder in folders.chain([self.state()]) {
            let _ = std::fs::remove_dir_all(dir().join(folder));
        }
    }

    /// Starts a process, which finds the others by a hosts file.
    pub fn start(&self, process: usize, workers: usize, hosts: &str) -> Child {
        let (out, state) = (self.out(process), self.state());
        let own = format!("--hosts {hosts} --process {process} --workers {workers} --out {out}");
        let kept = format!("--state {state} --checkpoint-every 1ms");
        start(dir(), &format!("{} {own} {kept}", many_epochs()))
    }

    /// What is there once so many processes run, made anew by each life.
    pub fn locks(&self, processes: usize) -> Vec<PathBuf> {
        let lock = |process| dir().join(self.out(process)).join(".hearth.lock");
        let locks: Vec<PathBuf> = (0..processes).map(lock).collect();
        for lock in &locks {
            let _ = std::fs::remove_file(lock);
        }
        locks
    }

    /// The name of the newest cut of each process.
    pub fn cuts(&self, processes: usize) -> Vec<String> {
        let state = dir().join(self.state());
        let place = |process: usize| state.join(format!("process-{process}"));
        (0..processes)
            .map(|process| newest_cut(&place(process)))
            .collect()
    }

    /// What is left of a run that has come to its end is what an undisturbed one leaves.
    pub fn leave_the_whole(&self) {
        let part = Folder(dir().join(self.out(0))).summary()["part"].clone();
        let resting = part["resting"].as_object().into_iter().flatten();
        let resting = resting.map(|(process, _)| process.parse().unwrap());
        let all = (0..part["processes"].as_u64().unwrap() as usize).chain(resting);
        let all: Vec<String> = all.map(|process| self.out(process)).collect();
        hearth(dir(), &format!("merge {} --out {}", all.join(" "), self.0)).fine();
        same(undisturbed(), &Folder(dir().join(self.0)));
    }
}

/// The name of the newest cut that is kept in a folder; nothing, where there is none.
pub fn newest_cut(folder: &Path) -> String {
    let names = std::fs::read_dir(folder).into_iter().flatten();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let is_whole = |name: &String| name.starts_with("cut-") && !name.ends_with(".partial");
    names.filter(is_whole).max().unwrap_or_default()
}

/// Waits until something holds.
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < PATIENCE, "{what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}
