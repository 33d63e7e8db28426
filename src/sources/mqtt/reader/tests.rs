//! What becomes of messages, by what came before.

use proptest::prelude::*;

use super::*;
use crate::inbox::LONGEST_LINE;

pub(super) fn at(seconds: i64) -> At {
    (Time(seconds * Time::SECOND), 0)
}

pub(super) fn reader(routes: &str) -> Reader {
    let routes: crate::config::Routes = routes.parse().unwrap();
    Reader::new(routes.0, "mine".into(), Some("homeassistant/status".into()))
}

pub(super) fn given<'a>(topic: &'a str, payload: &'a str) -> Given<'a> {
    Given {
        topic,
        payload: payload.as_bytes(),
        retained: false,
        again: false,
        number: 0,
    }
}

/// Device and action of each line.
fn told(reader: &mut Reader) -> Vec<String> {
    let (lines, _) = reader.flush().unwrap_or_default();
    let told = |line: &String| {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        let text = |key: &str| line[key].as_str().unwrap().to_owned();
        format!("{} {} {}", text("home"), text("device"), text("action"))
    };
    lines.iter().map(told).collect()
}

#[test]
fn only_changes_are_behaviours_and_what_is_retained_is_only_known() {
    let mut reader = reader("zigbee2mqtt:zigbee2mqtt statestream:{home}/ss");
    let retained = Given {
        retained: true,
        ..given("zigbee2mqtt/lamp", r#"{"state":"OFF"}"#)
    };
    assert_eq!(reader.take(retained, at(0)), Fate::Unchanged);
    let on = given("zigbee2mqtt/lamp", r#"{"state":"ON","linkquality":7}"#);
    assert_eq!(reader.take(on, at(1)), Fate::Taken);
    assert_eq!(reader.take(on, at(2)), Fate::Unchanged);
    assert_eq!(reader.take(on, at(3)), Fate::Unchanged);
    assert_eq!(told(&mut reader), ["mine lamp ON"]);
    let off = given("h2/ss/light/hall/state", "off");
    reader.take(off, at(4));
    reader.take(given("h2/ss/light/hall/state", "on"), at(5));
    assert_eq!(told(&mut reader), ["h2 light.hall on"]);
    assert_eq!(reader.take(given("elsewhere", "x"), at(6)), Fate::Unchanged);
}

#[test]
fn what_is_given_again_counts_once_also_after_a_restart() {
    let payloads = ["off", "on", "off", "on"];
    let message = |number: usize, again: bool| Given {
        again,
        number: number as u16 + 1,
        ..given("ss/light/hall/state", payloads[number])
    };
    let mut first = reader("statestream:ss");
    let mut marks = Vec::new();
    for number in 0..4 {
        first.take(message(number, false), at(number as i64));
        marks.extend(first.flush().map(|(_, mark)| mark));
    }
    let mut second = reader("statestream:ss");
    marks.iter().for_each(|mark| second.recall(mark));
    for reader in [&mut first, &mut second] {
        for number in 1..4 {
            let fate = reader.take(message(number, true), at(9));
            assert_eq!(fate, Fate::Again);
        }
        // Another message may have the number of one that came.
        let other = Given {
            again: false,
            ..message(2, false)
        };
        assert_eq!(reader.take(other, at(10)), Fate::Taken);
        assert_eq!(told(reader), ["mine light.hall off"]);
    }
}

#[test]
fn what_a_broker_gives_again_of_an_older_time_is_stale() {
    let mut reader = reader("zigbee2mqtt:z");
    let seen = |state: &str, second: u8| {
        format!(r#"{{"state":"{state}","last_seen":"2026-01-01T00:00:{second:02}Z"}}"#)
    };
    let now = at(1_800_000_000);
    let all = [seen("OFF", 1), seen("ON", 2), seen("OFF", 3)];
    for payload in all.iter().chain(&all) {
        reader.take(given("z/lamp", payload), now);
    }
    let (lines, _) = reader.flush().unwrap();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[0].contains("2026-01-01T00:00:02"));
    // A clock that is far ahead does not silence its device.
    let mut reader = self::reader("zigbee2mqtt:z");
    for payload in [seen("OFF", 1), seen("ON", 2)] {
        reader.take(given("z/lamp", &payload), at(0));
    }
    assert_eq!(told(&mut reader), ["mine lamp ON"]);
}

#[test]
fn a_hub_that_begins_anew_invents_nothing() {
    let mut reader = reader("statestream:ss");
    let state = |state| given("ss/binary_sensor/door/state", state);
    reader.take(state("on"), at(0));
    reader.take(given("homeassistant/status", "online"), at(100));
    for (n, said) in ["unavailable", "off", "on"].iter().enumerate() {
        reader.take(state(said), at(101 + n as i64));
    }
    reader.settle(at(300).0);
    assert_eq!(told(&mut reader), Vec::<String>::new());
    reader.take(state("off"), at(301));
    assert_eq!(told(&mut reader), ["mine binary_sensor.door off"]);
}

#[test]
fn what_stays_is_believed_after_a_while_without_being_said_again() {
    let mut reader = reader("zigbee2mqtt:z");
    reader.take(given("z/door", r#"{"contact":true}"#), at(0));
    reader.take(given("z/door/availability", "offline"), at(10));
    reader.take(given("z/door", r#"{"contact":false}"#), at(20));
    reader.settle(at(79).0);
    assert_eq!(told(&mut reader), Vec::<String>::new());
    reader.settle(at(80).0);
    assert_eq!(told(&mut reader), ["mine door open"]);
}

#[test]
fn marks_stay_within_a_line_and_hold_all_that_is_known() {
    let mut first = reader("zigbee2mqtt:z");
    let mut second = reader("zigbee2mqtt:z");
    let mut third = reader("zigbee2mqtt:z");
    let name = |n: usize| format!("z/{}{n}", "\"".repeat(100));
    let mut marks = Vec::new();
    for n in 0..200 {
        first.take(given(&name(n), r#"{"state":"OFF"}"#), at(0));
        if first.is_full() {
            let (_, mark) = first.flush().unwrap();
            let line = serde_json::to_string(&mark).unwrap();
            assert!(line.len() < LONGEST_LINE - 100, "{}", line.len());
            marks.push(mark);
        }
    }
    marks.push(first.flush().unwrap().1);
    marks.iter().for_each(|mark| second.recall(mark));
    for mark in folded(&marks) {
        let line = serde_json::to_string(&mark).unwrap();
        assert!(line.len() < LONGEST_LINE - 100, "{}", line.len());
        third.recall(&mark);
    }
    for reader in [&mut second, &mut third] {
        for n in 0..200 {
            let fate = reader.take(given(&name(n), r#"{"state":"ON"}"#), at(1));
            assert_eq!(fate, Fate::Taken);
        }
    }
}

#[test]
fn folded_marks_know_which_messages_may_come_again() {
    let mut first = reader("zigbee2mqtt:z");
    let message = |number: u16| Given {
        again: false,
        number,
        ..given(
            "z/lamp",
            if number.is_multiple_of(2) {
                r#"{"state":"ON"}"#
            } else {
                r#"{"state":"OFF"}"#
            },
        )
    };
    let mut marks = Vec::new();
    for number in 1..=9_000 {
        first.take(message(number), at(i64::from(number)));
        if first.is_full() {
            marks.push(first.flush().unwrap().1);
        }
    }
    marks.extend(first.flush().map(|(_, mark)| mark));
    let (mut all, mut fewer) = (reader("zigbee2mqtt:z"), reader("zigbee2mqtt:z"));
    marks.iter().for_each(|mark| all.recall(mark));
    folded(&marks).iter().for_each(|mark| fewer.recall(mark));
    for number in 1..=9_000 {
        let again = Given {
            again: true,
            ..message(number)
        };
        let fates = [&mut all, &mut fewer].map(|reader| reader.take(again, at(10_000)));
        assert_eq!(fates[0], fates[1], "{number}");
    }
}

proptest! {
    /// However messages are cut into batches, and wherever the run is killed between two and the broker gives again what it
    /// does not know to have come: the lines are those of an undisturbed run.
    #[test]
    fn lines_are_those_of_an_undisturbed_run(
        states in proptest::collection::vec((0..3_usize, proptest::bool::ANY), 1..60),
        kept in proptest::collection::vec(proptest::bool::ANY, 60),
        kills in proptest::collection::vec(0..60_usize, 0..4),
        unacked in 1..20_usize,
    ) {
        let topics = ["ss/light/a/state", "ss/light/b/state", "ss/lock/c/state"];
        let message = |n: usize, again: bool| Given {
            number: n as u16 + 1,
            again,
            ..given(topics[states[n].0], if states[n].1 { "on" } else { "off" })
        };
        let mut plain = reader("statestream:ss");
        (0..states.len()).for_each(|n| drop(plain.take(message(n, false), at(n as i64))));
        let (expected, _) = plain.flush().unwrap_or_default();

        let (mut lines, mut marks): (Vec<String>, Vec<String>) = Default::default();
        let mut reader = reader("statestream:ss");
        // Those below have been kept; a broker that knows less gives some of them again.
        let (mut n, mut safe, mut most) = (0, 0, 0);
        let mut kills = kills.clone();
        while n < states.len() {
            reader.take(message(n, n < most), at(n as i64));
            n += 1;
            most = most.max(n);
            if kept[n - 1] {
                if let Some((more, mark)) = reader.flush() {
                    lines.extend(more);
                    marks.push(mark);
                }
                safe = safe.max(n);
            }
            if let Some(i) = kills.iter().position(|kill| *kill == n) {
                kills.swap_remove(i);
                reader = self::reader("statestream:ss");
                // As where the inbox went on in another piece meanwhile.
                marks = folded(&marks);
                marks.iter().for_each(|mark| reader.recall(mark));
                n = safe.saturating_sub(unacked);
            }
        }
        lines.extend(reader.flush().unwrap_or_default().0);
        prop_assert_eq!(lines, expected);
    }
}
