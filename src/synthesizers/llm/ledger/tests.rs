//! The ledger against plain arithmetic over its history, through kills and power cuts.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use proptest::prelude::*;
use tempfile::TempDir;
use tokio::runtime::Builder;
use tokio::time::timeout;

use super::*;
use crate::disk::Disk;
use crate::outputs::LlmCharges;

/// One unit of money a token of the messages, three one of the answer.
fn prices() -> Prices {
    Prices {
        input: "1000000".parse().unwrap(),
        output: "3000000".parse().unwrap(),
    }
}

fn money(units: u64) -> Money {
    units.to_string().parse().unwrap()
}

fn cost(usage: Usage) -> u64 {
    usage.input + 3 * usage.output
}

fn budget(run: Option<u64>, home: Option<u64>) -> Budget {
    Budget {
        run: run.map(money),
        home: home.map(money),
    }
}

/// A ledger in a folder of its own.
fn ledger(budget: Budget) -> (TempDir, PathBuf, Ledger) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("spending.jsonl");
    let (ledger, found) = Ledger::open(&Disk::real(), &path, prices(), budget).unwrap();
    assert_eq!(found, Found::default());
    (folder, path, ledger)
}

#[derive(Clone, Debug)]
enum Step {
    Reserve {
        home: usize,
        ceiling: Usage,
    },
    /// How much of the ceiling was used, in hundredths, and whether the server tells.
    Settle {
        which: usize,
        used: u64,
        told: bool,
    },
    Release(usize),
    Drop {
        which: usize,
        used: u64,
    },
    /// Of what is not on the disk for certain, this many hundredths are lost. What open attempts used, in hundredths.
    Kill {
        lost: u64,
        used: u64,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let ceiling = (0..50_u64, 0..20_u64).prop_map(|(input, output)| Usage { input, output });
    let (which, part) = (any::<prop::sample::Index>(), 0..=100_u64);
    let which = which.prop_map(|which| which.index(1000));
    prop_oneof![
        6 => (0..3_usize, ceiling).prop_map(|(home, ceiling)| Step::Reserve { home, ceiling }),
        3 => (which.clone(), part.clone(), any::<bool>())
            .prop_map(|(which, used, told)| Step::Settle { which, used, told }),
        1 => which.clone().prop_map(Step::Release),
        1 => (which, part.clone()).prop_map(|(which, used)| Step::Drop { which, used }),
        1 => (part.clone(), part).prop_map(|(lost, used)| Step::Kill { lost, used }),
    ]
}

/// An attempt as the oracle knows it.
struct Attempt {
    home: usize,
    ceiling: Usage,
    /// What the server charged in truth; as long as it is under way, it may come to the ceiling.
    charged: u64,
    end: End,
}

enum End {
    Open(Box<dyn Reservation>),
    /// Settled or released, booked at so much, by a line that ends at this byte of the journal.
    Written {
        booked: u64,
        at: u64,
    },
    Unaccounted,
}

impl Attempt {
    fn booked(&self) -> u64 {
        match self.end {
            End::Open(_) => 0,
            End::Written { booked, .. } => booked,
            End::Unaccounted => cost(self.ceiling),
        }
    }

