//! Progress of a replay, on standard error where that is a terminal.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::homes::Homes;
use crate::outputs::grouped;
use crate::services::Workload;

/// How often it is brought up to date.
const TICK: Duration = Duration::from_millis(250);

/// How much of the log was fed to the dataflow.
#[derive(Debug, Default)]
pub struct Position {
    lines: AtomicU64,
    bytes: AtomicU64,
}

impl Position {
    /// More was fed.
    pub fn advance(&self, lines: u64, bytes: u64) {
        self.lines.fetch_add(lines, Ordering::Relaxed);
        self.bytes.store(bytes, Ordering::Relaxed);
    }

    /// Lines fed.
    pub fn lines(&self) -> u64 {
        self.lines.load(Ordering::Relaxed)
    }
}

/// A line that tells how far a replay is; gone when it is finished.
pub struct Progress {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Progress {
    /// Shows progress until finished; with a bar where the log's length is known (`bytes`).
    pub fn start(
        position: Arc<Position>,
        bytes: Option<u64>,
        workload: Workload,
        homes: Homes,
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
                while !told.load(Ordering::Relaxed) {
                    let lines = position.lines();
                    let rate = lines as f64 / began.elapsed().as_secs_f64().max(1e-3);
                    bar.set_position(position.bytes.load(Ordering::Relaxed));
                    bar.set_message(format!(
                        "{} events, {} events/s, {} homes, {} requests open",
                        grouped(lines),
                        grouped(rate as u64),
                        grouped(homes.len() as u64),
                        grouped(workload.open_requests()),
                    ));
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
