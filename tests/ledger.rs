//! A budget outlives those who spend it: a run is killed again and again on one journal, while the server that it pays
//! counts what it charges in truth.
//!
//! Three journals by default; `HEARTH_KILL_RUNS=200` for as many as one likes.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use hearth::disk::Disk;
use hearth::synthesizers::llm::ledger::{Budget, Ledger, Money, Prices};
use hearth::synthesizers::llm::{Purse, Usage};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Calls that one run has under way.
const TASKS: usize = 6;
const HOMES: usize = 4;
/// In units of money; a token costs one.
const RUN: u64 = 100_000;
const HOME: u64 = 32_000;
/// Kills of one journal before it is left to spend what there is.
const KILLS: u64 = 8;

fn open(journal: &Path) -> Ledger {
    let price = "1000000".parse().unwrap();
    let prices = Prices {
        input: price,
        output: price,
    };
    let budget = Budget {
        run: Some(units(RUN)),
        home: Some(units(HOME)),
    };
    Ledger::open(&Disk::real(), journal, prices, budget)
        .unwrap()
        .0
}

fn units(units: u64) -> Money {
    units.to_string().parse().unwrap()
}

/// The server's own account.
#[derive(Default)]
struct Account {
    /// What it charged, by home.
    charged: HashMap<String, u64>,
    /// Answers that it broke off.
    broken_off: u64,
}

/// A server that charges for whatever reaches it, up to the ceiling that it is told; then it answers, refuses (and charges
/// nothing), breaks off, or keeps its count to itself.
fn serve(account: &Arc<Mutex<Account>>, seed: u64) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let account = Arc::clone(account);
    thread::spawn(move || {
        for (number, stream) in listener.incoming().enumerate() {
            let account = Arc::clone(&account);
            let mut random = ChaCha8Rng::seed_from_u64(seed + number as u64);
            thread::spawn(move || {
                // A client that is killed is no concern of the server's.
                let _ = stream.and_then(|stream| answer(stream, &account, &mut random));
            });
        }
    });
    port
}

fn answer(
    mut stream: TcpStream,
    account: &Arc<Mutex<Account>>,
    random: &mut ChaCha8Rng,
) -> std::io::Result<()> {
    let mut line = String::new();
    BufReader::new(stream.try_clone()?).read_line(&mut line)?;
    // Half a question is none.
    let Some(question) = line.strip_suffix('\n') else {
        return Ok(());
    };
    let (home, ceiling) = question.split_once(' ').unwrap();
    let ceiling: u64 = ceiling.parse().unwrap();
    let what = random.random_range(0..10);
    if what == 0 {
        return writeln!(stream, "refused");
    }
    let cost = random.random_range(0..=ceiling);
    let mut books = account.lock().unwrap();
    *books.charged.entry(home.to_owned()).or_default() += cost;
    books.broken_off += u64::from(what == 1);
    drop(books);
    thread::sleep(Duration::from_micros(random.random_range(0..3_000)));
    match what {
        1 => Ok(()),
        2 => writeln!(stream, "untold"),
        _ => writeln!(stream, "{cost}"),
    }
}

/// The one that is killed: spends until nothing is left. Does nothing unless it is started by the test below.
#[tokio::test]
async fn spender() {
    let Ok(journal) = std::env::var("HEARTH_TEST_JOURNAL") else {
        return;
    };
    let port: u16 = std::env::var("HEARTH_TEST_PORT").unwrap().parse().unwrap();
    let ledger = open(Path::new(&journal));
    let tasks: Vec<_> = (0..TASKS)
        .map(|task| tokio::spawn(spend(ledger.clone(), task, port)))
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
}

async fn spend(ledger: Ledger, task: usize, port: u16) {
    let mut refused = 0;
    for number in 0.. {
        let home = format!("h-{}", (task + number) % HOMES);
        let ceiling = Usage {
            input: 100 + 37 * (number as u64 % 5),
            output: 200,
        };
        let Ok(reservation) = ledger.purse(&home, ceiling).reserve().await else {
            // A refusal is for good: after one for each home and ceiling, nothing is left.
            refused += 1;
            if refused == HOMES * 5 {
                return;
            }
            continue;
        };
        refused = 0;
        let most = ceiling.input + ceiling.output;
        let asked = tokio::task::spawn_blocking(move || -> std::io::Result<String> {
            let mut stream = TcpStream::connect(("127.0.0.1", port))?;
            writeln!(stream, "{home} {most}")?;
            let mut answer = String::new();
            BufReader::new(stream).read_line(&mut answer)?;
            Ok(answer)
        });
        match asked.await.unwrap().unwrap_or_default().trim() {
            "refused" => reservation.release(),
            "untold" => reservation.settle(None),
            "" => drop(reservation),
            cost => reservation.settle(Some(Usage {
                input: cost.parse().unwrap(),
                output: 0,
            })),
        }
    }
}

fn start(journal: &Path, port: u16) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["spender", "--exact", "--test-threads=1"])
        .env("HEARTH_TEST_JOURNAL", journal)
        .env("HEARTH_TEST_PORT", port.to_string())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

#[test]
fn spending_stays_within_the_budget_through_kills() {
    let runs = std::env::var("HEARTH_KILL_RUNS");
    let runs: u64 = runs.map_or(3, |runs| runs.parse().unwrap());
    let (mut kills, mut lost, mut charged_units) = (0, 0, 0);
    for run in 0..runs {
        let mut random = ChaCha8Rng::seed_from_u64(run);
        let folder = tempfile::tempdir().unwrap();
        let journal = folder.path().join("spending.jsonl");
        let account = Arc::default();
        let port = serve(&account, run << 32);
        for _ in 0..KILLS {
            let mut child = start(&journal, port);
            thread::sleep(Duration::from_millis(random.random_range(0..80)));
            kills += u64::from(child.try_wait().unwrap().is_none());
            child.kill().unwrap();
            child.wait().unwrap();
            check(&open(&journal), &account);
        }
        assert!(start(&journal, port).wait().unwrap().success());
        let ledger = open(&journal);
        // At most what was under way at a kill, and what never had an end.
        let broken_off = account.lock().unwrap().broken_off;
        let unaccounted = ledger.totals().unaccounted.calls;
        assert!(unaccounted <= KILLS * TASKS as u64 + broken_off);
        lost += unaccounted;
        charged_units += check(&ledger, &account);
        // It is worth something: what is left would not do for one more call.
        let smallest = Usage {
            input: 100,
            output: 200,
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        for home in 0..HOMES {
            let purse = ledger.purse(&format!("h-{home}"), smallest);
            let reserved = runtime.block_on(purse.reserve());
            if let Ok(reservation) = reserved {
                reservation.release();
                panic!("the spender ended with money left for h-{home}");
            }
        }
    }
    eprintln!(
        "{runs} journals, {kills} kills: {charged_units} charged of a budget of {}; {lost} attempts unaccounted",
        runs * RUN
    );
}

/// Holds what the server charged to the ledger, and both to the budget; gives the charge.
fn check(ledger: &Ledger, account: &Arc<Mutex<Account>>) -> u64 {
    let totals = ledger.totals();
    let charged = &account.lock().unwrap().charged;
    let all: u64 = charged.values().sum();
    assert!(units(all) <= totals.spent, "{all} charged, {totals:?}");
    assert!(totals.spent <= units(RUN), "{totals:?}");
    assert!(totals.home_maximum <= units(HOME), "{totals:?}");
    for (home, cost) in charged {
        assert!(*cost <= HOME, "{cost} charged for {home}");
    }
    all
}
