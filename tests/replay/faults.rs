//! Whatever befalls processes and the links between them, and whenever: those that are left end soon, and the run goes on.

use std::process::Child;
use std::time::{Duration, Instant};

use super::cluster::{ends, number, there};
use super::crew::Crew;
use super::household::dir;
use super::killed::{Random, signal};
use super::network::{Network, free_port};
use super::program::write;

const HARMED: Crew = Crew("harmed");

/// Processes with a network of their own between any two of them.
struct Linked {
    processes: Vec<Child>,
    /// By the process that calls and the one that is called, which is before it.
    links: Vec<((usize, usize), Network)>,
}

impl Linked {
    fn start(processes: usize, workers: usize) -> Self {
        let ports: Vec<u16> = (0..processes).map(|_| free_port()).collect();
        let between = (0..processes).flat_map(|from| (0..from).map(move |to| (from, to)));
        let links: Vec<_> = between
            .map(|(from, to)| ((from, to), Network::to(ports[to])))
            .collect();
        let start = |process: usize| {
            let port = |other: usize| {
                let link = links.iter().find(|(ends, _)| *ends == (process, other));
                link.map_or(ports[other], |(_, link)| link.port)
            };
            let lines = (0..processes).map(|other| format!("127.0.0.1:{}\n", port(other)));
            let hosts = format!("harmed-hosts-{process}");
            write(dir(), &hosts, lines.collect::<String>());
            HARMED.start(process, workers, &hosts)
        };
        let processes = (0..processes).map(start).collect();
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
            let mut all = Linked::start(processes, workers);
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
