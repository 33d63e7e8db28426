//! A partition of a topic into the inbox: messages in their order, each with the position behind it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hearth_operators::words::Time;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use rskafka::client::error::Error;
use rskafka::client::partition::{OffsetAt, PartitionClient};
use rskafka::record::RecordAndOffset;
use tokio::sync::watch;

use super::measures::{ByFate, ByPartition, ByTopic};
use super::position::{Found, Position};
use super::shared::Shared;
use crate::inbox::{InboxError, Mark};
use crate::kafka::{is_out_of_range, patiently};
use crate::remote::Complaints;
use crate::sources::messages;
use crate::time::offset_at;

/// Bytes of messages that are fetched together, about.
const BYTES: i32 = 1 << 20;

/// How long brokers wait for messages before they say that there are none, in thousandths of a second.
const WAIT: i32 = 500;

/// How soon they are asked again at least, where there were none.
const AGAIN: Duration = Duration::from_millis(20);

/// How often nothing must come of an offset, though there is something behind it, before it is passed over: transactions leave
/// such places.
const NOTHING: u32 = 3;

/// Why a partition is read no further.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    /// Its brokers; it can be tried again.
    #[error(transparent)]
    Brokers(#[from] Error),
    /// The inbox; the run ends.
    #[error(transparent)]
    Inbox(#[from] InboxError),
}

/// A partition that is read.
pub(super) struct Partition {
    shared: Arc<Shared>,
    client: PartitionClient,
    number: i32,
    position: Position,
    /// Whether it was ever read.
    met: bool,
    /// Whether it was not read to its end since it was connected to.
    behind: bool,
    nothing: u32,
    zone: TimeZone,
    complaints: Complaints,
}

impl Partition {
    /// From where it was read until, or else from its beginning.
    pub fn new(shared: Arc<Shared>, client: PartitionClient, number: i32) -> Self {
        let at = shared.desk.inbox.mark(&shared.mark_of(number));
        // A mark of another version: what it knew is then read again.
        let position: Option<Position> = at.and_then(|at| serde_json::from_str(&at).ok());
        Partition {
            met: position.is_some(),
            shared,
            client,
            number,
            position: position.unwrap_or_default(),
            behind: true,
            nothing: 0,
            zone: TimeZone::system(),
            complaints: Complaints::new("Kafka in"),
        }
    }

    /// Reads until it fails, or is told to leave. What is being put is put to its end: it would come twice if another reader
    /// began meanwhile.
    pub async fn read(mut self, mut leaving: watch::Receiver<bool>) -> Result<(), Fault> {
        tokio::select! {
            found = self.find() => found?,
            _ = leaving.wait_for(|leaving| *leaving) => return Ok(()),
        }
        loop {
            let began = Instant::now();
            let fetched = tokio::select! {
                fetched = self.fetch(self.position.next) => fetched,
                _ = leaving.wait_for(|leaving| *leaving) => return Ok(()),
            };
            match fetched {
                Ok((messages, end)) if messages.is_empty() => {
                    self.reaches(end, true);
                    self.pass(end).await?;
                    tokio::time::sleep(AGAIN.saturating_sub(began.elapsed())).await;
                }
                Ok((messages, end)) => {
                    self.take(messages).await?;
                    self.reaches(end, self.position.next >= end);
                }
                Err(error) if is_out_of_range(&error) => {
                    let before = self.position;
                    self.find().await?;
                    if self.position == before {
                        return Err(error.into());
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Messages from an offset on, if there are some, and where the partition ends.
    async fn fetch(&self, next: i64) -> Result<(Vec<RecordAndOffset>, i64), Error> {
        match patiently(self.client.fetch_records(next, 1..BYTES, WAIT)).await {
            Err(Error::InvalidResponse(what)) => {
                // Some brokers leave a partition out of an answer that has nothing of it.
                let end = patiently(self.client.get_offset(OffsetAt::Latest)).await?;
                match end <= next {
                    true => Ok((Vec::new(), end)),
                    false => Err(Error::InvalidResponse(what)),
                }
            }
            fetched => fetched,
        }
    }

    /// Finds the place to go on from: the partition may hold less than it did, or be another one.
    async fn find(&mut self) -> Result<(), Fault> {
        let earliest = patiently(self.client.get_offset(OffsetAt::Earliest)).await?;
        if !std::mem::replace(&mut self.met, true) {
            return self.keep(Vec::new(), Position::at(earliest)).await;
        }
        let next = self.position.next;
        let (last, ended) = match next > earliest {
            true => self.last(next).await?,
            false => (None, false),
        };
        match self.position.compare(earliest, ended, last.as_ref()) {
            Found::Same => return Ok(()),
            Found::Lost(messages) => self.lost(messages, earliest),
            Found::Anew => {
                let topic = self.shared.topic.clone();
                tracing::warn!(
                    "Kafka in: partition {} of {topic} is not the one that was read until offset {next}, which may \
                     have had more: it is read from its beginning",
                    self.number
                );
                let anew = &self.shared.measures.anew;
                anew.get_or_create(&ByTopic { topic }).inc();
            }
        }
        self.keep(Vec::new(), Position::at(earliest)).await
    }

    /// The last message that was read, if it is still there, and whether the partition ends before what was read.
    async fn last(&self, next: i64) -> Result<(Option<RecordAndOffset>, bool), Error> {
        match patiently(self.client.fetch_records(next - 1, 1..BYTES, WAIT)).await {
            Ok((messages, end)) => {
                let ended = messages.is_empty() && end < next;
                Ok((messages.into_iter().next(), ended))
            }
            Err(error) if is_out_of_range(&error) => Ok((None, true)),
            Err(error) => Err(error),
        }
    }

    /// Says what was deleted before it was read.
    fn lost(&self, messages: i64, earliest: i64) {
        let topic = self.shared.topic.clone();
        tracing::error!(
            "Kafka in: {messages} messages of partition {} of {topic} are LOST: its brokers deleted them before \
             they were read (offsets {} to {}); let them keep messages for longer than Hearth is ever away",
            self.number,
            self.position.next,
            earliest - 1
        );
        let lost = &self.shared.measures.lost;
        lost.get_or_create(&ByTopic { topic })
            .inc_by(messages.unsigned_abs());
    }

    /// Takes messages into the inbox.
    async fn take(&mut self, messages: Vec<RecordAndOffset>) -> Result<(), Fault> {
        self.nothing = 0;
        let mut lines = Vec::new();
        let first = messages.first().map_or(0, |message| message.offset);
        if first > self.position.next {
            // What a transaction or a compaction leaves, unless the beginning is gone.
            let earliest = patiently(self.client.get_offset(OffsetAt::Earliest)).await?;
            if earliest > self.position.next {
                self.lost(earliest - self.position.next, earliest);
            }
        }
        let position = messages.last().map(Position::behind);
        for message in &messages {
            let fate = match self.lines(message) {
                Ok(read) => {
                    lines.extend(read);
                    "taken"
                }
                Err(reason) => {
                    let (topic, number) = (&self.shared.topic, self.number);
                    let place = format!("{topic}, partition {number}, offset {}", message.offset);
                    self.complaints.say(&place, &reason);
                    "refused"
                }
            };
            let topic = self.shared.topic.clone();
            let counted = &self.shared.measures.messages;
            counted.get_or_create(&ByFate { topic, fate }).inc();
        }
        self.keep(lines, position.unwrap_or(self.position)).await
    }

    /// The lines that a message is.
    fn lines(&self, message: &RecordAndOffset) -> Result<Vec<String>, String> {
        let record = &message.record;
        let key = record.key.as_deref().unwrap_or_default();
        let home = std::str::from_utf8(key).map_err(|_| "the key is no UTF-8".to_owned())?;
        let home = Some(home).filter(|home| !home.is_empty());
        let millis = match record.timestamp.timestamp_millis() {
            none if none < 0 => Timestamp::now().as_millisecond(),
            millis => millis,
        };
        let at = Time(millis * 1_000);
        let payload = record.value.as_deref().unwrap_or_default();
        messages::lines(home, payload, (at, offset_at(at, &self.zone)))
    }

    /// Puts lines, and that everything before a position is read.
    async fn keep(&mut self, lines: Vec<String>, position: Position) -> Result<(), Fault> {
        let mark = Mark {
            source: self.shared.mark_of(self.number),
            at: serde_json::to_string(&position).unwrap_or_default(),
        };
        self.shared.desk.inbox.put(lines, Some(mark)).await?;
        self.position = position;
        Ok(())
    }

    /// Passes over offsets at which there is nothing, though there is something behind them.
    async fn pass(&mut self, end: i64) -> Result<(), Fault> {
        let next = self.position.next;
        // Of a transaction that is open nothing is given yet: only up to its beginning can be read.
        if end <= next || patiently(self.client.get_offset(OffsetAt::Latest)).await? <= next {
            self.nothing = 0;
            return Ok(());
        }
        self.nothing += 1;
        if self.nothing >= NOTHING {
            self.nothing = 0;
            // A broker that has messages there would have given them before any behind.
            if let Some(behind) = self.fetch(next + 1).await?.0.first() {
                self.position = Position::at(behind.offset);
            }
        }
        Ok(())
    }

    /// Measures how far the end is, and says when all that can be read was, for the first time.
    fn reaches(&mut self, end: i64, all: bool) {
        self.shared.reads.notify_one();
        let label = ByPartition {
            topic: self.shared.topic.clone(),
            partition: self.number,
        };
        let behind = self.shared.measures.behind.get_or_create(&label);
        behind.set((end - self.position.next).max(0));
        if all && std::mem::take(&mut self.behind) {
            self.shared.caught_up(self.number);
        }
    }
}
