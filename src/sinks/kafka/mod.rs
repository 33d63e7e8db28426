//! Kafka: streams as JSON Lines in topics, keyed by home.
//!
//! A line is told once a cut has it, at least once, and in the order of its home's lines: all of a home are in one partition,
//! that which Kafka's own clients choose for its name. One that comes again, because an answer was lost or Hearth was killed
//! before it was remembered, has the number that it had, in the header `hearth-id`.

mod courier;
mod partitioner;

use std::time::Duration;

use anyhow::Result;
use futures_util::future::try_join_all;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use tokio::time::{Instant, sleep_until};

use super::outbox::{Beginning, Letter, Outbox, more, streams};
use crate::config::{KafkaOptions, TopicUrl, UsageError};
use crate::desk::{Desk, Gauges};
use crate::kafka::Access;
use crate::outputs::Stream;
use crate::remote::Trouble;
use courier::Courier;

/// The name of its marks.
const SINK: &str = "kafka-out";

/// How long brokers have to take the last lines.
const FAREWELL: Duration = Duration::from_secs(1);

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByFate {
    stream: &'static str,
    fate: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByStream {
    stream: &'static str,
}

/// How telling goes; clones share it.
#[derive(Clone, Debug, Default)]
struct Measures {
    lines: Family<ByFate, Counter>,
    behind: Family<ByStream, Gauge>,
    up: Family<ByStream, Gauge>,
}

impl Measures {
    fn of(gauges: &Gauges) -> Self {
        let all = Measures::default();
        let help = "Lines for Kafka, by what became of them";
        gauges.register("kafka_out_lines", help, all.lines.clone());
        let help = "Bytes of lines that a checkpoint has and that Kafka was not told";
        gauges.register("kafka_out_behind_bytes", help, all.behind.clone());
        let help = "Whether Kafka takes a stream (1), or its brokers are away (0)";
        gauges.register("kafka_telling", help, all.up.clone());
        all
    }
}

/// Tells the topic that the options name, if they name one, until the run is over.
///
/// # Errors
/// The options cannot be carried out: that is said before anything is awaited. Then, that the inbox cannot be written.
pub fn run(
    options: &KafkaOptions,
    desk: &Desk,
) -> Result<impl Future<Output = Result<()>> + use<>, UsageError> {
    let tellers = match &options.kafka_out {
        Some(url) => tellers(url, options, desk)?,
        None => Vec::new(),
    };
    Ok(async {
        let tellers = tellers.into_iter().map(Teller::serve);
        try_join_all(tellers).await.map(drop)
    })
}

fn tellers(url: &TopicUrl, options: &KafkaOptions, desk: &Desk) -> Result<Vec<Teller>, UsageError> {
    let streams = streams(&options.kafka_streams.0);
    if streams.len() > 1 && !url.tells_streams_apart() {
        return Err(UsageError(format!(
            "--kafka-out {url} would mix the streams {}: write {{stream}} into the topic's name, or choose one by \
             --kafka-streams",
            options.kafka_streams
        )));
    }
    let measures = Measures::of(&desk.gauges);
    let mut tellers = Vec::new();
    for stream in streams {
        let access = Access::new(&url.cluster, options)?;
        let topic = url.of(stream.name());
        let trouble = Trouble::new(&format!("{}/{topic}", url.cluster), "Kafka out");
        let courier = Courier::new(access, topic);
        tellers.push(Teller {
            stream,
            courier,
            trouble,
            measures: measures.clone(),
            desk: desk.clone(),
        });
    }
    Ok(tellers)
}

/// A stream on its way to its topic.
struct Teller {
    stream: Stream,
    courier: Courier,
    trouble: Trouble,
    measures: Measures,
    desk: Desk,
}

impl Teller {
    async fn serve(mut self) -> Result<()> {
        let mut outbox = Outbox::open(&self.desk, SINK, self.stream, Beginning::Whole).await?;
        // Before anything is read: what is cut meanwhile is noticed.
        let mut cuts = self.desk.feed.cuts();
        let mut over = false;
        self.behind(&outbox);
        // What is wrong with brokers is said before there is something to tell.
        if !self.send(&[]).await {
            return Ok(());
        }
        loop {
            let letters = outbox.read()?;
            self.behind(&outbox);
            if letters.is_empty() {
                if over {
                    return Ok(());
                }
                over = more(&mut cuts).await;
                continue;
            }
            if !self.send(&letters).await {
                return Ok(());
            }
            let reached = outbox.reached();
            outbox.told(reached, std::iter::empty()).await?;
        }
    }

    /// Sends lines until the brokers have them all; or says that they do not, and the run is over.
    async fn send(&mut self, letters: &[Letter]) -> bool {
        self.courier.take(letters);
        let mut cuts = self.desk.feed.cuts();
        let over = async {
            let _ = cuts.wait_for(|cuts| cuts.over).await;
            tokio::time::sleep(FAREWELL).await;
        };
        tokio::pin!(over);
        loop {
            let sent = tokio::select! {
                sent = self.courier.work() => sent,
                () = &mut over => return false,
            };
            self.is_up(sent.is_ok());
            match sent {
                Ok(refused) => {
                    self.trouble.over();
                    self.count("refused", refused);
                    self.count("told", letters.len() as u64 - refused);
                    return true;
                }
                Err(error) => {
                    let error = self.courier.explained(&error);
                    let until = Instant::now() + self.trouble.pause(&error);
                    tokio::select! {
                        () = sleep_until(until) => {}
                        () = &mut over => return false,
                    }
                }
            }
        }
    }

    fn is_up(&self, up: bool) {
        let stream = self.stream.name();
        let gauge = self.measures.up.get_or_create(&ByStream { stream });
        gauge.set(up.into());
    }

    fn count(&self, fate: &'static str, lines: u64) {
        let stream = self.stream.name();
        let counted = self.measures.lines.get_or_create(&ByFate { stream, fate });
        counted.inc_by(lines);
    }

    fn behind(&self, outbox: &Outbox) {
        let stream = self.stream.name();
        let behind = self.measures.behind.get_or_create(&ByStream { stream });
        behind.set(i64::try_from(outbox.behind()).unwrap_or(i64::MAX));
    }
}
