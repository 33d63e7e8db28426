//! What of a live run speaks MQTT, without the run.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::task::JoinHandle;

use crate::config::{MqttOptions, mqtt_options};
use crate::desk::Desk;
use crate::disk::Disk;
use crate::inbox::{Inbox, InboxWriter};
use crate::outputs::inbox_path;
use crate::sinks::feed::Feed;
use crate::stop::Stop;
use crate::{sinks, sources};

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Source and sink at work.
pub(super) struct Hearth {
    pub desk: Desk,
    writer: InboxWriter,
    tasks: Vec<JoinHandle<anyhow::Result<()>>>,
}

impl Hearth {
    /// Begins, or goes on, in a folder.
    pub fn start(folder: &Path, port: u16, options: &[&str]) -> Self {
        let (inbox, writer) = Inbox::open(&Disk::real(), folder).unwrap();
        let desk = Desk {
            inbox,
            feed: Feed::default(),
            gauges: Arc::default(),
            out: Arc::from(folder),
            stop: Stop::default(),
        };
        let broker = format!("--mqtt=mqtt://127.0.0.1:{port}");
        let options: MqttOptions = mqtt_options(&[&[broker.as_str()], options].concat());
        let source = tokio::spawn(sources::mqtt::run(options.clone(), desk.clone()));
        let sink = tokio::spawn(sinks::mqtt::run(options, desk.clone()));
        Hearth {
            desk,
            writer,
            tasks: vec![source, sink],
        }
    }

    /// Ends it, as by Ctrl-C.
    pub async fn end(self) {
        self.desk.stop.interrupt();
        for task in self.tasks {
            task.await.unwrap().unwrap();
        }
        drop(self.desk);
        tokio::task::spawn_blocking(|| self.writer.join())
            .await
            .unwrap();
    }

    /// Ends it without a word, as a kill does.
    pub async fn kill(self) {
        for task in self.tasks {
            task.abort();
            let _ = task.await;
        }
        drop(self.desk);
        tokio::task::spawn_blocking(|| self.writer.join())
            .await
            .unwrap();
    }
}

/// The events of a folder's inbox.
pub(super) fn events(folder: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(inbox_path(folder)).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with(r#"{"mark""#));
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// Waits until something holds.
pub(super) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < PATIENCE, "{what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
