//! A topic: its partitions, those that are found later, and what is done while its brokers are away.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use rskafka::client::Client;
use rskafka::client::error::Error;
use rskafka::client::partition::{OffsetAt, UnknownTopicHandling};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep};

use super::measures::{ByTopic, Measures};
use super::partition::{Fault, Partition};
use super::position::Position;
use super::shared::Shared;
use crate::config::{KafkaFrom, TopicUrl};
use crate::desk::Desk;
use crate::inbox::Mark;
use crate::kafka::{Access, partitions, patiently};
use crate::remote::Trouble;

/// How often it is looked for new partitions.
const LOOK: Duration = Duration::from_secs(if cfg!(test) { 1 } else { 30 });

/// A topic that is read.
pub(super) struct Topic {
    access: Access,
    from: KafkaFrom,
    trouble: Trouble,
    shared: Arc<Shared>,
}

impl Topic {
    /// Nothing of it is read.
    pub fn new(
        (url, access): (&TopicUrl, Access),
        from: KafkaFrom,
        desk: &Desk,
        measures: &Measures,
    ) -> Self {
        let shared = Arc::new(Shared::new(&url.topic, desk, measures));
        shared.waits(Some("it is not connected to yet".to_owned()));
        Topic {
            access,
            from,
            trouble: Trouble::new(url, "Kafka in"),
            shared,
        }
    }

    /// Reads it until the run ends.
    ///
    /// # Errors
    /// The inbox takes nothing.
    pub async fn serve(mut self) -> Result<()> {
        let desk = self.shared.desk.clone();
        while !desk.is_ending() {
            let fault = match self.read().await {
                Ok(()) => return Ok(()),
                Err(Fault::Inbox(error)) => return Err(error.into()),
                Err(Fault::Brokers(error)) => self.access.explained(&error),
            };
            self.is_up(false);
            self.shared
                .waits(Some(format!("its brokers are away: {fault}")));
            let pause = self.trouble.pause(&fault);
            tokio::select! {
                () = sleep(pause) => {}
                () = desk.ending() => {}
            }
        }
        Ok(())
    }

    fn is_up(&self, up: bool) {
        let topic = self.shared.topic.clone();
        let gauge = self.shared.measures.up.get_or_create(&ByTopic { topic });
        gauge.set(up.into());
    }

    /// Reads all partitions until one fails, or the run ends.
    async fn read(&mut self) -> Result<(), Fault> {
        let desk = self.shared.desk.clone();
        let opened = tokio::select! {
            opened = self.open() => opened?,
            () = desk.ending() => return Ok(()),
        };
        let (client, mut known) = opened;
        self.shared.is_behind(&known);
        if known.is_empty() {
            // Others read all there is.
            self.is_up(true);
        }
        let mut found = Vec::new();
        for partition in &known {
            found.push(self.reader(&client, *partition).await?);
        }
        let (leave, leaving) = watch::channel(false);
        let mut readers = JoinSet::new();
        for reader in found {
            readers.spawn(reader.read(leaving.clone()));
        }
        let shared = self.shared.clone();
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        look.reset();
        let fault = loop {
            tokio::select! {
                Some(ended) = readers.join_next() => match ended {
                    Ok(Ok(())) => {}
                    Ok(Err(fault)) => break Some(fault),
                    // Its panic was told on the terminal.
                    Err(_) => break Some(Fault::Brokers(Error::Timeout)),
                },
                _ = look.tick() => match self.look(&client, &mut known).await {
                    Ok(found) => for reader in found {
                        readers.spawn(reader.read(leaving.clone()));
                    },
                    Err(fault) => break Some(fault),
                },
                // Whoever lets Hearth connect may yet give it nothing.
                () = shared.reads.notified() => {
                    self.trouble.over();
                    self.is_up(true);
                }
                () = desk.ending() => break None,
            }
        };
        // Whoever puts comes to an end of it.
        let _ = leave.send(true);
        while readers.join_next().await.is_some() {}
        fault.map_or(Ok(()), Err)
    }

    /// Connects; a topic that is met for the first time is begun where it was asked for. With the partitions that are this process's.
    async fn open(&self) -> Result<(Client, Vec<i32>), Fault> {
        let client = self.access.connect().await?;
        let all = partitions(&client, &self.shared.topic).await?;
        let known = all.iter().copied();
        let known: Vec<i32> = known.filter(|of| self.shared.is_own(*of)).collect();
        let inbox = &self.shared.desk.inbox;
        let met = self.shared.mark();
        if inbox.mark(&met).is_none() {
            if self.from == KafkaFrom::Latest {
                for partition in &known {
                    self.begin_at_the_end(&client, *partition).await?;
                }
            }
            let at = all.len().to_string();
            inbox
                .put::<&str>([], Some(Mark { source: met, at }))
                .await?;
        }
        match all.is_empty() {
            true => Err(Fault::Brokers(Error::InvalidResponse(format!(
                "there is no topic `{}`: create it, or correct --kafka-in",
                self.shared.topic
            )))),
            false => Ok((client, known)),
        }
    }

    async fn begin_at_the_end(&self, client: &Client, partition: i32) -> Result<(), Fault> {
        let source = self.shared.mark_of(partition);
        if self.shared.desk.inbox.mark(&source).is_some() {
            return Ok(());
        }
        let of = self.partition(client, partition).await?;
        let end = patiently(of.get_offset(OffsetAt::Latest)).await?;
        let at = serde_json::to_string(&Position::at(end)).unwrap_or_default();
        let mark = Mark { source, at };
        Ok(self.shared.desk.inbox.put::<&str>([], Some(mark)).await?)
    }

    /// Readers of partitions that were not known.
    async fn look(&self, client: &Client, known: &mut Vec<i32>) -> Result<Vec<Partition>, Fault> {
        let mut found = Vec::new();
        for partition in partitions(client, &self.shared.topic).await? {
            if self.shared.is_own(partition) && !known.contains(&partition) {
                tracing::info!(
                    "Kafka in: {} has a new partition, {partition}",
                    self.shared.topic
                );
                known.push(partition);
                found.push(self.reader(client, partition).await?);
            }
        }
        Ok(found)
    }

    async fn reader(&self, client: &Client, partition: i32) -> Result<Partition, Fault> {
        let of = self.partition(client, partition).await?;
        Ok(Partition::new(self.shared.clone(), of, partition))
    }

    async fn partition(
        &self,
        client: &Client,
        partition: i32,
    ) -> Result<rskafka::client::partition::PartitionClient, Error> {
        let handling = UnknownTopicHandling::Error;
        patiently(client.partition_client(&self.shared.topic, partition, handling)).await
    }
}
