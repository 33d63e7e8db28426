//! The real Home Assistant, from its websocket to its own entities. It is started several times, and a minute must pass after that:
//!
//!     cargo test --release --config .ci/tests.toml --workspace --test home_assistant -- --ignored --nocapture

#[allow(dead_code, reason = "others need more of it")]
#[path = "../network/mod.rs"]
mod network;
mod parts;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use network::Network;
use parts::{Hearth, HomeAssistant, Mosquitto, until};

/// What people switch.
const SWITCHES: [&str; 6] = [
    "hall_light",
    "kitchen_light",
    "bedroom_light",
    "front_door",
    "television",
    "kettle",
];

/// After so long a Home Assistant is believed at once that has begun anew.
const SETTLED: Duration = Duration::from_secs(66);

/// Somebody switches this and that.
async fn live(hub: &HomeAssistant, times: usize, seed: usize) {
    for n in 0..times {
        let switch = SWITCHES[(n * 5 + seed * 3 + n / 4) % SWITCHES.len()];
        let entity = format!("input_boolean.{switch}");
        hub.call("input_boolean/toggle", &entity, json!({})).await;
        tokio::time::sleep(Duration::from_millis(15)).await;
    }
}

/// People live there while the network is cut, Hearth is killed, and Home Assistant begins anew. Gives the Hearth that still runs.
async fn disturbed(hub: &mut HomeAssistant, network: &Network, arguments: &[&str]) -> Hearth {
    // Before Hearth is there: its history has that.
    tokio::time::sleep(SETTLED).await;
    live(hub, 30, 0).await;
    let mut hearth = Hearth::start(arguments);
    for round in 1..4 {
        live(hub, 40, round).await;
        network.cut();
        live(hub, 20, round + 1).await;
        hearth.kill();
        live(hub, 20, round + 2).await;
        hearth = Hearth::start(arguments);
        tokio::time::sleep(Duration::from_secs(2)).await;
        live(hub, 20, round + 3).await;
    }
    // It begins anew, with Hearth and without.
    for killed in [false, true] {
        if killed {
            hearth.kill();
        }
        hub.stop();
        assert!(hub.begin());
        let began = Instant::now();
        if killed {
            hearth = Hearth::start(arguments);
        }
        live(hub, 15, 9).await;
        network.cut();
        tokio::time::sleep(SETTLED.saturating_sub(began.elapsed())).await;
        live(hub, 25, 10).await;
    }
    hearth
}

