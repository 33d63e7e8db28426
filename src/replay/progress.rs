//! Progress of a replay, on standard error: a line that changes where that is a terminal, else a line now and then.

use std::fmt::Write;
use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::watch::Fed;
use crate::home_names::HomeNames;
use crate::outputs::grouped;
use crate::services::Workload;

/// How often it is brought up to date.
const TICK: Duration = Duration::from_millis(250);

/// After how long the first line is written where there is no terminal; each further one after as long as all before, or [`LINE`].
const FIRST: Duration = Duration::from_secs(5);

/// How often a line is written there at least.
const LINE: Duration = Duration::from_secs(30);

/// A line that tells how far a replay is; gone when it is finished.
pub struct Progress {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Progress {
    /// Shows progress until finished; with a bar where the log's length is known (`bytes`), and in lines where it is no terminal and
    /// these are wanted.
    pub fn start(
        fed: Arc<Fed>,
        (bytes, lines): (Option<u64>, bool),
        workload: Workload,
        homes: HomeNames,
    ) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let told = stop.clone();
        let thread = std::thread::Builder::new()
            .name("progress".into())
            .spawn(move || {
                let (bar, style) = match bytes {
                    Some(bytes) => (
                        ProgressBar::new(bytes),
                        "{elapsed} {bar:30} {percent}%  {msg}",
                    ),
                    None => (ProgressBar::new_spinner(), "{elapsed} {spinner}  {msg}"),
                };
                if let Ok(style) = ProgressStyle::with_template(style) {
                    bar.set_style(style);
                }
                let began = Instant::now();
                let terminal = std::io::stderr().is_terminal();
                let mut next = FIRST;
                while !told.load(Ordering::Relaxed) {
                    let told = so_far(&fed, &workload, &homes, began.elapsed());
                    if lines && !terminal && began.elapsed() >= next {
                        next += next.min(LINE);
                        let share = bytes.map(|all| (100 * fed.bytes() / all.max(1)).min(100));
                        let share = share.map_or(String::new(), |share| format!("{share} %, "));
                        tracing::info!("{share}{told}");
                    }
                    bar.set_position(fed.bytes());
                    bar.set_message(told);
                    std::thread::park_timeout(TICK);
                }
                bar.finish_and_clear();
            });
        // A run without a progress line is still a run.
        Progress {
            stop,
            thread: thread.ok(),
        }
    }

    /// Takes the line away.
    pub fn finish(self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread {
            thread.thread().unpark();
            let _ = thread.join();
        }
    }
}

/// What was done within that time, and what is being done.
fn so_far(fed: &Fed, workload: &Workload, homes: &HomeNames, within: Duration) -> String {
    let events = fed.lines();
    let rate = events as f64 / within.as_secs_f64().max(1e-3);
    let mut told = format!(
        "{} events, {} events/s, {} homes, {} requests open, {} answered",
        grouped(events),
        grouped(rate as u64),
        grouped(homes.len() as u64),
        grouped(workload.open_requests()),
        grouped(workload.synthesize.done.load(Ordering::Relaxed)),
    );
    // Behind the log's end only this changes.
    let shifts = workload.shifts();
    if shifts > 0 {
        let adapted = grouped(workload.adapted());
        let _ = write!(told, ", {adapted} of {} shifts adapted to", grouped(shifts));
    }
    told
}
