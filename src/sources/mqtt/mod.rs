//! MQTT: what home automations say of their devices.
//!
//! The session at the broker outlives Hearth, and a message is acknowledged once its lines are in the inbox: so none is lost,
//! whoever dies. What is given again is known by its number and checksum, which are kept with the lines for as long as the broker may
//! not have the acknowledgement. A message that has a time of its own counts once even where a broker came back with an old session.

mod intake;
mod mapped;
mod reader;
mod redelivery;
mod said;
mod statestream;
mod zigbee2mqtt;

use std::time::Duration;

use anyhow::{Context, Result};
use rumqttc::Outgoing;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{Filter, RetainForwardRule, SubscribeReasonCode};
use rumqttc::v5::{AsyncClient, Event, EventLoop, Incoming, MqttOptions as Connection};
use tokio::time::{Instant, interval, sleep_until, timeout};

use crate::config::{Broker, MqttOptions, Route, Routes, Shape, UsageError};
use crate::desk::Desk;
use crate::inbox::InboxError;
use crate::mqtt::{connection, trouble};
use crate::remote::Trouble;
use intake::Intake;
pub(crate) use reader::folded;
use reader::{Reader, UNDER_WAY};

/// The name of its marks.
pub(crate) const SOURCE: &str = "mqtt";

/// How often it is looked whether a state has stayed long enough.
const LOOK: Duration = Duration::from_secs(1);

/// How long the broker has to take the last acknowledgements.
const FAREWELL: Duration = Duration::from_secs(1);

/// Reads what the options name, where they name something, until the run ends.
///
/// # Errors
/// The options cannot be carried out: that is said before anything is awaited. Then, that the inbox cannot be written.
pub fn run(
    options: MqttOptions,
    desk: Desk,
) -> Result<impl Future<Output = Result<()>>, UsageError> {
    let connection = match (&options.mqtt, &options.mqtt_in) {
        // It is told alone, and there is a password to be read once.
        (Some(_), None) => None,
        _ => connection(&options, "in", &desk.out)?,
    };
    Ok(async move {
        match connection.zip(options.mqtt_in.clone()) {
            Some((server, routes)) => hear(server, routes, &options, desk).await,
            None => Ok(()),
        }
    })
}

async fn hear(
    (broker, mut connection): (Broker, Connection),
    routes: Routes,
    options: &MqttOptions,
    desk: Desk,
) -> Result<()> {
    connection.set_clean_start(false).set_manual_acks(true);
    connection.set_receive_maximum(Some(UNDER_WAY));
    let streams = routes.0.iter().any(|r| r.shape == Shape::StateStream);
    let birth = options.discovery().filter(|_| streams);
    let birth = birth.map(|prefix| format!("{prefix}/status"));
    let mut filters: Vec<String> = routes.0.iter().map(Route::filter).collect();
    filters.extend(birth.clone());
    let mut reader = Reader::new(routes.0, options.mqtt_home.clone(), birth);
    let inbox = desk.inbox.clone();
    let recalled = tokio::task::spawn_blocking(move || {
        let recalled = inbox.each_mark(SOURCE, |mark| reader.recall(mark));
        recalled.map(|()| reader)
    });
    let reader = recalled.await?.context("cannot read the inbox")?;
    // Acknowledgements wait in the channel while the connection is busy.
    let (client, events) = AsyncClient::new(connection, 4 * usize::from(UNDER_WAY));
    let mut source = Source {
        client,
        filters,
        intake: Intake::new(reader, &desk),
        trouble: Trouble::new(&broker, "MQTT in"),
        connected: false,
    };
    source.serve(events, &desk).await
}

/// The source at work.
struct Source {
    client: AsyncClient,
    filters: Vec<String>,
    intake: Intake,
    trouble: Trouble,
    /// Whether what is told is of the connection that stands: the client tells what it had of the last one before it.
    connected: bool,
}

impl Source {
    async fn serve(&mut self, mut events: EventLoop, desk: &Desk) -> Result<()> {
        let mut look = interval(LOOK);
        loop {
            let event = {
                // It is not left half way: a connection that is being made, or a packet half sent, would be lost.
                let poll = events.poll();
                tokio::pin!(poll);
                loop {
                    tokio::select! {
                        event = &mut poll, if !self.intake.is_full() => break Some(event),
                        written = self.intake.written() => written?,
                        _ = look.tick() => self.intake.settle(),
                        () = desk.ending() => break None,
                    }
                    self.work();
                }
            };
            match event {
                None => return self.end(&mut events).await,
                Some(Ok(Event::Incoming(incoming))) => self.take(incoming),
                Some(Ok(Event::Outgoing(outgoing))) => self.sent(&outgoing),
                Some(Err(error)) => {
                    // What was not acknowledged comes again by the next connection, and may have another number there.
                    self.intake.forget();
                    self.connected = false;
                    let wait = self.trouble.pause(&trouble(&error));
                    self.rest(wait, desk).await?;
                }
            }
            self.work();
        }
    }

    /// Puts what waits, and acknowledges what needs no putting.
    fn work(&mut self) {
        self.intake.begin();
        // The channel is full where more waits than the connection has taken.
        let client = &self.client;
        self.intake
            .acknowledge(|message| client.try_ack(message).is_ok());
    }

    fn sent(&mut self, outgoing: &Outgoing) {
        match outgoing {
            Outgoing::PubAck(number) if self.connected => {
                self.intake.redelivery().acknowledge(*number);
            }
            Outgoing::PingReq if self.connected => self.intake.redelivery().ask(),
            _ => {}
        }
    }

    fn take(&mut self, incoming: Incoming) {
        match incoming {
            Incoming::ConnAck(answer) => {
                self.trouble.over();
                self.connected = true;
                let redelivery = self.intake.redelivery();
                redelivery.connected(answer.session_present);
                let filter = |path: &String| Filter {
                    // What is retained is told once a session, not at each connection.
                    retain_forward_rule: RetainForwardRule::OnNewSubscribe,
                    ..Filter::new(path.clone(), QoS::AtLeastOnce)
                };
                let filters: Vec<Filter> = self.filters.iter().map(filter).collect();
                // The channel was emptied when the last connection broke.
                let _ = self.client.try_subscribe_many(filters);
            }
            Incoming::SubAck(answer) => {
                for (code, filter) in answer.return_codes.iter().zip(&self.filters) {
                    if !matches!(code, SubscribeReasonCode::Success(_)) {
                        tracing::warn!("MQTT in: the broker does not give {filter}: {code:?}");
                    }
                }
            }
            Incoming::PingResp(_) if self.connected => self.intake.redelivery().answered(),
            // One of a connection that broke comes again.
            Incoming::Publish(message) if self.connected => self.intake.take(message),
            _ => {}
        }
    }

    /// Waits before the next connection; what has come is put meanwhile.
    async fn rest(&mut self, wait: Duration, desk: &Desk) -> Result<(), InboxError> {
        let until = Instant::now() + wait;
        loop {
            self.work();
            tokio::select! {
                () = sleep_until(until) => return Ok(()),
                written = self.intake.written() => written?,
                () = desk.ending() => return Ok(()),
            }
        }
    }

    /// Puts and acknowledges what has come, and leaves.
    async fn end(&mut self, events: &mut EventLoop) -> Result<()> {
        while self.intake.is_busy() {
            self.intake.written().await?;
            self.work();
        }
        let _ = self.client.try_disconnect();
        // It ends with an error: that the connection is closed.
        let leave = async { while events.poll().await.is_ok() {} };
        let _ = timeout(FAREWELL, leave).await;
        Ok(())
    }
}
