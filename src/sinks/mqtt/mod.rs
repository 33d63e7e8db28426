//! MQTT: what is found out about each home, for Home Assistant and for programs.
//!
//! Home Assistant learns of a home's entities by its discovery; whether Hearth is there, by its last will. What a person is told is
//! told once, also by a run that was killed: it is remembered in the inbox, once the broker has it.

mod courier;
mod discovery;
mod homes;
mod topics;

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use hearth_operators::words::Time;
use jiff::Timestamp;
use rumqttc::Outgoing;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{Filter, LastWill, Publish};
use rumqttc::v5::{AsyncClient, Event, EventLoop, Incoming, MqttOptions as Connection};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::time::{Instant, interval, sleep_until, timeout};

use super::feed::Told;
use crate::config::{Broker, MqttOptions, UsageError};
use crate::desk::Desk;
use crate::inbox::{InboxError, Mark};
use crate::mqtt::{connection, trouble};
use crate::outputs::{Stream, read};
use crate::remote::Trouble;
use courier::{Courier, NUMBERS, Parcel};
use homes::Homes;
pub(crate) use homes::folded;
use topics::Topics;

/// The streams that it listens to.
pub const STREAMS: &[Stream] = &[
    Stream::Alarms,
    Stream::Drifts,
    Stream::Scores,
    Stream::Adaptations,
    Stream::Feedback,
    Stream::Erasures,
];

/// Streams whose files say what stands.
const STANDING: [Stream; 4] = [
    // First, for it says which lines of the others count.
    Stream::Erasures,
    Stream::Alarms,
    Stream::Feedback,
    Stream::Drifts,
];

/// The name of its marks.
pub(crate) const SINK: &str = "mqtt-out";

/// How often it is looked whether an alarm has shown long enough.
const LOOK: Duration = Duration::from_secs(30);

/// Lines that are taken before anything else is done, at most.
const TOGETHER: usize = 1_000;

/// How long the broker has to take the last messages.
const FAREWELL: Duration = Duration::from_secs(2);

/// Tells the broker that the options name, if they name one, until the run ends.
///
/// # Errors
/// The options cannot be carried out: that is said before anything is awaited. Then, that the inbox cannot be written.
pub fn run(
    options: MqttOptions,
    desk: Desk,
) -> Result<impl Future<Output = Result<()>>, UsageError> {
    let connection = match options.mqtt_out {
        true => connection(&options, "out", &desk.out)?,
        false => None,
    };
    Ok(async move {
        match connection {
            Some(server) => tell(server, &options, desk).await,
            None => Ok(()),
        }
    })
}

async fn tell(
    (broker, mut connection): (Broker, Connection),
    options: &MqttOptions,
    desk: Desk,
) -> Result<()> {
    let feed = desk.feed.listen();
    let topics = Topics::new(&options.mqtt_prefix, options.discovery());
    // What is not known to have arrived is sent again by the courier, not by the session.
    connection.set_clean_start(true);
    connection.set_session_expiry_interval(None);
    connection.set_outgoing_inflight_upper_limit(NUMBERS);
    let will = LastWill::new(topics.status(), "offline", QoS::AtLeastOnce, true, None);
    connection.set_last_will(will);
    let (inbox, out) = (desk.inbox.clone(), desk.out.clone());
    let mut homes = Homes::new(topics.clone());
    let recalled = tokio::task::spawn_blocking(move || -> Result<Homes> {
        let recalled = inbox.each_mark(SINK, |mark| homes.recall(mark));
        recalled.context("cannot read the inbox")?;
        stand(&mut homes, &out);
        Ok(homes)
    });
    let (client, events) = AsyncClient::new(connection, usize::from(NUMBERS));
    let mut sink = Sink {
        client,
        topics,
        homes: recalled.await??,
        courier: Courier::default(),
        trouble: Trouble::new(&broker, "MQTT out"),
        feed,
        online: false,
        knows_all: false,
        desk,
    };
    sink.serve(events).await
}

/// Reads what stands from the files of outputs.
fn stand(homes: &mut Homes, out: &Path) {
    homes.forget_standing();
    for stream in STANDING {
        if stream.found(out).is_file() {
            // The last line may be half written: then the feed has it.
            let _ = read::each(out, stream, |line| {
                homes.take(stream, line, now());
                Ok(())
            });
        }
    }
}

fn now() -> Time {
    Time(Timestamp::now().as_microsecond())
}

/// The sink at work.
struct Sink {
    client: AsyncClient,
    topics: Topics,
    homes: Homes,
    courier: Courier,
    trouble: Trouble,
    feed: broadcast::Receiver<Told>,
    /// Whether the connection stands.
    online: bool,
    /// Whether it was read which alarms stand since the run caught up with what was there when it began.
    knows_all: bool,
    desk: Desk,
}

