//! Sources and sinks with real brokers: these are killed, Hearth is killed, the network is cut, and the sums agree. Here: MQTT.
//!
//! `HEARTH_MQTT_ROUNDS=100 HEARTH_KAFKA_ROUNDS=100 cargo test --release --lib brokers` goes on for that long.

mod hearth;
mod kafka;
mod live;
mod mosquitto;
#[allow(dead_code, reason = "others need more of it")]
#[path = "../../tests/network/mod.rs"]
mod network;
mod people;
mod tansu;
mod webhook;

use std::collections::BTreeMap;
use std::time::Duration;

use hearth_operators::words::Time;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::outputs::{Stream, inbox_path};
use crate::sinks::feed::Told;
use crate::time;
use hearth::{Hearth, events, until};
use mosquitto::Mosquitto;
use network::Network;
use people::{Listener, say};

/// Lamps that are switched.
const LAMPS: usize = 5;

fn rounds() -> usize {
    let more = std::env::var("HEARTH_MQTT_ROUNDS").ok();
    more.and_then(|n| n.parse().ok()).unwrap_or(4)
}

/// The n-th message of the lamps: each is switched on and off in turn.
fn switched(n: usize, timed: bool) -> (String, String) {
    let state = if (n / LAMPS).is_multiple_of(2) {
        "OFF"
    } else {
        "ON"
    };
    let seen = time::format(Time((1_780_000_000 + n as i64) * Time::SECOND), 0);
    let mut payload = json!({"state": state, "linkquality": n % 200});
    if timed {
        payload["last_seen"] = seen.into();
    }
    (
        format!("zigbee2mqtt/lamp{}", n % LAMPS),
        payload.to_string(),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn states_come_in_once_though_hearth_is_killed_and_the_network_cut() {
    come_in_once(true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn so_do_states_without_a_time_of_their_own() {
    come_in_once(false).await;
}

async fn come_in_once(timed: bool) {
    let Some(broker) = Mosquitto::start() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let options = ["--mqtt-in=zigbee2mqtt:zigbee2mqtt", "--mqtt-out=false"];
    let network = Network::to(broker.port);
    let mut hearth = Hearth::with_mqtt(folder.path(), network.port, &options);
    // What is retained from before is known, and no event.
    let first: Vec<_> = (0..LAMPS).map(|n| switched(n, timed)).collect();
    say(broker.port, &first, true).await;
    until("the session is there", || broker_has_session(folder.path())).await;
    let mut n = LAMPS;
    for round in 0..rounds() {
        let more: Vec<_> = (n..n + 100).map(|n| switched(n, timed)).collect();
        n += more.len();
        let say = say(broker.port, &more, false);
        let cut = async {
            for pause in [3, 20] {
                tokio::time::sleep(Duration::from_millis(pause)).await;
                network.cut();
            }
        };
        tokio::join!(say, cut);
        hearth = match round % 3 {
            0 => hearth,
            1 => {
                hearth.kill().await;
                Hearth::with_mqtt(folder.path(), network.port, &options)
            }
            _ => {
                hearth.end().await;
                Hearth::with_mqtt(folder.path(), network.port, &options)
            }
        };
    }
    let expected = n - LAMPS;
    until("all have come", || events(folder.path()).len() >= expected).await;
    hearth.end().await;
    let mut by_lamp: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for event in events(folder.path()) {
        let text = |key: &str| event[key].as_str().unwrap().to_owned();
        by_lamp
            .entry(text("device"))
            .or_default()
            .push(text("action"));
    }
    assert_eq!(by_lamp.len(), LAMPS);
    for (lamp, actions) in by_lamp {
        assert_eq!(actions.len(), expected / LAMPS, "{lamp}");
        let turns = actions.iter().zip(["ON", "OFF"].iter().cycle());
        assert!(
            turns.clone().all(|(is, turn)| is == turn),
            "{lamp}: {actions:?}"
        );
    }
}

/// Whether something was kept of what is known: then Hearth has subscribed.
fn broker_has_session(folder: &std::path::Path) -> bool {
    let inbox = std::fs::read_to_string(inbox_path(folder)).unwrap_or_default();
    inbox.matches("lamp").count() >= LAMPS
}

#[tokio::test(flavor = "multi_thread")]
async fn what_came_while_hearth_was_away_outlives_the_broker_s_death() {
    let Some(mut broker) = Mosquitto::start() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let options = [
        "--mqtt-in=events:events/{home} zigbee2mqtt:z",
        "--mqtt-out=false",
    ];
    let message = |n: usize| {
        let time = time::format(Time((1_780_000_000 + n as i64) * Time::SECOND), 0);
        match n % 2 {
            0 => {
                let event =
                    json!({"time": time, "device": "Light", "action": "on", "id": n.to_string()});
                ("events/h1".to_owned(), event.to_string())
            }
            _ => {
                let state = if n % 4 == 1 { "OFF" } else { "ON" };
                (
                    "z/lamp".to_owned(),
                    json!({"state": state, "last_seen": time}).to_string(),
                )
            }
        }
    };
    let messages: Vec<_> = (0..100).map(message).collect();
    let hearth = Hearth::with_mqtt(folder.path(), broker.port, &options);
    let known = json!({"state": "ON"}).to_string();
    say(broker.port, &[("z/lamp".to_owned(), known)], true).await;
    let inbox = inbox_path(folder.path());
    let is_known = || std::fs::read_to_string(&inbox).is_ok_and(|text| text.contains("lamp"));
    until("the session is there", is_known).await;
    say(broker.port, &messages[..40], false).await;
    until("the first have come", || events(folder.path()).len() >= 40).await;
    hearth.kill().await;
    say(broker.port, &messages[40..], false).await;
    // It keeps what it has every second.
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    broker.kill_and_start();
    let hearth = Hearth::with_mqtt(folder.path(), broker.port, &options);
    until("all have come", || events(folder.path()).len() >= 100).await;
    hearth.end().await;
    // What a broker gives again that forgot that it was taken is a duplicate to the dataflow, by id or by time.
    let mut all = events(folder.path());
    all.sort_by_key(Value::to_string);
    all.dedup();
    assert_eq!(all.len(), 100);
}

/// An alarm of so many minutes before.
fn alarm(now: Time, minutes_ago: i64) -> Told {
    let at = time::format(Time(now.0 - minutes_ago * 60 * Time::SECOND), 0);
    let line = json!({
        "epoch": 1, "diff": 1, "alarm": at, "home": "h1", "start": at, "end": at, "behaviors": [],
        "score": 9.0, "threshold": 8.0, "once_in_days": 40.0, "severity": 2,
        "reasons": [{"behavior": "Door:open", "time": at, "why": "never so late", "expected": null, "seen": 0, "times": 9}],
    });
    Told {
        stream: Stream::Alarms,
        epoch: 1,
        line: line.to_string().into(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_is_told_each_alarm_once_whoever_dies() {
    let Some(mut broker) = Mosquitto::start() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let network = Network::to(broker.port);
    // One for all of it: an alarm is named by its time.
    let now = Time(Timestamp::now().as_second() * Time::SECOND);
    let hearth = Hearth::with_mqtt(folder.path(), network.port, &[]);
    let ears = Listener::start(broker.port).await;
    let is = |topic: &'static str, payload: &'static str, ears: &Listener| {
        ears.heard(topic).last().is_some_and(|last| last == payload)
    };
    until("it is there", || is("hearth/status", "online", &ears)).await;
    hearth.desk.feed.tell(alarm(now, 60));
    until("it is told", || {
        ears.heard("hearth/h1/alarm/event").len() == 1
    })
    .await;
    until("it shows", || is("hearth/h1/alarm/state", "ON", &ears)).await;
    let configs = ears.last("homeassistant/");
    assert_eq!(configs.len(), 6, "{configs:?}");
    // While the network is away, and while the broker is.
    network.cut();
    hearth.desk.feed.tell(alarm(now, 50));
    until("the second is told", || {
        ears.heard("hearth/h1/alarm/event").len() >= 2
    })
    .await;
    let receipts = || {
        let inbox = std::fs::read_to_string(inbox_path(folder.path())).unwrap();
        inbox.matches("told").count()
    };
    until("that is remembered", || receipts() == 2).await;
    hearth.kill().await;
    until("its last will is read", || {
        is("hearth/status", "offline", &ears)
    })
    .await;
    broker.kill_and_start();

    let ears = Listener::start(broker.port).await;
    let hearth = Hearth::with_mqtt(folder.path(), network.port, &[]);
    until("it is there again", || is("hearth/status", "online", &ears)).await;
    // The run gives again what it gave since its last cut, and something new.
    for minutes in [60, 50, 40] {
        hearth.desk.feed.tell(alarm(now, minutes));
    }
    until("the third is told", || {
        !ears.heard("hearth/h1/alarm/event").is_empty()
    })
    .await;
    // Somebody says that it was fine.
    let fine = ("hearth/h1/alarm/fine".to_owned(), "newest".to_owned());
    say(broker.port, &[fine], false).await;
    until("that is in the inbox", || !events(folder.path()).is_empty()).await;
    let said = events(folder.path());
    assert_eq!(
        (&said[0]["home"], &said[0]["fine"]),
        (&json!("h1"), &json!(true))
    );
    // The home is erased: a new listener finds nothing of it.
    let erased = json!({"epoch": 2, "home": "h1", "from": null, "to": null, "device": null, "events": 1, "source": "x:1"});
    hearth.desk.feed.tell(Told {
        stream: Stream::Erasures,
        epoch: 2,
        line: erased.to_string().into(),
    });
    until("its entities are gone", || {
        let configs = ears.last("homeassistant/");
        configs.len() == 6 && configs.values().all(String::is_empty)
    })
    .await;
    hearth.end().await;
    assert_eq!(ears.heard("hearth/h1/alarm/event").len(), 1);
    assert!(is("hearth/status", "offline", &ears));
    let late = Listener::start(broker.port).await;
    say(broker.port, &[("last".into(), "1".into())], false).await;
    until("all is heard", || !late.heard("last").is_empty()).await;
    assert!(late.last("homeassistant/").is_empty() && late.last("hearth/h1").is_empty());
}
