//! Kafka: events that a platform has in topics.
//!
//! Hearth is in no group of consumers: how far each partition is read stands in the inbox, with the lines that were read until
//! then (both are there, or neither). So each message is taken exactly once, whoever dies, by its partition and offset. Processes that
//! share a run share the partitions.

mod measures;
mod partition;
mod position;
mod shared;
mod topic;

use anyhow::Result;
use futures_util::future::try_join_all;

use crate::config::{KafkaOptions, TopicUrl, UsageError, refuse_alone};
use crate::desk::Desk;
use crate::kafka::Access;
use measures::Measures;
use topic::Topic;

/// Reads the topics that the options name, where they name some, until the run ends. From the call on the run is not ready, until
/// they are read.
///
/// # Errors
/// The options cannot be carried out: that is said before anything is awaited. Then, that the inbox cannot be written.
pub fn run(
    options: &KafkaOptions,
    desk: &Desk,
) -> Result<impl Future<Output = Result<()>> + use<>, UsageError> {
    let topics = topics(options, desk)?;
    Ok(async {
        let topics = topics.into_iter().map(Topic::serve);
        try_join_all(topics).await.map(drop)
    })
}

fn topics(options: &KafkaOptions, desk: &Desk) -> Result<Vec<Topic>, UsageError> {
    let Some(topics) = &options.kafka_in else {
        if options.kafka_out.is_none() {
            let alone = [
                ("--kafka-user", options.kafka_user.is_some()),
                (
                    "--kafka-password-file",
                    options.kafka_password_file.is_some(),
                ),
                ("--kafka-ca", options.kafka_ca.is_some()),
            ];
            refuse_alone(&alone, "--kafka-in or --kafka-out")?;
        }
        return Ok(Vec::new());
    };
    let measures = Measures::of(&desk.gauges);
    let topic = |url: &TopicUrl| {
        let access = Access::new(&url.cluster, options)?;
        Ok(Topic::new(
            (url, access),
            options.kafka_from,
            desk,
            &measures,
        ))
    };
    topics.0.iter().map(topic).collect()
}
