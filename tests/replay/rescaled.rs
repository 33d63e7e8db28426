//! A run whose processes are killed goes on with any number of others, and leaves what an undisturbed run does.

use std::process::Child;
use std::time::Duration;

use super::cluster::{ends, hosts, number, same, there};
use super::crew::{Crew, many_epochs, newest_cut, undisturbed, until};
use super::household::dir;
use super::killed::{Random, signal};
use super::program::{Folder, hearth, start};

const MOVED: Crew = Crew("moved");

/// Waits until each process has taken a cut of its own; or until one has ended, which may be the end of the run.
fn kept(all: &mut [Child], before: &[String]) {
    let have_kept = |cuts: Vec<String>| cuts.iter().zip(before).all(|(now, then)| now > then);
    let has_ended = |one: &mut Child| one.try_wait().unwrap().is_some();
    until("nothing is ever kept", || {
        have_kept(MOVED.cuts(all.len())) || all.iter_mut().any(has_ended)
    });
}

/// From one life to the next with these numbers of processes and workers, the last of which comes to the end. Whether each went on
/// from what others had kept.
fn through(lives: &[(usize, usize)], random: &mut Random) -> Vec<bool> {
    MOVED.clear();
    let mut moved = Vec::new();
    for (life, &(processes, workers)) in lives.iter().enumerate() {
        let (locks, before) = (MOVED.locks(processes), MOVED.cuts(processes));
        hosts(dir(), "moved-hosts", processes);
        let start = |process| MOVED.start(process, workers, "moved-hosts");
        let mut all: Vec<Child> = (0..processes).map(start).collect();
        let is_last = life + 1 == lives.len();
        if !is_last {
            there(&locks);
            kept(&mut all, &before);
            std::thread::sleep(Duration::from_micros(random.below(100_000)));
            let victim = &mut all[random.below(processes as u64) as usize];
            // One that has ended by now takes no signal.
            let _ = match random.below(3) {
                0 => signal(victim, "-INT"),
                _ => victim.kill().is_ok(),
            };
        }
        let ended: Vec<_> = all.into_iter().map(ends).collect();
        for ended in &ended {
            assert!(!ended.stderr.contains("panicked"), "{}", ended.stderr);
            let fine = !is_last || ended.code == Some(0);
            assert!(fine && ended.code != Some(2), "{lives:?}: {}", ended.stderr);
        }
        let goes_on = "goes on as process";
        moved.push(ended.iter().all(|ended| ended.stderr.contains(goes_on)));
    }
    MOVED.leave_the_whole();
    moved
}

/// `HEARTH_CLUSTER_MOVES=100 HEARTH_SEED=7 cargo test --release --test replay any_number_of_processes` for many others.
#[test]
fn any_number_of_processes_goes_on() {
    let mut random = Random(number("HEARTH_SEED", 2024));
    assert_eq!(
        through(&[(1, 1), (3, 1), (2, 1)], &mut random),
        [false, true, true]
    );
    // Folders that rest are gone on with.
    assert_eq!(
        through(&[(3, 1), (1, 2), (3, 2)], &mut random),
        [false, true, true]
    );
    for run in 0..number("HEARTH_CLUSTER_MOVES", 0) {
        let lives = 2 + random.below(4);
        let mut some = || (1 + random.below(3) as usize, 1 + random.below(2) as usize);
        let lives: Vec<(usize, usize)> = (0..lives).map(|_| some()).collect();
        let moved = through(&lives, &mut random);
        eprintln!("run {run}: {lives:?} {moved:?}");
    }
}

/// `launch` again, with another number: it goes on, and the outputs are made one.
#[test]
fn a_launch_goes_on_with_another_number() {
    let out = dir().join("grows");
    let _ = std::fs::remove_dir_all(&out);
    let launch = |processes: usize| {
        let replay = format!("{} --checkpoint-every 1ms --out grows", many_epochs());
        format!("launch --processes {processes} -- {replay}")
    };
    let mut child = start(dir(), &launch(2));
    drop(child.stdin.take());
    let state = out.join(".hearth.parts/state/process-1");
    until("nothing is ever kept", || !newest_cut(&state).is_empty());
    assert!(signal(&child, "-INT"));
    let ended = ends(child);
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    let ended = hearth(dir(), &launch(3)).fine();
    let goes_on = "goes on as process 2 of 3 from what 2 had kept";
    assert!(ended.stderr.contains(goes_on), "{}", ended.stderr);
    same(undisturbed(), &Folder(out));
}

/// Where each keeps its own, others do not begin over it, and are told what serves.
#[test]
fn others_are_refused_where_not_all_reach_what_was_kept() {
    let own = |process: usize, workers: usize| {
        let kept = "--checkpoint-every 1ms";
        let own = format!("--hosts own-hosts --process {process} --workers {workers} {kept}");
        start(
            dir(),
            &format!("{} {own} --out own-{process}", many_epochs()),
        )
    };
    for process in 0..2 {
        let _ = std::fs::remove_dir_all(dir().join(format!("own-{process}")));
    }
    hosts(dir(), "own-hosts", 2);
    let mut both = [own(0, 1), own(1, 1)];
    let states = [0, 1].map(|process| dir().join(format!("own-{process}/state")));
    until("nothing is ever kept", || {
        states.iter().all(|state| !newest_cut(state).is_empty())
    });
    both[1].kill().unwrap();
    let _ = both.map(ends);
    let refused = [own(0, 2), own(1, 2)].map(ends);
    for ended in &refused {
        assert!(matches!(ended.code, Some(1 | 2)), "{}", ended.stderr);
    }
    // Each refuses by itself, unless it hears first that the other one is gone.
    let says = refused.iter().any(|ended| ended.stderr.contains("--state"));
    assert!(says, "{}{}", refused[0].stderr, refused[1].stderr);
    let _ = [own(0, 1), own(1, 1)].map(|child| ends(child).fine());
    hearth(dir(), "merge own-0 own-1 --out own").fine();
    same(undisturbed(), &Folder(dir().join("own")));
}