impl Sink {
    async fn serve(&mut self, mut events: EventLoop) -> Result<()> {
        let mut look = interval(LOOK);
        loop {
            let event = {
                // It is not left half way: a connection that is being made, or a packet half sent, would be lost.
                let poll = events.poll();
                tokio::pin!(poll);
                loop {
                    tokio::select! {
                        event = &mut poll => break Some(event),
                        told = self.feed.recv() => self.hear(told),
                        _ = look.tick() => self.look(),
                        () = self.desk.ending() => break None,
                    }
                    self.work();
                }
            };
            match event {
                None => return self.end(&mut events).await,
                Some(Ok(event)) => self.take(event).await?,
                Some(Err(error)) => {
                    self.online = false;
                    self.courier.lost();
                    let wait = self.trouble.pause(&trouble(&error));
                    self.rest(wait).await;
                    continue;
                }
            }
            self.work();
        }
    }

    /// Gives the client what may go; nothing before the connection stands, for it would keep that beyond the next failure.
    fn work(&mut self) {
        if self.online {
            self.courier.work(&self.client);
        }
    }

    /// Hears lines of the feed, as many as there are, and tells what they change.
    fn hear(&mut self, told: Result<Told, RecvError>) {
        let now = now();
        let mut missed = false;
        match told {
            Ok(told) => self.homes.take(told.stream, &told.line, now),
            Err(RecvError::Lagged(_)) => missed = true,
            // The run ends.
            Err(RecvError::Closed) => return,
        }
        for _ in 0..TOGETHER {
            match self.feed.try_recv() {
                Ok(told) => self.homes.take(told.stream, &told.line, now),
                Err(TryRecvError::Lagged(_)) => missed = true,
                Err(_) => break,
            }
        }
        if missed {
            self.read_anew();
        }
        self.tell(missed && self.knows_all);
    }

    /// Looks what changes by the clock alone.
    fn look(&mut self) {
        if !self.knows_all && self.desk.gauges.is_caught_up() {
            self.knows_all = true;
            self.read_anew();
        }
        self.tell(self.knows_all);
    }

    /// Reads which alarms stand.
    fn read_anew(&mut self) {
        let out = self.desk.out.clone();
        let homes = &mut self.homes;
        tokio::task::block_in_place(|| stand(homes, &out));
    }

    fn tell(&mut self, all: bool) {
        for parcel in self.homes.settle(now(), all) {
            self.courier.take(parcel);
        }
    }

    async fn take(&mut self, event: Event) -> Result<(), InboxError> {
        match event {
            Event::Outgoing(Outgoing::Publish(number)) => self.courier.sent(number),
            Event::Incoming(Incoming::PubAck(ack)) => {
                for at in self.courier.arrived(ack.pkid) {
                    let source = SINK.to_owned();
                    let mark = Some(Mark { source, at });
                    self.desk.inbox.put::<&str>([], mark).await?;
                }
            }
            Event::Incoming(Incoming::ConnAck(_)) => {
                self.trouble.over();
                self.online = true;
                let filters = [Some(self.topics.answers()), self.topics.birth()];
                let filters = filters.into_iter().flatten();
                let filters = filters.map(|path| Filter::new(path, QoS::AtLeastOnce));
                // The channel was emptied when the last connection broke.
                let _ = self.client.try_subscribe_many(filters);
                self.say("online");
                self.tell_again();
            }
            Event::Incoming(Incoming::Publish(message)) => self.answered(&message).await?,
            _ => {}
        }
        Ok(())
    }

    /// Somebody answered an alarm, or Home Assistant began anew.
    async fn answered(&mut self, message: &Publish) -> Result<(), InboxError> {
        let topic = String::from_utf8_lossy(&message.topic);
        let payload = String::from_utf8_lossy(&message.payload);
        if message.retain {
            return Ok(());
        }
        if self.topics.birth().as_deref() == Some(&*topic) {
            if payload == "online" {
                self.say("online");
                self.tell_again();
            }
        } else if let Some(line) = self.homes.answer(&topic, &payload) {
            self.desk.inbox.put([line], None).await?;
        }
        Ok(())
    }

    fn tell_again(&mut self) {
        for parcel in self.homes.again() {
            self.courier.take(parcel);
        }
        self.tell(false);
    }

    /// Says whether Hearth is there.
    fn say(&mut self, status: &str) {
        self.courier.take(Parcel {
            topic: self.topics.status(),
            payload: status.to_owned(),
            retained: true,
            receipts: Vec::new(),
        });
    }

    /// Waits before the next connection, and hears meanwhile.
    async fn rest(&mut self, wait: Duration) {
        let until = Instant::now() + wait;
        loop {
            tokio::select! {
                () = sleep_until(until) => return,
                told = self.feed.recv() => self.hear(told),
                () = self.desk.ending() => return,
            }
        }
    }

    /// Tells what is left, says that Hearth is gone, and leaves.
    async fn end(&mut self, events: &mut EventLoop) -> Result<()> {
        self.say("offline");
        let leave = async {
            while self.online && !self.courier.is_idle() {
                self.work();
                match events.poll().await {
                    Ok(event) => self.take(event).await?,
                    Err(_) => return Ok(()),
                }
            }
            let _ = self.client.try_disconnect();
            // It ends with an error: that the connection is closed.
            while events.poll().await.is_ok() {}
            Ok::<(), InboxError>(())
        };
        match timeout(FAREWELL, leave).await {
            Ok(Err(error)) => Err(error.into()),
            _ => Ok(()),
        }
    }
}
