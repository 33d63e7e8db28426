//! Homes that are like no other: nothing that one does panics, is lost, or costs another home anything.

use std::collections::BTreeMap;
use std::fmt::Write;

use jiff::Timestamp;

use super::program::{Folder, HARDLY_TRAINED, hearth, text, write};

/// Midnight of the first of January 2025, in milliseconds.
const START: i64 = 1_735_689_600_000;
const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;

/// By how much more than here a home does, and can do: `HEARTH_STRANGE=10` for ten thousand actions, 200 for a million behaviours a day.
fn times() -> i64 {
    let asked = std::env::var("HEARTH_STRANGE").ok();
    asked.map_or(1, |asked| asked.parse().unwrap())
}

/// A log that is made in the order in which it came.
#[derive(Default)]
struct Log {
    text: String,
    /// By home.
    events: BTreeMap<&'static str, i64>,
}

impl Log {
    fn event(&mut self, home: &'static str, after: i64, device: &str, action: &str) {
        let time = Timestamp::from_millisecond(START + after).unwrap();
        writeln!(
            self.text,
            r#"{{"home":"{home}","time":"{time}","device":"{device}","action":"{action}"}}"#
        )
        .unwrap();
        *self.events.entry(home).or_default() += 1;
    }

    /// An ordinary day.
    fn day(&mut self, home: &'static str, day: i64) {
        for (hour, action) in [(7, "on"), (8, "off"), (19, "on"), (23, "off")] {
            self.event(home, day * DAY + hour * HOUR, "Lamp", action);
        }
    }
}

#[test]
fn strange_homes_are_replayed_beside_others() {
    let mut log = Log::default();
    log.event("once", 0, "Lamp", "on");
    for n in 0..1_000 * times() {
        log.event(
            "many",
            n * 100_000,
            &format!("Remote {}", n / 100),
            &format!("key {n}"),
        );
    }
    let busy = 5_000 * times();
    for n in 0..busy {
        let action = ["on", "off"][(n % 2) as usize];
        log.event("busy", n * DAY / busy, "Lamp", action);
    }
    for day in (0..12).chain(380..392) {
        log.day("silent", day);
    }
    for day in 0..12 {
        log.day("back", 400 + day);
    }
    log.day("back", 30);
    for day in 12..24 {
        log.day("back", 400 + day);
        log.day("usual", day);
    }
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "log.jsonl", &log.text);
    let command = "replay log.jsonl --out out --epoch-events 40 --lateness 24h";
    hearth(dir.path(), &format!("{command} {HARDLY_TRAINED}")).fine();
    let out = Folder(dir.path().join("out"));

    let all: i64 = log.events.values().sum();
    let late = out.refused("late");
    assert_eq!(late.len(), 4, "what a clock says that went back by a year");
    assert!(late.iter().all(|(_, reason)| !reason.is_empty()));
    assert_eq!(out.accounting(), [all, all - 4, 0, 4, 0].map(|n| n as u64));
    let mut held: BTreeMap<String, i64> = BTreeMap::new();
    for segment in out.values("segments") {
        let behaviors = segment["behaviors"].as_array().unwrap().len() as i64;
        *held.entry(text(&segment["home"])).or_default() +=
            segment["diff"].as_i64().unwrap() * behaviors;
    }
    *log.events.get_mut("back").unwrap() -= 4;
    for (home, events) in &log.events {
        assert_eq!(held[*home], *events, "{home}");
    }
    // A year of silence is no alarm, and no shift that nobody declared: there is nothing in it.
    let told = ["alarms", "drifts"].map(|stream| out.values(stream));
    let all = told.iter().flatten();
    let of_silent: Vec<_> = all.filter(|line| line["home"] == "silent").collect();
    assert!(of_silent.is_empty(), "{of_silent:?}");
}

/// Motion sensors: a day is one segment, of more behaviours than a language model is asked for.
#[test]
fn a_day_that_is_one_long_segment_is_synthesized_and_adapted_to() {
    const A_DAY: usize = 280;
    let mut log = Log::default();
    for day in 0..10 {
        for n in 0..A_DAY {
            let device = format!("M{:03}", n / 2 % 7);
            let minute = n as i64 * HOUR / 30;
            log.event(
                "wsu",
                day * DAY + 6 * HOUR + minute,
                &device,
                ["ON", "OFF"][n % 2],
            );
        }
        log.event("wsu", day * DAY + 20 * HOUR, "M009", "ON");
        log.event("wsu", (day + 1) * DAY + 3 * HOUR, "M009", "ON");
    }
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "log.jsonl", &log.text);
    let contexts = r#"{"home":"wsu","time":"2025-01-08","kind":"season","from":"spring","to":"summer"}
{"home":"wsu","time":"2025-01-08T00:00:00","kind":"vacation","from":"home","to":"away"}
{"home":"nobody","time":"2025-01-08","kind":"season","from":"Spring","to":"Summer"}
"#;
    write(dir.path(), "contexts.jsonl", contexts);
    let command = "replay log.jsonl --contexts contexts.jsonl --out out --timezone UTC";
    hearth(dir.path(), &format!("{command} {HARDLY_TRAINED}")).fine();
    let out = Folder(dir.path().join("out"));
    let verdicts = out.values("verdicts");
    assert!(verdicts.iter().all(|verdict| verdict["stage"] != 0));
    let long = verdicts.iter().filter(|verdict| {
        let sequence = verdict["sequence"].as_array().unwrap();
        verdict["verdict"] == "retain" && sequence.len() > 256
    });
    assert!(long.count() >= 7, "one a weekday");
    let adapted = out.values("adaptations");
    assert_eq!(adapted[0]["event"], "promoted");
    let [(source, reason)] = &out.refused("rejected")[..] else {
        panic!("the unknown kind alone is refused");
    };
    assert!(source.ends_with("contexts.jsonl:2") && reason.contains("vacation"));
    let notes = out.summary()["notes"].to_string();
    assert!(
        notes.contains("--max-gap 10m") && notes.contains("`nobody`"),
        "{notes}"
    );
}
