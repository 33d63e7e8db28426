//! Whatever befalls processes and the links between them, and whenever: those that are left end soon, and the run goes on.

use std::process::Child;
use std::time::{Duration, Instant};

use super::cluster::{ends, number, there};
use super::crew::Crew;
use super::household::{EPOCH, dir};
use super::killed::{Random, signal};
use super::network::{Network, free_port};
use super::program::write;
use super::run::append;
use super::shared::{Live, fine, log};

const HARMED: Crew = Crew("harmed");

/// Processes with a network of their own between any two of them.
struct Linked {
    processes: Vec<Child>,
    /// By the process that calls and the one that is called, which is before it.
    links: Vec<((usize, usize), Network)>,
}

impl Linked {
    /// Starts each by its number and its hosts file, which has that name before it.
    fn start(name: &str, processes: usize, mut start: impl FnMut(usize, &str) -> Child) -> Self {
        let ports: Vec<u16> = (0..processes).map(|_| free_port()).collect();
        let between = (0..processes).flat_map(|from| (0..from).map(move |to| (from, to)));
        let links: Vec<_> = between
            .map(|(from, to)| ((from, to), Network::to(ports[to])))
            .collect();
        let mut one = |process: usize| {
            let port = |other: usize| {
                let link = links.iter().find(|(ends, _)| *ends == (process, other));
                link.map_or(ports[other], |(_, link)| link.port)
            };
            let lines = (0..processes).map(|other| format!("127.0.0.1:{}\n", port(other)));
            let hosts = format!("{name}-hosts-{process}");
            write(dir(), &hosts, lines.collect::<String>());
            start(process, &hosts)
        };
        let processes = (0..processes).map(&mut one).collect();
        Linked { processes, links }
    }
}

/// What befalls them.
#[derive(Clone, Copy, Debug)]
enum Fault {
    Kill,
    Interrupt,
    /// So many milliseconds.
    Stop(u64),
    Cut,
    Hold(u64),
    Delay(u64),
}

impl Fault {
    fn any(random: &mut Random) -> Self {
        match random.below(6) {
            0 => Fault::Kill,
            1 => Fault::Interrupt,
            2 => Fault::Stop(random.below(9_000)),
            3 => Fault::Cut,
            4 => Fault::Hold(random.below(9_000)),
            _ => Fault::Delay(1 + random.below(30)),
        }
    }

    /// Befalls one of them, or the link between two. Where that is for ever: since when.
    fn befall(self, all: &mut Linked, random: &mut Random) -> Option<Instant> {
        let victim = random.below(all.processes.len() as u64) as usize;
        let victim = &mut all.processes[victim];
        let link = random.below(all.links.len() as u64) as usize;
        let link = &all.links[link].1;
        let since = Some(Instant::now());
        match self {
            // One that has ended by now takes no signal.
            Fault::Kill => victim.kill().ok().and(since),
            Fault::Interrupt => signal(victim, "-INT").then_some(()).and(since),
            Fault::Stop(time) => {
                signal(victim, "-STOP");
                std::thread::sleep(Duration::from_millis(time));
                signal(victim, "-CONT");
                None
            }
            Fault::Cut => {
                link.cut();
                since
            }
            Fault::Hold(time) => {
                link.hold();
                std::thread::sleep(Duration::from_millis(time));
                link.heal();
                None
            }
            Fault::Delay(time) => {
                link.delay(Duration::from_millis(time));
                None
            }
        }
    }
}

/// `HEARTH_CLUSTER_FAULTS=200 HEARTH_SEED=7 cargo test --release --test replay whatever_befalls` for many others. The longest that
/// others took to end is shown: ten seconds are promised, of a machine that is not busy with something else.
#[test]
fn whatever_befalls_processes_and_links_the_run_goes_on() {
    let mut random = Random(number("HEARTH_SEED", 2024));
    let (mut faults, mut longest) = (number("HEARTH_CLUSTER_FAULTS", 3), Duration::ZERO);
    let mut usual = vec![Fault::Hold(300), Fault::Kill, Fault::Cut];
    while faults > 0 {
        HARMED.clear();
        loop {
            let (processes, workers) = (2 + random.below(2) as usize, 1 + random.below(2) as usize);
            let locks = HARMED.locks(processes);
            let start = |process, hosts: &str| HARMED.start(process, workers, hosts);
            let mut all = Linked::start("harmed", processes, start);
            let fault =
                (faults > 0).then(|| usual.pop().unwrap_or_else(|| Fault::any(&mut random)));
            let mut since = None;
            if let Some(fault) = fault {
                // One that waits for the others to come waits long.
                there(&locks);
                std::thread::sleep(Duration::from_millis(random.below(2_500)));
                since = fault.befall(&mut all, &mut random);
                faults -= 1;
            }
            let Linked { processes, links } = all;
            let ended: Vec<_> = processes.into_iter().map(ends).collect();
            drop(links);
            let took = since.map_or(Duration::ZERO, |since| since.elapsed());
            let fine = ended.iter().all(|ended| ended.code == Some(0));
            if !fine {
                longest = longest.max(took);
            }
            eprintln!("{faults} left: {fault:?}, {took:.1?}, all well: {fine}");
            for ended in &ended {
                assert!(!ended.stderr.contains("panicked"), "{}", ended.stderr);
                assert_ne!(ended.code, Some(2), "{}", ended.stderr);
                assert!(fine || fault.is_some(), "{}", ended.stderr);
            }
            if fine {
                break;
            }
        }
        HARMED.leave_the_whole();
    }
    eprintln!("the others took at most {longest:.1?} to end");
}

