//! What brokers and files say, of bytes that nobody meant: messages and times.

use hearth_operators::words::Time;
use jiff::tz::TimeZone;

use super::files::{Kind, instant, taken};
use super::messages;
use crate::fuzz::{fuzz, reasons};
use crate::inbox::LONGEST_LINE;
use crate::time;

/// Events by Kafka, or by a topic of MQTT that has them.
#[test]
fn broker_messages() {
    let seeds: [&[u8]; 3] = [
        br#"{"home":"h","time":"2026-01-01T00:00:00Z","device":"Light","action":"on","id":"1"}"#,
        br#"[{"action":"Light:off"},{"device":"Light","action":"on"}]"#,
        br#"{"kind":"season","from":"winter","to":"summer","home":"*"}
{"home":"h","alarm":"2026-01-01T00:00:00Z","fine":true}"#,
    ];
    let words = [
        "\"mark\":",
        "\"erase\":{}",
        "\"time\":",
        "\"home\":",
        "[",
        "{",
    ];
    let at = (Time(1_767_225_600 * Time::SECOND), 60);
    fuzz(&seeds, &words, |bytes| {
        let home = (bytes.len() % 2 == 0).then_some("mine");
        match messages::lines(home, bytes, at) {
            Ok(lines) => {
                assert!(!lines.is_empty());
                for line in lines {
                    assert!(line.len() <= LONGEST_LINE && !line.contains('\n'));
                    let value: serde_json::Value = serde_json::from_str(&line).unwrap();
                    assert!(value["home"].is_string(), "{line}");
                    assert!(value.get("mark").is_none() && value.get("erase").is_none());
                    // Of lines of other kinds the log says what is wrong with them.
                    let other = ["kind", "mode", "alarm"];
                    if other.iter().all(|key| value.get(key).is_none()) {
                        let taken = taken(Kind::Event, line.as_bytes());
                        let of_seq = |why: &String| why.contains("`seq`");
                        assert!(taken.as_ref().err().is_none_or(of_seq), "{taken:?}");
                    }
                }
                String::new()
            }
            Err(reason) => reasons([reason.as_str()]),
        }
    });
}

/// A time that is understood is the same one written anew.
#[test]
fn times() {
    let seeds = [
        "2022-08-04T18:30:00.123456+02:00",
        "2022-08-04 18:30",
        "2022-08-04 18:30:00 UTC",
        "20220804T183000Z",
        "30.10.2022 02:30:00,5",
        "30/10/2022 02:30 PM",
        "1659630600",
        "1659630600123",
        "1659630600.25",
        "2022-10-30T02:30:00[Europe/Berlin]",
        "2022-08-04",
    ];
    let seeds = seeds.map(str::as_bytes);
    let words = [
        "+01", "-0330", "Z", "T", "AM", "24:00", ":60", "[UTC]", "Feb",
    ];
    let zones =
        ["UTC", "Europe/Berlin", "America/St_Johns"].map(|name| TimeZone::get(name).unwrap());
    fuzz(&seeds, &words, |bytes| {
        let text = String::from_utf8_lossy(bytes);
        let read = zones.each_ref().map(|zone| instant(&text, zone));
        for (time, offset) in read.iter().flatten() {
            let written = time::format(*time, *offset);
            assert_eq!(
                instant(&written, &TimeZone::UTC),
                Ok((*time, *offset)),
                "{written}"
            );
        }
        // A zone decides what a time is, never whether it is one.
        let [utc, ..] = &read;
        assert!(
            read.iter().all(|other| other.is_ok() == utc.is_ok()),
            "{read:?}"
        );
        utc.as_ref().err().cloned().unwrap_or_default()
    });
}
