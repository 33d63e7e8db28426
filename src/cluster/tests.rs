//! Processes in one: each has its place on a thread.

use std::io;
use std::net::TcpListener;
use std::sync::Barrier;

use super::{Agreed, Cluster, Decision, Had, Hello, Hosts, MeetError, Peers, WholeCut};
use crate::stop::Stop;

fn hosts(processes: usize) -> Hosts {
    let listeners = (0..processes).map(|_| TcpListener::bind("127.0.0.1:0").unwrap());
    let listeners: Vec<TcpListener> = listeners.collect();
    let address = |listener: &TcpListener| listener.local_addr().unwrap().to_string();
    Hosts::new(listeners.iter().map(address).collect())
}

/// Has each process do something once it has met the others.
fn each<T: Send>(
    processes: usize,
    does: impl Fn(usize, Result<Cluster, MeetError>, &Stop) -> T + Sync,
) -> Vec<T> {
    let hosts = hosts(processes);
    std::thread::scope(|scope| {
        let one = |process: usize| {
            let (hosts, does) = (&hosts, &does);
            scope.spawn(move || {
                let (hello, stop) = (
                    Hello::new(process, processes, 1, Vec::new()),
                    Stop::default(),
                );
                does(process, Cluster::meet(hosts, &hello, &stop), &stop)
            })
        };
        let threads: Vec<_> = (0..processes).map(one).collect();
        let joined = threads.into_iter().map(|thread| thread.join().unwrap());
        joined.collect()
    })
}

