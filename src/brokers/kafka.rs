//! The Kafka source and sink.

use std::collections::BTreeMap;
use std::time::Duration;

use hearth_operators::words::Time;
use serde_json::{Value, json};

use super::hearth::{Hearth, events, until};
use super::network::{Network, free_port};
use super::tansu::{Peer, Tansu, installed, text};
use crate::cluster::Share;
use crate::outputs::Stream;
use crate::sinks::{Place, Positions};
use crate::time;

const HOMES: [&str; 3] = ["h-1", "h-2", "h-3"];

fn rounds() -> usize {
    let more = std::env::var("HEARTH_KAFKA_ROUNDS").ok();
    more.and_then(|n| n.parse().ok()).unwrap_or(4)
}

/// The n-th event, of the home that its message's key names.
fn event(n: usize) -> (&'static str, String) {
    let at = time::format(Time((1_780_000_000 + n as i64) * Time::SECOND), 0);
    let action = if n.is_multiple_of(2) { "on" } else { "off" };
    let event = json!({"time": at, "device": "Lamp", "action": action, "id": n.to_string()});
    (HOMES[n % HOMES.len()], event.to_string())
}

/// A broker with an empty topic of one partition, who writes into it, and the option to read it.
async fn topic() -> Option<(Tansu, Peer, String)> {
    let broker = Tansu::alone()?;
    let peer = Peer::at(broker.port).await;
    peer.create("events", 1).await;
    let from = format!("--kafka-in=kafka://127.0.0.1:{}/events", broker.port);
    Some((broker, peer, from))
}