/// The same of a live run, each process of which follows a file of its own, which grows meanwhile: `HEARTH_LIVE_FAULTS=100 HEARTH_SEED=7
/// cargo test --release --test replay whatever_befalls_a_live_run`.
#[test]
fn whatever_befalls_a_live_run_each_line_comes_once() {
    const PROCESSES: usize = 3;
    let mut random = Random(number("HEARTH_SEED", 2024));
    let mut usual = vec![Fault::Hold(300), Fault::Cut];
    let faults = number("HEARTH_LIVE_FAULTS", 2);
    let mut live = Live::new("afflicted", "--epoch-interval off --checkpoint-every 1ms");
    let followed = |process: usize| format!("afflicted-{process}.jsonl");
    for process in 0..PROCESSES {
        let _ = std::fs::remove_file(dir().join(followed(process)));
    }
    // In each life something is erased, too, which ends an epoch and has one of its own.
    let (log, mut erased, mut longest) = (log(), Vec::new(), Duration::ZERO);
    let lives = faults as usize + 1;
    for (life, pieces) in log.chunks(log.len().div_ceil(lives)).enumerate() {
        let locks = live.begin(PROCESSES);
        let workers = 1 + random.below(2);
        let own = |process| format!("{} --workers {workers}", followed(process));
        let start = |process, hosts: &str| live.start_one(process, &own(process), hosts);
        let mut all = Linked::start("afflicted", PROCESSES, start);
        there(&locks);
        let grow = |pieces: &[String], random: &mut Random| {
            for piece in pieces.chunks(pieces.len().div_ceil(4).max(1)) {
                let file = followed(random.below(PROCESSES as u64) as usize);
                append(&dir().join(file), &piece.concat());
                std::thread::sleep(Duration::from_millis(random.below(40)));
            }
        };
        let (before, behind) = pieces.split_at(pieces.len() / 2);
        let home = 1 + life % 3;
        let erase = format!("{{\"home\":\"h-{home}\",\"erase\":{{\"device\":\"Kettle\"}}}}\n");
        erased.push(erase.clone());
        grow(before, &mut random);
        grow(&[erase], &mut random);
        let is_last = life + 1 == lives;
        if is_last {
            grow(behind, &mut random);
            live.all = all.processes;
            live.settle((log.len() / EPOCH) as u64);
            fine(live.interrupt(random.below(PROCESSES as u64) as usize));
            break;
        }
        std::thread::sleep(Duration::from_millis(random.below(1_000)));
        let fault = usual.pop().unwrap_or_else(|| Fault::any(&mut random));
        let since = fault.befall(&mut all, &mut random);
        grow(behind, &mut random);
        if since.is_none() {
            // They may have outlived it.
            std::thread::sleep(Duration::from_millis(300));
            signal(&all.processes[0], "-INT");
        }
        let Linked { processes, links } = all;
        let ended: Vec<_> = processes.into_iter().map(ends).collect();
        drop(links);
        let took = since.map_or(Duration::ZERO, |since| since.elapsed());
        longest = longest.max(took);
        eprintln!("{fault:?}: after {took:.1?}");
        for ended in &ended {
            assert!(!ended.stderr.contains("panicked"), "{}", ended.stderr);
            assert_ne!(ended.code, Some(2), "{}", ended.stderr);
        }
    }
    live.has_each_once(&[log, erased].concat());
    live.is_replay_of_its_inbox();
    eprintln!("the others took at most {longest:.1?} to end");
}
