//! Events on their way into the run by a broker.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{Packet, PubAckReason};
use rumqttc::v5::{AsyncClient, Event, EventLoop, MqttOptions};

use super::log::Line;
use super::scores::Scores;
use crate::config::Broker;

/// Messages that may wait for the connection.
const WAITING: usize = 10_000;

/// How often it is looked whether the run listens.
const LOOK: Duration = Duration::from_millis(50);

/// The topic of a run that writes there: nobody else's.
pub(super) fn topic(out: &Path) -> String {
    let name = out.file_name().unwrap_or_default().to_string_lossy();
    format!("hearth-bench/{}/{name}", std::process::id())
}

/// Publishes events when they are due, one `every` so long, and waits until the broker has all.
pub(super) async fn send(
    broker: &Broker,
    topic: &str,
    lines: &[Line],
    scores: &Scores,
    every: Duration,
) -> anyhow::Result<()> {
    let name = format!("hearth-bench-{}", std::process::id());
    let options = MqttOptions::new(name, &broker.host, broker.port);
    let (client, mut events) = AsyncClient::new(options, WAITING);
    heard(&client, &mut events, topic)
        .await
        .context("the broker is away")?;
    let received = tokio::spawn(receive(events, lines.len()));
    let began = Instant::now();
    for (number, line) in lines.iter().enumerate() {
        let due = began + every.mul_f64(number as f64);
        tokio::time::sleep_until(due.into()).await;
        scores.wait(line.key.clone(), due);
        let message = line.text.clone();
        client
            .publish(topic, QoS::AtLeastOnce, false, message)
            .await?;
    }
    received.await?.context("the broker is away")
}

/// Sends what is no event until somebody listens.
async fn heard(client: &AsyncClient, events: &mut EventLoop, topic: &str) -> anyhow::Result<()> {
    client.publish(topic, QoS::AtLeastOnce, false, "{}").await?;
    loop {
        if let Event::Incoming(Packet::PubAck(answer)) = events.poll().await? {
            if answer.reason != PubAckReason::NoMatchingSubscribers {
                return Ok(());
            }
            tokio::time::sleep(LOOK).await;
            client.publish(topic, QoS::AtLeastOnce, false, "{}").await?;
        }
    }
}

/// Keeps the connection going until the broker has so many messages.
async fn receive(mut events: EventLoop, mut messages: usize) -> anyhow::Result<()> {
    while messages > 0 {
        if let Event::Incoming(Packet::PubAck(_)) = events.poll().await? {
            messages -= 1;
        }
    }
    Ok(())
}
