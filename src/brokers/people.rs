//! Others at the broker: devices that say something, and whoever listens.

use std::sync::{Arc, Mutex};

use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::{AsyncClient, Event, Incoming, MqttOptions};

/// Says something as somebody does, and waits until the broker has it.
pub(super) async fn say(port: u16, messages: &[(String, String)], retained: bool) {
    let options = MqttOptions::new(
        format!("devices-{}", rand::random::<u32>()),
        "127.0.0.1",
        port,
    );
    let (client, mut events) = AsyncClient::new(options, messages.len() + 1);
    for (topic, payload) in messages {
        let (topic, payload) = (topic.clone(), payload.clone());
        client
            .try_publish(topic, QoS::AtLeastOnce, retained, payload)
            .unwrap();
    }
    let mut missing = messages.len();
    while missing > 0 {
        if let Event::Incoming(Incoming::PubAck(_)) = events.poll().await.unwrap() {
            missing -= 1;
        }
    }
}

/// Somebody who listens to everything.
#[derive(Clone, Default)]
pub(super) struct Listener(Arc<Mutex<Vec<(String, String)>>>);

impl Listener {
    /// Listens from when it comes back.
    pub async fn start(port: u16) -> Self {
        let options =
            MqttOptions::new(format!("ears-{}", rand::random::<u32>()), "127.0.0.1", port);
        let (client, mut events) = AsyncClient::new(options, 10);
        client.try_subscribe("#", QoS::AtLeastOnce).unwrap();
        let listener = Listener::default();
        let heard = listener.0.clone();
        let (ready, is_ready) = tokio::sync::oneshot::channel();
        tokio::spawn(async move {
            let (mut ready, _client) = (Some(ready), client);
            loop {
                match events.poll().await {
                    Ok(Event::Incoming(Incoming::Publish(message))) => {
                        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                        let message = (text(&message.topic), text(&message.payload));
                        heard.lock().unwrap().push(message);
                    }
                    Ok(Event::Incoming(Incoming::SubAck(_))) => {
                        let _ = ready.take().map(|ready| ready.send(()));
                    }
                    Ok(_) => {}
                    Err(_) => return,
                }
            }
        });
        is_ready.await.unwrap();
        listener
    }

    /// Payloads that were said of a topic, in order.
    pub fn heard(&self, topic: &str) -> Vec<String> {
        let heard = self.0.lock().unwrap();
        let of = heard.iter().filter(|(said, _)| said == topic);
        of.map(|(_, payload)| payload.clone()).collect()
    }

    /// The last payload of each topic that begins so.
    pub fn last(&self, prefix: &str) -> std::collections::BTreeMap<String, String> {
        let heard = self.0.lock().unwrap();
        let of = heard.iter().filter(|(said, _)| said.starts_with(prefix));
        of.cloned().collect()
    }
}