/// Time, device and action of each event of a log.
fn events(log: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines = text.lines().filter(|line| !line.starts_with(r#"{"mark""#));
    let lines = lines.filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut events: Vec<String> = lines
        .filter(|line| line.get("action").is_some())
        .map(|line| format!("{} {} {}", line["time"], line["device"], line["action"]))
        .collect();
    events.sort_unstable();
    events
}

/// What the recorder wrote down, as `hearth import` reads it.
fn imported(hub: &HomeAssistant, out: &Path) -> Vec<String> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hearth"));
    command.args([
        "import",
        "home-assistant",
        "--timezone",
        "Europe/Berlin",
        "--out",
    ]);
    let database = hub.folder.join("home-assistant_v2.db");
    let run = command.arg(out).arg(database).output().unwrap();
    assert!(
        run.status.success(),
        "{}",
        String::from_utf8_lossy(&run.stderr)
    );
    events(&out.join("events.jsonl"))
}

/// A day as all of them are: minutes after midnight, what and whither.
const DAY: [(i64, &str, &str); 12] = [
    (418, "bedroom_light", "on"),
    (425, "kitchen_light", "on"),
    (428, "kettle", "on"),
    (432, "kettle", "off"),
    (460, "kitchen_light", "off"),
    (465, "bedroom_light", "off"),
    (1050, "front_door", "on"),
    (1051, "front_door", "off"),
    (1052, "hall_light", "on"),
    (1140, "television", "on"),
    (1330, "television", "off"),
    (1340, "hall_light", "off"),
];

/// What Home Assistant learns of Hearth.
const ALARM: &str = "event.hearth_home_alarm";
const UNUSUAL: &str = "binary_sensor.hearth_home_unusual_behavior";
const NEXT: &str = "sensor.hearth_home_next_action";

/// Waits until an entity is in such a state.
async fn is(hub: &HomeAssistant, entity: &str, such: fn(&Value) -> bool) {
    until(entity, async || {
        hub.state(entity).await.is_some_and(|state| such(&state))
    })
    .await;
}

/// Whether anything is known of an entity.
fn known(state: &Value) -> bool {
    !["unknown", "unavailable"].contains(&state["state"].as_str().unwrap_or_default())
}

/// Two months of such days until yesterday, as a log.
fn two_months() -> String {
    let today = jiff::Timestamp::now().as_second() / 86_400;
    let mut log = String::new();
    for day in today - 60..today {
        for (minute, device, action) in DAY {
            let second = day * 86_400 + minute * 60 + day * 37 % 100;
            let time = jiff::Timestamp::from_second(second).unwrap().to_string();
            let device = format!("input_boolean.{device}");
            let event = json!({"home": "home", "time": time, "device": device, "action": action});
            log += &format!("{event}\n");
        }
    }
    log
}

/// `cargo test --release --test home_assistant -- --ignored --nocapture`
#[tokio::test(flavor = "multi_thread")]
#[ignore = "Home Assistant is started twice"]
async fn alarms_and_predictions_are_entities_of_the_home_assistant_that_was_heard() {
    let Some(broker) = Mosquitto::start() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let Some(mut hub) = HomeAssistant::start(&folder.path().join("hub"), Some(broker.port)) else {
        return;
    };
    let (log, out) = (folder.path().join("log.jsonl"), folder.path().join("live"));
    std::fs::write(&log, two_months()).unwrap();
    let arguments = format!(
        "{} --home-assistant ws://127.0.0.1:{} --home-assistant-token-file {} --mqtt mqtt://127.0.0.1:{} --out {} \
         --warm-up 20 --warm-up-span 1d",
        log.display(),
        hub.port,
        hub.token().display(),
        broker.port,
        out.display(),
    );
    let arguments: Vec<&str> = arguments.split_whitespace().collect();
    let mut hearth = Hearth::start(&arguments);
    // Nobody does that in the morning, nor in this order, nor at once.
    for switch in ["front_door", "television", "kettle", "bedroom_light"] {
        let entity = format!("input_boolean.{switch}");
        hub.call("input_boolean/toggle", &entity, json!({})).await;
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    is(&hub, ALARM, |state| {
        state["attributes"]["summary"].is_string()
    })
    .await;
    is(&hub, UNUSUAL, |state| state["state"] == "on").await;
    is(&hub, NEXT, known).await;
    // Whoever begins anew, they are there.
    hearth.kill();
    is(&hub, NEXT, |state| state["state"] == "unavailable").await;
    hub.stop();
    hearth = Hearth::start(&arguments);
    assert!(hub.begin());
    is(&hub, UNUSUAL, |state| state["state"] == "on").await;
    is(&hub, NEXT, known).await;
    hearth.end();
    // What Hearth says is nothing that happens in the house.
    let told = events(&out.join("inbox.jsonl"));
    assert!(
        !told.iter().any(|event| event.contains("hearth")),
        "{told:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "Home Assistant is started three times, and a minute passes after each"]
async fn no_event_is_lost_none_doubled_and_none_invented() {
    let folder = tempfile::tempdir().unwrap();
    let Some(mut hub) = HomeAssistant::start(&folder.path().join("hub"), None) else {
        return;
    };
    let network = Network::to(hub.port);
    let out = folder.path().join("live");
    let arguments = format!(
        "--home-assistant ws://127.0.0.1:{} --home-assistant-token-file {} --out {} --checkpoint-every 2s",
        network.port,
        hub.token().display(),
        out.display(),
    );
    let arguments: Vec<&str> = arguments.split_whitespace().collect();
    let began = Instant::now();
    let hearth = disturbed(&mut hub, &network, &arguments).await;
    let inbox = out.join("inbox.jsonl");
    let mut before = Vec::new();
    until("no more comes", async || {
        tokio::time::sleep(Duration::from_secs(5)).await;
        let now = events(&inbox);
        let same = now == before && now.len() > 300;
        before = now;
        same
    })
    .await;
    hearth.end();
    hub.stop();
    let (told, recorded) = (
        events(&inbox),
        imported(&hub, &folder.path().join("imported")),
    );
    let of = |events: &[String]| events.iter().cloned().collect::<BTreeSet<_>>();
    let (a, b) = (of(&told), of(&recorded));
    eprintln!(
        "{} events in {:?}; recorded {}",
        told.len(),
        began.elapsed(),
        recorded.len()
    );
    assert_eq!(a.len(), told.len(), "some are doubled");
    let lost: Vec<_> = b.difference(&a).collect();
    let invented: Vec<_> = a.difference(&b).collect();
    assert!(
        lost.is_empty() && invented.is_empty(),
        "lost {lost:?}\ninvented {invented:?}"
    );
}