/// Waits until a run was failed.
fn failure(stop: &Stop) -> String {
    loop {
        if let Some(failure) = stop.failure() {
            return failure;
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}

#[test]
fn they_agree_on_the_newest_cut_that_all_have() {
    let had = |cuts: &[WholeCut], complete: bool| Had {
        cuts: cuts.to_vec(),
        complete,
        catalogs: 7,
        life: 5,
    };
    let cut = |epochs: u64, processes: usize, life: u64| WholeCut {
        epochs,
        processes,
        workers: 1,
        life,
        number: 0,
    };
    let [early, middle, late] = [16, 32, 48].map(|epochs| cut(epochs, 3, 1));
    let other = Had {
        catalogs: 8,
        ..had(&[early], false)
    };
    for (all, agreed) in [
        (
            [
                had(&[early, middle], false),
                had(&[early, late, middle], false),
                had(&[middle, early], true),
            ],
            Agreed::Cut(middle),
        ),
        (
            [had(&[early], false), had(&[early], false), had(&[], false)],
            Agreed::Nothing,
        ),
        // Parts of several lives are of no cut, however far they go.
        (
            [
                had(&[early, cut(32, 3, 1)], false),
                had(&[early, cut(32, 3, 2)], false),
                had(&[early, cut(32, 2, 1)], false),
            ],
            Agreed::Cut(early),
        ),
        (
            [had(&[early], true), had(&[early], true), had(&[], true)],
            Agreed::Complete,
        ),
        (
            [had(&[early], false), had(&[early], false), other],
            Agreed::Apart,
        ),
    ] {
        let said = each(3, |process, cluster, _| {
            let cluster = cluster.unwrap();
            let agreed = cluster.peers().agree(all[process].clone());
            // Nobody leaves before all have heard.
            (agreed, cluster.peers().meet(1))
        });
        assert!(
            said.iter().all(|said| *said == (Some((agreed, 5)), true)),
            "{said:?}"
        );
    }
}

/// Behind each cut anew: what one knows to be complete is, for all.
#[test]
fn what_is_complete_is_so_for_all() {
    let said = each(3, |process, cluster, _| {
        let cluster = cluster.unwrap();
        let peers = cluster.peers();
        let own = |first: [u64; 3]| {
            let open = vec![first[process], 7, 9 + process as u64];
            (open, first[process])
        };
        let first = peers.open(16, own([4, 6, 5]));
        assert!(peers.meet(32));
        let second = peers.open(32, own([8, 8, 20]));
        (first, second, peers.meet(48))
    });
    for one in said {
        assert_eq!(
            one,
            (Some((vec![6, 7, 11], 4)), Some((vec![20, 7, 11], 8)), true)
        );
    }
}

#[test]
fn the_first_one_decides() {
    let decided = each(3, |process, cluster, _| {
        let cluster = cluster.unwrap();
        let peers = cluster.peers();
        let own = |cuts| Decision { cuts, ends: false };
        let first = peers.decide(16, own(process == 0));
        let met = peers.meet(16);
        let second = peers.decide(32, own(process != 0));
        (first, met, second, peers.meet(32))
    });
    let cuts = |cuts| Some(Decision { cuts, ends: false });
    for one in decided {
        assert_eq!(one, (cuts(true), true, cuts(false), true));
    }
}

/// A decision is had by whoever waits for the next one, and one wish for a cut is one.
#[test]
fn the_first_one_decides_when_it_likes() {
    let decided = each(2, |process, cluster, _| {
        let cluster = cluster.unwrap();
        let peers = cluster.peers();
        if process == 1 {
            assert_eq!(peers.decided(std::time::Duration::ZERO), None);
            peers.wish_for_cut();
            assert!(peers.meet(1));
            return peers.decided(std::time::Duration::from_secs(60));
        }
        assert!(peers.meet(1) && peers.wishes_for_cut());
        let own = Decision {
            cuts: true,
            ends: false,
        };
        let decided = peers.decide(7, own);
        assert!(!peers.wishes_for_cut());
        decided.map(|decision| (7, decision))
    });
    assert_eq!(decided[0], decided[1]);
    assert!(decided[0].is_some());
}

/// The others are told why one ends, and nobody waits for it.
#[test]
fn all_know_who_ends_and_why() {
    let all = Barrier::new(3);
    let said = each(3, |process, cluster, stop| {
        let cluster = cluster.unwrap();
        // Until all are there, one that ends may come again.
        all.wait();
        if process == 1 {
            stop.fail("the disk is full".to_owned());
            return None;
        }
        assert!(!cluster.peers().meet(16));
        Some(failure(stop))
    });
    for one in said.iter().flatten() {
        assert!(one.starts_with("process 1 (127.0.0.1:"), "{one}");
        assert!(
            one.ends_with("is lost: it failed: the disk is full"),
            "{one}"
        );
    }
}

#[test]
fn a_word_without_an_end_is_none() {
    let stop = Stop::default();
    let peers = Peers::new(0, &hosts(2), vec![None, None], &stop);
    let alive = b"\"Alive\"\n".repeat(200_000);
    peers.hear(1, &alive[..]);
    assert!(
        failure(&stop).contains("without a word"),
        "however many come"
    );
    let stop = Stop::default();
    let peers = Peers::new(0, &hosts(2), vec![None, None], &stop);
    peers.hear(1, io::repeat(b'x'));
    assert!(failure(&stop).contains("no end of it"));
}

#[test]
fn an_interruption_is_of_all() {
    let all = Barrier::new(3);
    each(3, |process, cluster, stop| {
        let cluster = cluster.unwrap();
        all.wait();
        if process == 2 {
            stop.interrupt();
            return;
        }
        assert!(!cluster.peers().meet(16));
        assert!(stop.is_interrupted() && stop.failure().is_none());
    });
}

/// Whoever else reaches the port is none of them, and a process that is of something else is told apart.
#[test]
fn strangers_are_passed_over() {
    use std::io::Write;
    let hosts = hosts(2);
    let (stop, address) = (Stop::default(), hosts.address(0).to_owned());
    std::thread::scope(|scope| {
        let first = scope
            .spawn(|| Cluster::meet(&hosts, &Hello::new(0, 2, 1, Vec::new()), &stop).map(drop));
        let mut stranger = loop {
            if let Ok(socket) = std::net::TcpStream::connect(&address) {
                break socket;
            }
        };
        stranger.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
        let other = vec![("--seed".to_owned(), "7".to_owned())];
        let second = Cluster::meet(&hosts, &Hello::new(1, 2, 1, other), &Stop::default());
        for refused in [first.join().unwrap(), second.map(drop)] {
            let refused = refused.unwrap_err().to_string();
            assert!(refused.contains("other values of --seed"), "{refused}");
        }
    });
}

/// Meets the others, and leaves when all have met.
fn met(hosts: &Hosts, hello: &Hello, stop: &Stop) -> Result<bool, MeetError> {
    Cluster::meet(hosts, hello, stop).map(|cluster| cluster.peers().meet(1))
}

/// One that ends before all are there may come again.
#[test]
fn a_process_that_is_started_again_is_met() {
    let hosts = hosts(3);
    let hello = |process| Hello::new(process, 3, 1, Vec::new());
    let stops: [Stop; 3] = Default::default();
    std::thread::scope(|scope| {
        let first = scope.spawn(|| met(&hosts, &hello(0), &stops[0]));
        let early = Stop::default();
        let gone = scope.spawn({
            let (hosts, early, hello) = (&hosts, early.clone(), hello(1));
            move || Cluster::meet(hosts, &hello, &early).map(drop)
        });
        std::thread::sleep(std::time::Duration::from_millis(300));
        early.interrupt();
        assert!(matches!(gone.join().unwrap(), Err(MeetError::Stopped)));
        let again = scope.spawn(|| met(&hosts, &hello(1), &stops[1]));
        let last = scope.spawn(|| met(&hosts, &hello(2), &stops[2]));
        for met in [first, again, last].map(|thread| thread.join().unwrap()) {
            assert!(met.unwrap());
        }
    });
}
