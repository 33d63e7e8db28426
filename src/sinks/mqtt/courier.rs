//! Messages on their way to the broker: in their order, each until the broker says that it has it.

use std::collections::{HashMap, VecDeque};

use rumqttc::v5::AsyncClient;
use rumqttc::v5::mqttbytes::QoS;

/// Messages under way at once.
const UNDER_WAY: usize = 64;

/// The largest number that a client gives a message.
pub(super) const NUMBERS: u16 = 256;

/// A message.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Parcel {
    pub topic: String,
    pub payload: String,
    /// Whether the broker keeps it: then only the last of its topic counts.
    pub retained: bool,
    /// What is to be remembered once the broker has it.
    pub receipts: Vec<String>,
}

impl Parcel {
    /// Whether a later one of its topic may go in its place.
    fn is_replaceable(&self) -> bool {
        self.retained && self.receipts.is_empty()
    }
}

/// Takes messages to the broker.
#[derive(Default)]
pub(super) struct Courier {
    waiting: VecDeque<Parcel>,
    /// Payloads of retained messages that wait, by topic.
    last: HashMap<String, String>,
    /// Given to the client, which has not sent them.
    given: VecDeque<Parcel>,
    /// Sent, by the number that the client gave them, in their order.
    sent: Vec<(u16, Parcel)>,
}

impl Courier {
    /// Takes a message.
    pub fn take(&mut self, parcel: Parcel) {
        if parcel.is_replaceable() {
            let payload = parcel.payload.clone();
            if self.last.insert(parcel.topic.clone(), payload).is_some() {
                return;
            }
        } else if parcel.retained && self.last.remove(&parcel.topic).is_some() {
            let earlier = |p: &Parcel| p.topic == parcel.topic && p.is_replaceable();
            self.waiting.retain(|p| !earlier(p));
        }
        self.waiting.push_back(parcel);
    }

    /// Gives the client what may go.
    pub fn work(&mut self, client: &AsyncClient) {
        while self.given.len() + self.sent.len() < UNDER_WAY {
            let Some(mut parcel) = self.waiting.pop_front() else {
                return;
            };
            if parcel.is_replaceable()
                && let Some(payload) = self.last.remove(&parcel.topic)
            {
                parcel.payload = payload;
            }
            let payload = parcel.payload.clone();
            let given = client.try_publish(
                parcel.topic.clone(),
                QoS::AtLeastOnce,
                parcel.retained,
                payload,
            );
            match given {
                Ok(()) => self.given.push_back(parcel),
                Err(_) => {
                    self.back(parcel);
                    return;
                }
            }
        }
    }

    /// The client has sent the next message, with this number.
    pub fn sent(&mut self, number: u16) {
        if let Some(parcel) = self.given.pop_front() {
            self.sent.push((number, parcel));
        }
    }

    /// The broker has the message of a number. Says what is to be remembered.
    pub fn arrived(&mut self, number: u16) -> Vec<String> {
        match self.sent.iter().position(|(sent, _)| *sent == number) {
            Some(at) => self.sent.remove(at).1.receipts,
            None => Vec::new(),
        }
    }

    /// The connection is gone: what the broker is not known to have is to be sent again.
    pub fn lost(&mut self) {
        let sent = std::mem::take(&mut self.sent).into_iter().map(|(_, p)| p);
        let parcels: Vec<Parcel> = sent.chain(std::mem::take(&mut self.given)).collect();
        for parcel in parcels.into_iter().rev() {
            self.back(parcel);
        }
    }

    /// Whether the broker has everything.
    pub fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.given.is_empty() && self.sent.is_empty()
    }

    /// Puts a message back before all that wait, unless a later one of its topic does.
    fn back(&mut self, parcel: Parcel) {
        if parcel.is_replaceable() {
            if self.last.contains_key(&parcel.topic) {
                return;
            }
            self.last
                .insert(parcel.topic.clone(), parcel.payload.clone());
        }
        self.waiting.push_front(parcel);
    }
}

#[cfg(test)]
mod tests {
    use rumqttc::v5::MqttOptions;

    use super::*;

    fn parcel(topic: &str, payload: &str, retained: bool) -> Parcel {
        Parcel {
            topic: topic.into(),
            payload: payload.into(),
            retained,
            receipts: (!retained)
                .then(|| payload.to_owned())
                .into_iter()
                .collect(),
        }
    }

    #[test]
    fn what_may_be_lost_is_sent_again_in_its_order_and_of_what_is_retained_the_last() {
        let (client, _events) = AsyncClient::new(MqttOptions::new("c", "nowhere", 1), 100);
        let mut courier = Courier::default();
        for (topic, payload, retained) in [
            ("a", "1", false),
            ("state", "ON", true),
            ("a", "2", false),
            ("state", "OFF", true),
        ] {
            courier.take(parcel(topic, payload, retained));
        }
        courier.work(&client);
        for number in 1..=3 {
            courier.sent(number);
        }
        assert_eq!(courier.arrived(1), ["1"]);
        courier.take(parcel("state", "ON", true));
        courier.take(parcel("a", "3", false));
        courier.lost();
        let waiting: Vec<&str> = courier.waiting.iter().map(|p| p.payload.as_str()).collect();
        assert_eq!(waiting, ["2", "ON", "3"]);
        courier.work(&client);
        for number in 1..=3 {
            courier.sent(number);
        }
        assert_eq!(courier.arrived(3), ["3"]);
        assert!(courier.arrived(3).is_empty());
        assert!(courier.arrived(2).is_empty(), "a state leaves no receipt");
        assert!(!courier.is_idle());
        assert_eq!(courier.arrived(1), ["2"]);
        assert!(courier.is_idle());
    }

    #[test]
    fn what_leaves_a_receipt_comes_after_what_it_replaces() {
        let mut courier = Courier::default();
        courier.take(parcel("config", "entity", true));
        courier.take(Parcel {
            receipts: vec!["gone".into()],
            ..parcel("config", "", true)
        });
        courier.take(parcel("config", "entity", true));
        let waiting: Vec<&str> = courier.waiting.iter().map(|p| p.payload.as_str()).collect();
        assert_eq!(waiting, ["", "entity"]);
    }
}
