//! From the broker into the inbox: messages are read, their lines put, and then acknowledged, in their order.

use std::collections::VecDeque;
use std::future::pending;
use std::sync::Arc;

use hearth_operators::words::Time;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use rumqttc::v5::mqttbytes::v5::Publish;
use tokio::task::JoinHandle;

use super::SOURCE;
use super::reader::{Fate, Given, Reader};
use super::redelivery::Redelivery;
use crate::desk::Desk;
use crate::inbox::{Inbox, InboxError, Mark};
use crate::remote::Complaints;
use crate::sources::At;
use crate::time::offset_at;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByFate {
    fate: &'static str,
}

/// Messages on their way into the inbox.
pub(super) struct Intake {
    reader: Reader,
    inbox: Inbox,
    /// Read, not put.
    read: Vec<Publish>,
    /// Being put.
    put: Option<JoinHandle<Result<(), InboxError>>>,
    /// To be acknowledged when that is done.
    putting: Vec<Publish>,
    /// To be acknowledged.
    done: VecDeque<Publish>,
    zone: TimeZone,
    complaints: Complaints,
    messages: Arc<Family<ByFate, Counter>>,
}

impl Intake {
    /// Nothing has come.
    pub fn new(reader: Reader, desk: &Desk) -> Self {
        let messages = Family::<ByFate, Counter>::default();
        let help = "Messages of the MQTT broker, by what became of them";
        desk.gauges
            .register("mqtt_messages", help, messages.clone());
        Intake {
            reader,
            inbox: desk.inbox.clone(),
            read: Vec::new(),
            put: None,
            putting: Vec::new(),
            done: VecDeque::new(),
            zone: TimeZone::system(),
            complaints: Complaints::new("MQTT in"),
            messages: Arc::new(messages),
        }
    }

    /// Takes a message.
    pub fn take(&mut self, message: Publish) {
        let topic = String::from_utf8_lossy(&message.topic);
        let given = Given {
            topic: &topic,
            payload: &message.payload,
            retained: message.retain,
            again: message.dup,
            number: message.pkid,
        };
        let now = self.now();
        let fate = match self.reader.take(given, now) {
            Fate::Taken => "taken",
            Fate::Unchanged => "unchanged",
            Fate::Again => "again",
            Fate::Refused(reason) => {
                self.complaints.say(&topic, &reason);
                "refused"
            }
        };
        self.messages.get_or_create(&ByFate { fate }).inc();
        self.read.push(message);
    }

    /// Believes what has stayed long enough.
    pub fn settle(&mut self) {
        let (now, _) = self.now();
        self.reader.settle(now);
    }

    /// Begins to put what was read, unless something is being put.
    pub fn begin(&mut self) {
        if self.put.is_none() {
            match self.reader.flush() {
                Some((lines, at)) => {
                    let inbox = self.inbox.clone();
                    let source = SOURCE.to_owned();
                    let mark = Some(Mark { source, at });
                    self.put = Some(tokio::spawn(async move { inbox.put(lines, mark).await }));
                    self.putting = std::mem::take(&mut self.read);
                }
                None => self.done.extend(self.read.drain(..)),
            }
        }
    }

    /// Acknowledges what is in the inbox, as far as `acknowledge` takes it now; the rest waits.
    pub fn acknowledge(&mut self, mut acknowledge: impl FnMut(&Publish) -> bool) {
        while self.done.front().is_some_and(&mut acknowledge) {
            self.done.pop_front();
        }
    }

    /// Which messages may come again.
    pub fn redelivery(&mut self) -> &mut Redelivery {
        &mut self.reader.redelivery
    }

    /// Comes back when what is being put is in the inbox; never, where nothing is.
    ///
    /// # Errors
    /// It cannot be put.
    pub async fn written(&mut self) -> Result<(), InboxError> {
        let Some(put) = &mut self.put else {
            return pending().await;
        };
        let written = put.await.unwrap_or(Err(InboxError::Closed));
        self.put = None;
        self.done.extend(self.putting.drain(..));
        written
    }

    /// Whether what has come should be put before more does.
    pub fn is_full(&self) -> bool {
        self.put.is_some() && self.reader.is_full()
    }

    /// Whether something is being put.
    pub fn is_busy(&self) -> bool {
        self.put.is_some()
    }

    /// Acknowledges nothing of what has come: the connection by which it came is gone.
    pub fn forget(&mut self) {
        self.read.clear();
        self.putting.clear();
        self.done.clear();
    }

    fn now(&self) -> At {
        // Thousandths are enough, and read better.
        let now = Time(Timestamp::now().as_millisecond() * 1_000);
        (now, offset_at(now, &self.zone))
    }
}
