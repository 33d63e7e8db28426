//! `in = applied + duplicate + late + rejected`, counted again from the log and the output files.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::household::{EPOCH, dir, first};
use super::program::text;

/// The lines of the log that are not blank, with their place.
fn log() -> Vec<(String, String)> {
    let log = std::fs::read_to_string(dir().join("events.jsonl")).unwrap();
    let lines = log.lines().enumerate();
    let counted = lines.filter(|(_, line)| !line.trim().is_empty());
    let place = |(n, line): (usize, &str)| (format!("events.jsonl:{}", n + 1), line.to_owned());
    counted.map(place).collect()
}

fn sources(stream: &str) -> BTreeSet<String> {
    let refused = first().refused(stream);
    let sources: BTreeSet<_> = refused.iter().map(|(source, _)| source.clone()).collect();
    assert_eq!(sources.len(), refused.len(), "a line is in {stream} twice");
    sources
}

#[test]
fn every_line_is_counted_once() {
    let (late, rejected) = (sources("late"), sources("rejected"));
    assert!(late.is_disjoint(&rejected));
    let log = log();
    let mut ids = BTreeSet::new();
    let mut duplicates = 0;
    for (place, line) in &log {
        if late.contains(place) || rejected.contains(place) {
            continue;
        }
        let event: Value = serde_json::from_str(line).unwrap();
        if !ids.insert(text(&event["id"])) {
            duplicates += 1;
        }
    }
    let counts = [log.len(), ids.len(), duplicates, late.len(), rejected.len()];
    assert!(counts.iter().all(|&count| count > 0), "{counts:?}");
    assert_eq!(first().accounting(), counts.map(|count| count as u64));
    assert_eq!(first().behaviors(), ids.len() as i64);
}

/// An event is late if it lies before the horizon as of the end of the epoch before.
#[test]
fn exactly_the_lines_before_the_horizon_are_late() {
    const LATENESS: i64 = 24 * 3600;
    let mut newest: BTreeMap<String, i64> = BTreeMap::new();
    let mut expected = BTreeSet::new();
    for epoch in log().chunks(EPOCH) {
        let until = newest.clone();
        for (place, line) in epoch {
            let Ok(event) = serde_json::from_str::<Value>(line) else {
                continue;
            };
            let Ok(time) = text(&event["time"]).parse::<jiff::Timestamp>() else {
                continue;
            };
            if event["device"] == "Gramophone" {
                continue;
            }
            let (home, time) = (text(&event["home"]), time.as_second());
            if until.get(&home).is_some_and(|&n| time < n - LATENESS) {
                expected.insert(place.clone());
            } else {
                let newest = newest.entry(home).or_insert(time);
                *newest = time.max(*newest);
            }
        }
    }
    assert_eq!(sources("late"), expected);
}

#[test]
fn the_summary_counts_what_is_in_the_files() {
    let summary = first().summary();
    for stream in super::program::STREAMS {
        let lines = first().lines(stream).len();
        assert_eq!(summary["lines"][stream], lines, "{stream}");
    }
    for collection in ["segments", "transitions", "representatives"] {
        let lines = first().values(collection);
        let held: i64 = lines
            .iter()
            .map(|line| line["diff"].as_i64().unwrap())
            .sum();
        assert_eq!(summary[collection], held, "{collection}");
    }
    assert_eq!(summary["requests"], first().lines("requests").len());
    assert_eq!(summary["homes"], 3);
    assert_eq!(summary["interrupted"], false);
    for (stream, key, names) in [
        ("verdicts", "verdict", &["retain", "delete"][..]),
        ("adaptations", "event", &["promoted", "kept", "rolled_back"]),
    ] {
        let lines = first().values(stream);
        for &name in names {
            let lines = lines.iter().filter(|line| line[key] == name).count() as u64;
            let told = match &summary[stream][name] {
                Value::Object(stages) => stages.values().map(|n| n.as_u64().unwrap()).sum(),
                number => number.as_u64().unwrap(),
            };
            assert_eq!(told, lines, "{stream}: {name}");
        }
    }
    let homes = first().values("adaptations");
    let homes: BTreeSet<_> = homes.iter().map(|line| text(&line["home"])).collect();
    assert_eq!(summary["adaptations"]["homes"], homes.len());
    assert_eq!(homes.len(), 3, "each home has its shift");
}