    fn reserved(&self) -> u64 {
        match self.end {
            End::Open(_) => cost(self.ceiling),
            _ => 0,
        }
    }
}

fn part(ceiling: Usage, hundredths: u64) -> Usage {
    Usage {
        input: ceiling.input * hundredths / 100,
        output: ceiling.output * hundredths / 100,
    }
}

/// Plays the steps on a ledger, and holds it to the sums over the attempts after each.
async fn play(limits: (Option<u64>, Option<u64>), steps: Vec<Step>) {
    let (folder, mut path, mut ledger) = ledger(budget(limits.0, limits.1));
    let mut attempts: Vec<Attempt> = Vec::new();
    let length = |path: &PathBuf| fs::metadata(path).unwrap().len();
    let mut on_disk = length(&path);
    for (number, step) in steps.into_iter().enumerate() {
        let open: Vec<usize> = (0..attempts.len())
            .filter(|i| matches!(attempts[*i].end, End::Open(_)))
            .collect();
        let mut take = |which: usize, end: fn() -> End| {
            let index = *open.get(which.checked_rem(open.len())?)?;
            match std::mem::replace(&mut attempts[index].end, end()) {
                End::Open(reservation) => Some((index, reservation)),
                _ => None,
            }
        };
        let unaccounted = || End::Unaccounted;
        match step {
            Step::Reserve { home, ceiling } => {
                let spent = |of: Option<usize>, reserved: bool| -> u64 {
                    let attempts = attempts.iter().filter(|a| of.is_none_or(|h| h == a.home));
                    attempts
                        .map(|a| a.booked() + if reserved { a.reserved() } else { 0 })
                        .sum()
                };
                let fits = |reserved| {
                    let fits = |limit: Option<u64>, of| {
                        limit.is_none_or(|limit| spent(of, reserved) + cost(ceiling) <= limit)
                    };
                    fits(limits.0, None) && fits(limits.1, Some(home))
                };
                let purse = ledger.purse(&format!("h-{home}"), ceiling);
                if fits(true) {
                    let granted = timeout(Duration::from_secs(60), purse.reserve()).await;
                    let reservation = granted.expect("there is room").expect("there is room");
                    on_disk = length(&path);
                    attempts.push(Attempt {
                        home,
                        ceiling,
                        charged: 0,
                        end: End::Open(reservation),
                    });
                } else if fits(false) {
                    let mut waiting = purse.reserve();
                    let polled = waiting
                        .as_mut()
                        .poll(&mut Context::from_waker(Waker::noop()));
                    assert!(matches!(polled, Poll::Pending), "not all may be needed");
                } else {
                    let refused = timeout(Duration::from_secs(60), purse.reserve()).await;
                    let refused = refused.expect("nothing can make room").err();
                    assert!(matches!(refused, Some(CallError::Unaffordable(_))));
                }
            }
            Step::Settle { which, used, told } => {
                if let Some((index, reservation)) = take(which, unaccounted) {
                    let attempt = &mut attempts[index];
                    let usage = part(attempt.ceiling, used);
                    attempt.charged = cost(usage);
                    reservation.settle(told.then_some(usage));
                    attempt.end = End::Written {
                        booked: cost(if told { usage } else { attempt.ceiling }),
                        at: length(&path),
                    };
                }
            }
            Step::Release(which) => {
                if let Some((index, reservation)) = take(which, unaccounted) {
                    reservation.release();
                    attempts[index].end = End::Written {
                        booked: 0,
                        at: length(&path),
                    };
                }
            }
            Step::Drop { which, used } => {
                if let Some((index, reservation)) = take(which, unaccounted) {
                    drop(reservation);
                    attempts[index].charged = cost(part(attempts[index].ceiling, used));
                }
            }
            Step::Kill { lost, used } => {
                // The dead say nothing: what they held is forgotten, and the file is what was left of it.
                let whole = fs::read(&path).unwrap();
                let kept = whole.len() as u64 - (whole.len() as u64 - on_disk) * lost / 100;
                path = folder.path().join(format!("spending-{number}.jsonl"));
                fs::write(&path, &whole[..kept as usize]).unwrap();
                let mut lost = 0;
                for attempt in &mut attempts {
                    match std::mem::replace(&mut attempt.end, End::Unaccounted) {
                        End::Open(reservation) => {
                            std::mem::forget(reservation);
                            attempt.charged = cost(part(attempt.ceiling, used));
                            lost += 1;
                        }
                        End::Written { at, .. } if at > kept => lost += 1,
                        end => attempt.end = end,
                    }
                }
                let limits = budget(limits.0, limits.1);
                let (reopened, found) =
                    Ledger::open(&Disk::real(), &path, prices(), limits).unwrap();
                std::mem::forget(std::mem::replace(&mut ledger, reopened));
                assert_eq!(found.torn, whole[..kept as usize].last() != Some(&b'\n'));
                // Those that were dropped in earlier lives are found again; at least the new ones are listed.
                assert!(found.unaccounted.len() >= lost);
                on_disk = length(&path);
            }
        }
        let totals = ledger.totals();
        let sum = |of: fn(&Attempt) -> u64, home: Option<usize>| -> u64 {
            let attempts = attempts.iter().filter(|a| home.is_none_or(|h| h == a.home));
            attempts.map(of).sum()
        };
        assert_eq!(totals.spent, money(sum(Attempt::booked, None)));
        assert_eq!(totals.reserved.money, money(sum(Attempt::reserved, None)));
        let per_home = (0..3).map(|home| sum(Attempt::booked, Some(home)));
        assert_eq!(totals.home_maximum, money(per_home.max().unwrap_or(0)));
        let unaccounted = |a: &Attempt| u64::from(matches!(a.end, End::Unaccounted));
        assert_eq!(totals.unaccounted.calls, sum(unaccounted, None));
        assert_eq!(totals.overrun, LlmCharges::default());
        // The promise: what the servers charged, with all that those under way may still charge.
        let worst = |a: &Attempt| a.charged + a.reserved();
        assert!(limits.0.is_none_or(|limit| sum(worst, None) <= limit));
        for home in 0..3 {
            assert!(limits.1.is_none_or(|limit| sum(worst, Some(home)) <= limit));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn spending_never_passes_the_budget(
        run in prop::option::of(0..500_u64),
        home in prop::option::of(0..200_u64),
        steps in prop::collection::vec(step(), 1..40),
    ) {
        let runtime = Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(play((run, home), steps));
    }
}

/// Many tasks on one budget: the server watches that its charges, with all it may still charge, stay within.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_tasks_share_a_budget() {
    const BUDGET: u64 = 1_500;
    let (_folder, _path, ledger) = ledger(budget(Some(BUDGET), Some(280)));
    let owed = Arc::new(AtomicU64::new(0));
    let tasks: Vec<_> = (0..300_u64)
        .map(|task| {
            let (ledger, owed) = (ledger.clone(), Arc::clone(&owed));
            tokio::spawn(async move {
                let ceiling = Usage {
                    input: 10 + task % 7,
                    output: task % 5,
                };
                let purse = ledger.purse(&format!("h-{}", task % 6), ceiling);
                let Ok(reservation) = purse.reserve().await else {
                    return (0, 1);
                };
                let most = cost(ceiling);
                let before = owed.fetch_add(most, Ordering::SeqCst);
                assert!(before + most <= BUDGET);
                tokio::task::yield_now().await;
                let charged = match task % 4 {
                    0 => {
                        owed.fetch_sub(most, Ordering::SeqCst);
                        reservation.release();
                        0
                    }
                    1 => {
                        drop(reservation);
                        most
                    }
                    _ => {
                        let usage = part(ceiling, task % 100);
                        owed.fetch_sub(most - cost(usage), Ordering::SeqCst);
                        reservation.settle(Some(usage));
                        cost(usage)
                    }
                };
                (charged, 0)
            })
        })
        .collect();
    let (mut charged, mut refused) = (0, 0);
    for task in tasks {
        let task = timeout(Duration::from_secs(60), task).await;
        let (cost, no) = task.expect("nobody waits for ever").unwrap();
        charged += cost;
        refused += no;
    }
    let totals = ledger.totals();
    assert_eq!(totals.spent, money(charged));
    assert_eq!(totals.reserved, LlmCharges::default());
    assert!(totals.spent <= money(BUDGET));
    assert!(refused > 0, "the budget is for fewer");
}

#[tokio::test]
async fn waits_for_room_and_gets_it() {
    let (_folder, _path, ledger) = ledger(budget(Some(10), None));
    let ceiling = Usage {
        input: 8,
        output: 0,
    };
    let first = ledger.purse("a", ceiling).reserve().await.unwrap();
    let other = ledger.clone();
    let second = tokio::spawn(async move { other.purse("b", ceiling).reserve().await.is_ok() });
    tokio::task::yield_now().await;
    first.settle(Some(Usage {
        input: 2,
        output: 0,
    }));
    let second = timeout(Duration::from_secs(60), second).await;
    assert!(second.expect("the room is used").unwrap());
    // Dropped at the end of the task: spent in full.
    assert_eq!(ledger.totals().unaccounted.money, money(8));
    let Err(refused) = ledger.purse("c", ceiling).reserve().await else {
        panic!("nothing is left");
    };
    assert_eq!(
        refused.to_string(),
        "the budget of the run is 10: 10 is spent, and this call may cost 8"
    );
}

#[tokio::test]
async fn a_server_that_charges_more_is_believed_and_asked_no_more() {
    let ceiling = Usage {
        input: 5,
        output: 1,
    };
    let more = Usage {
        input: 9,
        output: 1,
    };
    let limit = budget(Some(1_000), None);
    let (_folder, path, capped) = ledger(limit);
    capped
        .purse("a", ceiling)
        .reserve()
        .await
        .unwrap()
        .settle(Some(more));
    let check = async |ledger: &Ledger| {
        assert_eq!(ledger.totals().spent, money(12));
        assert_eq!(
            ledger.totals().overrun,
            LlmCharges {
                calls: 1,
                money: money(4)
            }
        );
        let refused = ledger.purse("a", ceiling).reserve().await.err();
        assert!(refused.is_some_and(|why| why.to_string().contains("charged 4 more")));
    };
    check(&capped).await;
    drop(capped);
    let (reopened, _) = Ledger::open(&Disk::real(), &path, prices(), limit).unwrap();
    check(&reopened).await;
    // Without a budget there is nothing to keep.
    let (_folder, _path, free) = ledger(Budget::default());
    free.purse("a", ceiling)
        .reserve()
        .await
        .unwrap()
        .settle(Some(more));
    assert!(free.purse("a", ceiling).reserve().await.is_ok());
}

#[tokio::test]
async fn a_journal_that_cannot_be_written_ends_the_spending() {
    let (_folder, path, ledger) = ledger(Budget::default());
    ledger.0.state().journal.file = Arc::new(fs::File::open(&path).unwrap().into());
    for _ in 0..2 {
        let Err(refused) = ledger.purse("a", Usage::default()).reserve().await else {
            panic!("nothing is on the disk");
        };
        // Requests without an answer for that are no outputs of a run that went well.
        assert!(matches!(refused, CallError::Refused(_)), "{refused}");
        let refused = refused.to_string();
        assert!(refused.contains("spending.jsonl"), "{refused}");
        assert!(refused.ends_with("Nothing more is asked"), "{refused}");
    }
    assert_eq!(ledger.totals(), LlmTotals::default());
}

#[test]
fn two_runs_cannot_share_a_journal() {
    let (_folder, path, ledger) = ledger(Budget::default());
    let second = Ledger::open(&Disk::real(), &path, prices(), Budget::default()).err();
    assert!(matches!(second, Some(JournalError::InUse(_))), "{second:?}");
    drop(ledger);
    assert!(Ledger::open(&Disk::real(), &path, prices(), Budget::default()).is_ok());
}

/// What a power failure leaves where later lines reached the disk and earlier ones did not: nothing had gone out for either.
#[test]
fn a_hole_is_cut_off() {
    let open = r#"{"op":"open","version":1,"at":"2026-03-01T09:30:00Z"}"#;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal");
    fs::write(&path, format!("{open}\n\0\0\0\"1\"}}\n")).unwrap();
    let (_ledger, found) = Ledger::open(&Disk::real(), &path, prices(), Budget::default()).unwrap();
    assert!(found.torn);
    let text = fs::read_to_string(&path).unwrap();
    assert!(!text.contains('\0'), "{text}");
    assert_eq!(text.lines().count(), 2);
}

#[test]
fn garbage_is_named_and_left_alone() {
    let open = r#"{"op":"open","version":1,"at":"2026-03-01T09:30:00Z"}"#;
    let reserve =
        r#"{"op":"reserve","id":0,"home":"a","ceiling":{"input":1,"output":0},"money":"1"}"#;
    let release = r#"{"op":"release","id":0}"#;
    for (text, line) in [
        ("my shopping list".to_owned(), 1),
        ("a list\nof things\n".to_owned(), 1),
        (format!("{reserve}\n"), 1),
        (format!("{open}\nxx\n{reserve}\n"), 2),
        (format!("{open}\n{release}\n"), 2),
        (format!("{open}\n{reserve}\n{release}\n{release}\n"), 4),
        (format!("{open}\n{reserve}\n{reserve}\n"), 3),
        (format!("{open}\n{reserve}\n{open}\n{release}\n"), 4),
        (
            format!("{open}\n{}\n", reserve.replace("\"1\"", "\"1e3\"")),
            2,
        ),
        (open.replace("\"version\":1", "\"version\":2") + "\n", 1),
        (format!("{open}\n{}", "x".repeat(2 << 20)), 2),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        fs::write(&path, &text).unwrap();
        match Ledger::open(&Disk::real(), &path, prices(), Budget::default()) {
            Err(JournalError::Garbage { line: at, .. }) => assert_eq!(at, line, "{text}"),
            other => panic!("{text}: {:?}", other.err()),
        }
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }
}
