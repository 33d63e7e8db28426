//! What of a live run speaks to brokers, without the run.

use std::num::NonZeroUsize;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::task::JoinHandle;

use crate::cluster::Share;
use crate::config::{KafkaOptions, MqttOptions, WebhookOptions, options_of};
use crate::desk::Desk;
use crate::disk::Disk;
use crate::inbox::{Inbox, InboxWriter, Keeps};
use crate::outputs::inbox_path;
use crate::stop::Stop;
use crate::{sinks, sources};

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Sources and sinks at work.
pub(super) struct Hearth {
    pub desk: Desk,
    writer: InboxWriter,
    tasks: Vec<JoinHandle<anyhow::Result<()>>>,
}

impl Hearth {
    /// Begins, or goes on, in a folder.
    pub fn start(folder: &Path, options: &[&str]) -> Self {
        Hearth::among(folder, options, Share::whole(1))
    }

    /// The same of one of several processes.
    pub fn among(folder: &Path, options: &[&str], share: Share) -> Self {
        let (inbox, writer) = Inbox::open(&Disk::real(), folder, Keeps::default()).unwrap();
        let desk = Desk::new(inbox, folder, NonZeroUsize::MIN, Stop::default()).among(share);
        let mqtt: MqttOptions = options_of(options);
        let kafka: KafkaOptions = options_of(options);
        let webhook: WebhookOptions = options_of(options);
        let tasks = vec![
            tokio::spawn(sources::mqtt::run(mqtt.clone(), desk.clone()).unwrap()),
            tokio::spawn(sinks::mqtt::run(mqtt, desk.clone()).unwrap()),
            tokio::spawn(sources::kafka::run(&kafka, &desk).unwrap()),
            tokio::spawn(sinks::kafka::run(&kafka, &desk).unwrap()),
            tokio::spawn(sinks::webhook::run(webhook, desk.clone()).unwrap()),
        ];
        Hearth {
            desk,
            writer,
            tasks,
        }
    }

    /// With an MQTT broker.
    pub fn with_mqtt(folder: &Path, port: u16, options: &[&str]) -> Self {
        let broker = format!("--mqtt=mqtt://127.0.0.1:{port}");
        Hearth::start(folder, &[&[broker.as_str()], options].concat())
    }

    /// Ends it, as by Ctrl-C.
    pub async fn end(self) {
        self.desk.stop.interrupt();
        self.desk.feed.end();
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

    /// The value of a measure, all its labels together.
    pub fn measure(&self, name: &str) -> f64 {
        let text = self.desk.gauges.text().unwrap();
        let of = text.lines().filter(|line| {
            let rest = line.strip_prefix(name);
            rest.is_some_and(|rest| rest.starts_with(['{', ' ']))
        });
        of.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap())
            .sum()
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
