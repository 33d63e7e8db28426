//! Lines on their way to a topic: in batches, each until the brokers have it.

use std::collections::{BTreeMap, VecDeque};

use rskafka::chrono::{DateTime, Utc};
use rskafka::client::Client;
use rskafka::client::error::{Error, ProtocolError};
use rskafka::client::partition::{Compression, PartitionClient, UnknownTopicHandling};
use rskafka::record::Record;

use super::partitioner::place;
use crate::kafka::{Access, partitions, patiently};
use crate::remote::Complaints;
use crate::sinks::outbox::Letter;

/// The header that has a line's number.
const ID: &str = "hearth-id";

/// Takes lines to a topic.
pub(super) struct Courier {
    access: Access,
    topic: String,
    /// The connection, while it stands: a client for each partition.
    clients: Vec<PartitionClient>,
    /// What the brokers are not known to have.
    waiting: VecDeque<Record>,
    /// Of that, by partition.
    batches: BTreeMap<usize, VecDeque<Vec<Record>>>,
    refused: u64,
    complaints: Complaints,
}

impl Courier {
    /// Nothing waits.
    pub fn new(access: Access, topic: String) -> Self {
        Courier {
            access,
            topic,
            clients: Vec::new(),
            waiting: VecDeque::new(),
            batches: BTreeMap::new(),
            refused: 0,
            complaints: Complaints::new("Kafka out"),
        }
    }

    /// What is wrong, in a few words.
    pub fn explained(&self, error: &Error) -> String {
        self.access.explained(error)
    }

    /// Takes lines, in place of those that wait.
    pub fn take(&mut self, letters: &[Letter]) {
        self.refused = 0;
        self.batches.clear();
        self.waiting = letters.iter().map(record).collect();
    }

    /// Sends what waits; says how many lines the brokers refuse for ever. What was sent before an error is not sent again.
    ///
    /// # Errors
    /// The brokers do not take it now.
    pub async fn work(&mut self) -> Result<u64, Error> {
        let worked = self.try_work().await;
        if worked.is_err() {
            self.clients.clear();
        }
        worked.map(|()| std::mem::take(&mut self.refused))
    }

    async fn try_work(&mut self) -> Result<(), Error> {
        if self.clients.is_empty() {
            self.clients = self.connect().await?;
        }
        // Only now is it known how many partitions there are; what was dealt to them before stays where it is.
        for record in std::mem::take(&mut self.waiting) {
            let key = record.key.as_deref().unwrap_or_default();
            let batches = self.batches.entry(place(key, self.clients.len()));
            let batches = batches.or_insert_with(|| VecDeque::from([Vec::new()]));
            if let Some(batch) = batches.back_mut() {
                batch.push(record);
            }
        }
        while let Some(mut entry) = self.batches.first_entry() {
            let at = *entry.key();
            let Some(batch) = entry.get().front().cloned() else {
                entry.remove();
                continue;
            };
            let client = self.clients.get(at).ok_or_else(|| gone(&self.topic))?;
            let records = batch.len();
            match patiently(client.produce(batch, Compression::Lz4)).await {
                Ok(_) => drop(entry.get_mut().pop_front()),
                Err(error) if is_too_large(&error) && records > 1 => halve(entry.get_mut()),
                Err(error) if is_too_large(&error) => {
                    entry.get_mut().pop_front();
                    self.refused += 1;
                    self.complaints
                        .say(&self.topic, "a line is longer than the brokers take");
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    async fn connect(&self) -> Result<Vec<PartitionClient>, Error> {
        let client: Client = self.access.connect().await?;
        let mut all = partitions(&client, &self.topic).await?;
        all.sort_unstable();
        if all.is_empty() {
            return Err(gone(&self.topic));
        }
        let mut clients = Vec::new();
        for partition in all {
            let handling = UnknownTopicHandling::Error;
            let opened = client.partition_client(&self.topic, partition, handling);
            clients.push(patiently(opened).await?);
        }
        Ok(clients)
    }
}

fn record(letter: &Letter) -> Record {
    Record {
        key: Some(letter.home.clone().into_bytes()),
        value: Some(letter.line.clone().into_bytes()),
        headers: BTreeMap::from([(ID.to_owned(), letter.id.clone().into_bytes())]),
        timestamp: now(),
    }
}

fn now() -> DateTime<Utc> {
    Utc::now()
}

fn gone(topic: &str) -> Error {
    Error::InvalidResponse(format!(
        "there is no topic `{topic}`: create it, or correct --kafka-out"
    ))
}

fn is_too_large(error: &Error) -> bool {
    match error {
        Error::ServerError { protocol_error, .. } => matches!(
            protocol_error,
            ProtocolError::MessageTooLarge | ProtocolError::RecordListTooLarge
        ),
        _ => false,
    }
}

/// Makes two batches of the first.
fn halve(batches: &mut VecDeque<Vec<Record>>) {
    if let Some(mut first) = batches.pop_front() {
        let second = first.split_off(first.len() / 2);
        batches.push_front(second);
        batches.push_front(first);
    }
}
