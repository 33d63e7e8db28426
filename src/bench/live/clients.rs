//! Clients that look at the page and ask the API while events come in.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

use super::{histogram, micros};

/// How often each of them asks.
const ASKS: Duration = Duration::from_secs(1);

/// What they ask for in turn: of all homes, or of one.
const PATHS: [&str; 6] = [
    "/",
    "/api/homes",
    "/home?name={home}",
    "/api/homes/{home}/segments",
    "/api/alarms",
    "/metrics",
];

pub(super) struct Clients {
    tasks: Vec<JoinHandle<Histogram<u64>>>,
    ends: Arc<AtomicBool>,
    failed: Arc<AtomicU64>,
}

impl Clients {
    pub fn start(runtime: &Runtime, address: &str, clients: usize, homes: u32) -> Clients {
        let ends = Arc::new(AtomicBool::new(false));
        let failed = Arc::new(AtomicU64::new(0));
        let tasks = (0..clients).map(|number| {
            let asks = ask(address.to_owned(), number, homes, ends.clone());
            let failed = failed.clone();
            runtime.spawn(async move {
                let (times, bad) = asks.await;
                failed.fetch_add(bad, Ordering::Relaxed);
                times
            })
        });
        Clients {
            tasks: tasks.collect(),
            ends,
            failed,
        }
    }

    /// How long each answer took, and how many were none.
    pub fn end(self, runtime: &Runtime) -> (Histogram<u64>, u64) {
        self.ends.store(true, Ordering::Relaxed);
        let mut times = histogram();
        for task in self.tasks {
            if let Ok(some) = runtime.block_on(task) {
                // Both have the same bounds.
                let _ = times.add(some);
            }
        }
        (times, self.failed.load(Ordering::Relaxed))
    }
}

async fn ask(
    address: String,
    number: usize,
    homes: u32,
    ends: Arc<AtomicBool>,
) -> (Histogram<u64>, u64) {
    let (mut times, mut failed) = (histogram(), 0);
    let Ok(client) = reqwest::Client::builder().no_proxy().build() else {
        return (times, 1);
    };
    // They do not all ask at the same moment.
    tokio::time::sleep(ASKS.mul_f64(number as f64 / 100.0 % 1.0)).await;
    for turn in number.. {
        let began = Instant::now();
        if ends.load(Ordering::Relaxed) {
            break;
        }
        let home = format!("h-{}", 1 + turn * 7 % homes.max(1) as usize);
        let path = PATHS[turn % PATHS.len()].replace("{home}", &home);
        let asked = client.get(format!("{address}{path}")).send().await;
        let answered = match asked.and_then(reqwest::Response::error_for_status) {
            Ok(answer) => answer.bytes().await.is_ok(),
            Err(_) => false,
        };
        failed += u64::from(!answered);
        times.saturating_record(micros(began.elapsed()));
        tokio::time::sleep(ASKS.saturating_sub(began.elapsed())).await;
    }
    (times, failed)
}
