//! Home Assistant, played: by frames that the real one said, and by a house that is cut off.
//!
//! `HEARTH_HOME_ASSISTANT_ROUNDS=100 cargo test --release --lib home_assistant` goes on for that long.

mod frames;
mod fuzz;
mod house;
mod reader;

use std::num::NonZeroUsize;
use std::path::Path;
use std::time::{Duration, Instant};

use hearth_operators::words::Time;
use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_tungstenite::{Connector, accept_async};

use super::intake::now;
use super::session::{Access, Session};
use crate::config::{HomeAssistantOptions, options_of};
use crate::desk::Desk;
use crate::disk::Disk;
use crate::inbox::{Inbox, InboxWriter, Keeps};
use crate::outputs::inbox_path;
use crate::stop::Stop;
use house::{House, TOKEN};

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// The source at work.
struct Hearth {
    desk: Desk,
    writer: InboxWriter,
    task: JoinHandle<anyhow::Result<()>>,
}

impl Hearth {
    /// Begins, or goes on, in a folder.
    fn start(folder: &Path, house: &House, token: &str) -> Self {
        let (inbox, writer) = Inbox::open(&Disk::real(), folder, Keeps::default()).unwrap();
        let desk = Desk::new(inbox, folder, NonZeroUsize::MIN, Stop::default());
        let file = folder.join("token");
        std::fs::write(&file, format!("{token}\n")).unwrap();
        let hub = format!("--home-assistant=ws://{}", house.address);
        let token = format!("--home-assistant-token-file={}", file.display());
        let options: HomeAssistantOptions = options_of(&[&hub, &token]);
        let task = tokio::spawn(super::run(options, desk.clone()).unwrap());
        Hearth { desk, writer, task }
    }

    /// Ends it without a word, as a kill does.
    async fn kill(self) {
        self.task.abort();
        let _ = self.task.await;
        drop(self.desk);
        tokio::task::spawn_blocking(|| self.writer.join())
            .await
            .unwrap();
    }
}

/// Device and action of each event of a folder's inbox.
fn told(folder: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(inbox_path(folder)).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with(r#"{"mark""#));
    lines.map(shown).collect()
}

fn shown(line: &str) -> String {
    let line: Value = serde_json::from_str(line).unwrap();
    let text = |key: &str| line[key].as_str().unwrap_or_default().to_owned();
    match line.get("kind") {
        Some(kind) => format!("{kind} {} {}", text("from"), text("to")),
        None => format!("{} {}", text("device"), text("action")),
    }
}

/// Waits until something holds.
async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < PATIENCE, "{what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn rounds() -> usize {
    let more = std::env::var("HEARTH_HOME_ASSISTANT_ROUNDS").ok();
    more.and_then(|n| n.parse().ok()).unwrap_or(5)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_counts_once_though_hearth_is_killed_and_the_network_cut() {
    let (house, folder) = (House::new().await, tempfile::tempdir().unwrap());
    let lamps = ["light.a", "light.b", "switch.c"];
    // Long ago, so that nothing is unsettled; microseconds apart, as they are there.
    let start = now().0 - 3 * Time::HOUR;
    for lamp in lamps {
        house.change(lamp, "off", Time(start));
    }
    let (mut expected, mut n) = (Vec::new(), 0);
    let mut hearth = Hearth::start(folder.path(), &house, TOKEN);
    for round in 0..rounds() {
        for _ in 0..40 {
            let state = if (n / lamps.len()).is_multiple_of(2) {
                "on"
            } else {
                "off"
            };
            let lamp = lamps[n % lamps.len()];
            n += 1;
            house.change(
                lamp,
                state,
                Time(start + 120 * Time::SECOND + n as i64 * 1_001),
            );
            expected.push(format!("{lamp} {state}"));
            if n.is_multiple_of(17) {
                house.cut();
            }
            if n.is_multiple_of(7) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
        if round % 2 == 1 {
            hearth.kill().await;
            hearth = Hearth::start(folder.path(), &house, TOKEN);
        }
    }
    until("all has come", || {
        told(folder.path()).len() >= expected.len()
    })
    .await;
    let caught_up = || hearth.desk.gauges.awaited().is_empty();
    until("it says that it is ready", caught_up).await;
    assert_eq!(told(folder.path()), expected);
    let measures = hearth.desk.gauges.text().unwrap();
    assert!(
        measures.contains("hearth_home_assistant_connected 1"),
        "{measures}"
    );
    hearth.kill().await;
}

#[tokio::test]
async fn what_is_too_large_or_no_message_is_refused_with_a_reason() {
    // The beginnings of frames: a text of 4 GB, and one that nobody says.
    let large = [&[0x81, 127][..], &(4_u64 << 30).to_be_bytes()].concat();
    let stranger = [&[0x81, 5][..], b"hello"].concat();
    for (frame, word) in [(large, "Message too long"), (stranger, "no message of it")] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("ws://{}", listener.local_addr().unwrap());
        tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            let mut stream = accept_async(stream).await.unwrap().into_inner();
            stream.write_all(&frame).await.unwrap();
            // It stays open: whoever reads on would wait.
            std::future::pending::<()>().await;
        });
        let access = Access {
            hub: address.parse().unwrap(),
            token: TOKEN.to_owned(),
            tls: Connector::Plain,
        };
        let opened = Session::open(&access).await;
        let why = opened.err().unwrap().to_string();
        assert!(why.contains(word), "{why}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_not_known_ends_the_run_and_is_not_shown() {
    let (house, folder) = (House::new().await, tempfile::tempdir().unwrap());
    let hearth = Hearth::start(folder.path(), &house, "s3cret");
    let error = format!("{:#}", hearth.task.await.unwrap().unwrap_err());
    assert!(error.contains("does not know the token in"), "{error}");
    assert!(
        error.contains("make another") && !error.contains("s3cret"),
        "{error}"
    );
}
