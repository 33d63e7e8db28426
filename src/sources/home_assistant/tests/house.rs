//! A house whose Home Assistant is played: it speaks as the real one does, is cut off and begins anew when a test says so.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use futures_util::{SinkExt, StreamExt};
use hearth_operators::words::Time;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::broadcast;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, accept_async};

use super::super::intake::now;
use crate::time;

/// What whoever comes must know.
pub(in super::super) const TOKEN: &str = "a long-lived token";

/// An entity's state, since when.
type Since = (String, Time);

/// What happens to a connection.
#[derive(Clone)]
enum Happens {
    Told(Value),
    Cut,
}

/// What has happened in the house.
#[derive(Default)]
struct Past {
    states: BTreeMap<String, Since>,
    written: Vec<(String, String, Time)>,
}

/// The house.
#[derive(Clone)]
pub(super) struct House {
    past: Arc<Mutex<Past>>,
    happens: broadcast::Sender<Happens>,
    pub address: SocketAddr,
}

impl House {
    /// Nobody has done anything there.
    pub async fn new() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let house = House {
            past: Arc::default(),
            happens: broadcast::channel(10_000).0,
            address: listener.local_addr().unwrap(),
        };
        let door = house.clone();
        // As in any house, something never changes after Home Assistant began.
        house.change("sun.sun", "above_horizon", Time(now().0 - 4 * Time::HOUR));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let house = door.clone();
                tokio::spawn(async move { house.receive(stream).await });
            }
        });
        house
    }

    /// An entity comes into a state.
    pub fn change(&self, entity: &str, state: &str, at: Time) {
        let mut past = self.past.lock().unwrap();
        past.states
            .insert(entity.to_owned(), (state.to_owned(), at));
        past.written.push((entity.to_owned(), state.to_owned(), at));
        let new = full(entity, &(state.to_owned(), at));
        let data = json!({"entity_id": entity, "old_state": null, "new_state": new});
        let event = json!({"event_type": "state_changed", "data": data});
        // Whoever is not connected does not hear it.
        let _ = self.happens.send(Happens::Told(event));
    }

    /// Every connection breaks.
    pub fn cut(&self) {
        let _ = self.happens.send(Happens::Cut);
    }

    async fn receive(&self, stream: TcpStream) -> Option<()> {
        let mut happens = self.happens.subscribe();
        let mut socket = accept_async(stream).await.ok()?;
        say(&mut socket, &json!({"type": "auth_required"})).await?;
        let known = hear(&mut socket).await?["access_token"] == TOKEN;
        let answer = if known { "auth_ok" } else { "auth_invalid" };
        say(
            &mut socket,
            &json!({"type": answer, "message": "Invalid access token"}),
        )
        .await?;
        if !known {
            return None;
        }
        let mut live = None;
        loop {
            tokio::select! {
                command = hear(&mut socket) => {
                    let command = command?;
                    if command["type"] == "subscribe_events" {
                        live = command["id"].as_u64();
                    }
                    for answer in self.answers(&command) {
                        say(&mut socket, &answer).await?;
                    }
                }
                what = happens.recv() => match (what.ok()?, live) {
                    (Happens::Cut, _) => return None,
                    (Happens::Told(event), Some(id)) => {
                        let event = json!({"type": "event", "event": event, "id": id});
                        say(&mut socket, &event).await?;
                    }
                    (Happens::Told(_), None) => {}
                }
            }
        }
    }

    fn answers(&self, command: &Value) -> Vec<Value> {
        let past = self.past.lock().unwrap();
        let id = &command["id"];
        let result = match command["type"].as_str().unwrap() {
            "get_config" => json!({"state": "RUNNING", "time_zone": "Europe/Berlin"}),
            "config/entity_registry/list" | "config/device_registry/list" => json!([]),
            "get_states" => past.states.iter().map(|(e, s)| full(e, s)).collect(),
            "history/history_during_period" => past.during(command),
            _ => Value::Null,
        };
        let mut answers =
            vec![json!({"id": id, "type": "result", "success": true, "result": result})];
        if command["type"] == "history/stream" {
            let nothing = json!({"id": id, "type": "event", "event": {"states": {}}});
            answers.extend([nothing.clone(), nothing]);
        }
        answers
    }
}

impl Past {
    fn during(&self, command: &Value) -> Value {
        let time = |key: &str| {
            let text = command[key].as_str()?;
            Some(time::parse(text, &jiff::tz::TimeZone::UTC).unwrap().0)
        };
        let (from, until) = (time("start_time").unwrap(), time("end_time"));
        let entities = command["entity_ids"].as_array().unwrap();
        let mut answer = json!({});
        for (entity, state, at) in &self.written {
            let asked = entities.iter().any(|asked| asked == entity);
            if asked && *at > from && until.is_none_or(|until| *at < until) {
                let states = answer[entity].take();
                let mut states = states.as_array().cloned().unwrap_or_default();
                states.push(json!({"s": state, "a": {}, "lu": at.0 as f64 / 1e6}));
                answer[entity] = states.into();
            }
        }
        answer
    }
}

fn full(entity: &str, (state, since): &Since) -> Value {
    let since = time::format(*since, 0);
    json!({"entity_id": entity, "state": state, "attributes": {}, "last_changed": since, "last_updated": since})
}

async fn say(socket: &mut WebSocketStream<TcpStream>, message: &Value) -> Option<()> {
    socket.send(Message::text(message.to_string())).await.ok()
}

async fn hear(socket: &mut WebSocketStream<TcpStream>) -> Option<Value> {
    loop {
        match socket.next().await?.ok()? {
            Message::Text(text) => return serde_json::from_str(&text).ok(),
            Message::Close(_) => return None,
            _ => {}
        }
    }
}