/// The ids of each home's events, in their order.
fn by_home(events: impl IntoIterator<Item = Value>) -> BTreeMap<String, Vec<String>> {
    let mut homes: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for event in events {
        let field = |name: &str| event[name].as_str().unwrap().to_owned();
        homes.entry(field("home")).or_default().push(field("id"));
    }
    homes
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_come_in_exactly_once_though_hearth_is_killed_and_the_network_cut() {
    let Some(program) = installed() else {
        return;
    };
    let port = free_port();
    let network = Network::to(port);
    let _broker = Tansu::start(program, port, network.port);
    let peer = Peer::at(network.port).await;
    peer.create("events", 1).await;
    let folder = tempfile::tempdir().unwrap();
    let url = format!("--kafka-in=kafka://127.0.0.1:{}/events", network.port);
    let options = [url.as_str(), "--mqtt-out=false"];
    let mut hearth = Hearth::start(folder.path(), &options);
    let mut n = 0;
    for round in 0..rounds() {
        for batch in 0..5 {
            let messages: Vec<_> = (n..n + 20).map(event).collect();
            n += messages.len();
            peer.say("events", 0, &messages, batch).await;
            network.cut();
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
        hearth = match round % 3 {
            0 => hearth,
            1 => {
                hearth.kill().await;
                Hearth::start(folder.path(), &options)
            }
            _ => {
                hearth.end().await;
                Hearth::start(folder.path(), &options)
            }
        };
    }
    let all = peer.all("events", 0).await;
    assert!(all.len() >= n);
    until("all have come", || events(folder.path()).len() >= all.len()).await;
    until("it is ready", || hearth.desk.gauges.awaited().is_empty()).await;
    hearth.end().await;
    // Also those that this test's own client said twice because the network was cut.
    let said = all.iter().map(|message| {
        let mut event: Value = serde_json::from_str(&text(message)).unwrap();
        let key = message.record.key.clone().unwrap();
        event["home"] = String::from_utf8(key).unwrap().into();
        event
    });
    assert_eq!(by_home(events(folder.path())), by_home(said));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_was_made_anew_is_read_from_its_beginning_and_what_is_no_event_counted() {
    let Some(mut broker) = Tansu::alone() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let url = format!("--kafka-in=kafka://127.0.0.1:{}/events", broker.port);
    let options = [url.as_str(), "--mqtt-out=false"];
    let hearth = Hearth::start(folder.path(), &options);
    until("it says that there is no topic", || {
        let awaited = hearth.desk.gauges.awaited();
        awaited.iter().any(|why| why.contains("no topic `events`"))
    })
    .await;
    let peer = Peer::at(broker.port).await;
    peer.create("events", 1).await;
    let odd = |key, value: &str| (key, value.to_owned());
    let messages = [
        event(0),
        odd("h-1", "no event"),
        odd("", r#"{"device":"Lamp","action":"on"}"#),
        odd("h-1", ""),
        odd("h-1", r#"{"device":"Lamp","action":"on","id":"1"}"#),
    ];
    peer.say("events", 0, &messages, 0).await;
    until("two have come", || events(folder.path()).len() == 2).await;
    until("all are counted", || {
        hearth.measure("hearth_kafka_messages_total") >= 5.0
    })
    .await;
    until("it is ready", || hearth.desk.gauges.awaited().is_empty()).await;
    // The time of a message is the event's that has none.
    let seconds = |text: &str| text.parse::<jiff::Timestamp>().unwrap().as_second();
    let came = events(folder.path());
    assert_eq!(seconds(came[1]["time"].as_str().unwrap()), 1_780_000_000);
    broker.kill();
    until("it is not ready", || {
        let awaited = hearth.desk.gauges.awaited();
        awaited.iter().any(|why| why.contains("away"))
    })
    .await;
    hearth.end().await;
    broker.begin();
    let peer = Peer::at(broker.port).await;
    peer.create("events", 1).await;
    // As many as before, and others.
    let messages: Vec<_> = (10..20).map(event).collect();
    peer.say("events", 0, &messages, 1).await;
    let hearth = Hearth::start(folder.path(), &options);
    until("all have come", || events(folder.path()).len() == 12).await;
    assert_eq!(hearth.measure("hearth_kafka_partitions_anew_total"), 1.0);
    hearth.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn partitions_that_are_added_while_it_runs_are_read_from_their_beginning() {
    let Some((_broker, peer, from)) = topic().await else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let options = [from.as_str(), "--kafka-from=latest", "--mqtt-out=false"];
    let hearth = Hearth::start(folder.path(), &options);
    until("it is ready", || hearth.desk.gauges.awaited().is_empty()).await;
    peer.say("events", 0, &[event(0)], 0).await;
    until("one has come", || events(folder.path()).len() == 1).await;
    peer.make_anew("events", 3).await;
    for partition in [1, 2] {
        let n = 10 * partition as usize;
        let messages: Vec<_> = (n..n + 5).map(event).collect();
        peer.say("events", partition, &messages, 0).await;
    }
    until("all have come", || events(folder.path()).len() == 11).await;
    hearth.kill().await;
    peer.say("events", 2, &[event(30)], 0).await;
    let hearth = Hearth::start(folder.path(), &options);
    until("the last one has come", || {
        events(folder.path()).len() >= 12
    })
    .await;
    until("it is ready", || hearth.desk.gauges.awaited().is_empty()).await;
    hearth.end().await;
    let said = [0].into_iter().chain(10..15).chain(20..25).chain([30]);
    let said = said.map(|n| n.to_string());
    let ids = |event: Value| event["id"].as_str().unwrap().to_owned();
    let mut came: Vec<String> = events(folder.path()).into_iter().map(ids).collect();
    came.sort();
    assert!(came.into_iter().eq(said), "each once");
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_share_the_partitions() {
    let Some((_broker, peer, from)) = topic().await else {
        return;
    };
    peer.make_anew("events", 3).await;
    for partition in 0..3 {
        let n = 10 * partition as usize;
        let messages: Vec<_> = (n..n + 5).map(event).collect();
        peer.say("events", partition, &messages, 0).await;
    }
    let options = [from.as_str(), "--mqtt-out=false"];
    // Of four, the last one has nothing to read.
    let folders: Vec<_> = (0..4).map(|_| tempfile::tempdir().unwrap()).collect();
    for (process, folder) in folders.iter().enumerate() {
        let share = Share::of(process, folders.len(), 1);
        let hearth = Hearth::among(folder.path(), &options, share);
        let first = 10 * process;
        let said: Vec<String> = (first..first + 5).map(|n| n.to_string()).collect();
        let said = if process < 3 { said } else { Vec::new() };
        let came = || {
            let ids = events(folder.path()).into_iter();
            ids.map(|event| event["id"].as_str().unwrap().to_owned())
                .collect::<Vec<_>>()
        };
        until("its share has come", || came() == said).await;
        until("it is ready", || hearth.desk.gauges.awaited().is_empty()).await;
        hearth.end().await;
        assert_eq!(came(), said);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn from_the_latest_means_from_when_the_topic_was_met() {
    let Some((_broker, peer, from)) = topic().await else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let options = [from.as_str(), "--kafka-from=latest", "--mqtt-out=false"];
    // One by one: this broker has its end where the last batch begins.
    for n in 0..2 {
        peer.say("events", 0, &[event(n)], 0).await;
    }
    let hearth = Hearth::start(folder.path(), &options);
    until("it is ready", || hearth.desk.gauges.awaited().is_empty()).await;
    hearth.kill().await;
    peer.say("events", 0, &[event(2)], 0).await;
    let hearth = Hearth::start(folder.path(), &options);
    until("one has come", || !events(folder.path()).is_empty()).await;
    hearth.end().await;
    assert_eq!(by_home(events(folder.path()))["h-3"], ["2"]);
}

/// Appends lines to a stream's file, and says where it ends.
pub(super) fn append(folder: &std::path::Path, stream: Stream, lines: &[String]) -> Positions {
    use std::io::Write as _;
    let path = stream.path(folder);
    let mut file = std::fs::File::options()
        .append(true)
        .create(true)
        .open(&path)
        .unwrap();
    for line in lines {
        writeln!(file, "{line}").unwrap();
    }
    let length = file.metadata().unwrap().len();
    Positions::from([(stream, Place::plain(length))])
}

/// The n-th alarm.
pub(super) fn alarm(n: usize) -> String {
    json!({"epoch": n, "diff": 1, "home": HOMES[n % HOMES.len()], "id": n.to_string()}).to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_go_out_in_order_by_home_and_at_least_once_though_hearth_is_killed_and_the_network_cut()
 {
    let Some(program) = installed() else {
        return;
    };
    let port = free_port();
    let network = Network::to(port);
    let _broker = Tansu::start(program, port, network.port);
    let peer = Peer::at(network.port).await;
    peer.create("hearth.alarms", 1).await;
    let folder = tempfile::tempdir().unwrap();
    let url = format!(
        "--kafka-out=kafka://127.0.0.1:{}/hearth.{{stream}}",
        network.port
    );
    let options = [url.as_str(), "--kafka-streams=alarms", "--mqtt-out=false"];
    let mut positions = append(folder.path(), Stream::Alarms, &[alarm(0)]);
    let mut n = 1;
    for round in 0..rounds() {
        let hearth = Hearth::start(folder.path(), &options);
        hearth.desk.feed.begin(&positions);
        for _ in 0..4 {
            let lines: Vec<String> = (n..n + 50).map(alarm).collect();
            n += lines.len();
            positions = append(folder.path(), Stream::Alarms, &lines);
            hearth.desk.feed.cut(&positions);
            tokio::time::sleep(Duration::from_millis(20)).await;
            network.cut();
        }
        match round % 2 {
            0 => hearth.kill().await,
            _ => hearth.end().await,
        }
    }
    let hearth = Hearth::start(folder.path(), &options);
    hearth.desk.feed.begin(&positions);
    let told = peer.told("hearth.alarms", n).await;
    hearth.end().await;
    let told = told.iter().map(|message| {
        let line: Value = serde_json::from_str(&text(message)).unwrap();
        let key = message.record.key.as_deref().unwrap();
        assert_eq!(key, line["home"].as_str().unwrap().as_bytes());
        line
    });
    let expected = (0..n).map(|n| serde_json::from_str(&alarm(n)).unwrap());
    assert_eq!(by_home(told), by_home(expected));
}
