//! Homes with names of their own, zones and cohorts of their own, and more actions than there can be.

use std::path::Path;

use serde_json::{Value, json};

use super::program::{Folder, HARDLY_TRAINED, hearth, same_lines, text, write};

const OPTIONS: &str = "--epoch-events 500 --synthesizer none --max-gap 2h";

fn replay(dir: &Path, log: &str, out: &str, more: &str) -> Folder {
    let command = format!("replay {log} --out {out} {OPTIONS} {HARDLY_TRAINED} {more}");
    hearth(dir, &command).fine();
    Folder(dir.join(out))
}

/// A log in which each home's devices bear the home's name before their own.
fn own_names(jsonl: &str) -> String {
    let lines = jsonl.lines().map(|line| {
        let mut event: Value = serde_json::from_str(line).unwrap();
        let device = format!("{}/{}", text(&event["home"]), text(&event["device"]));
        event["device"] = json!(device);
        format!("{event}\n")
    });
    lines.collect()
}

/// The lines of a stream with the homes' names taken from their devices'.
fn shared_names(folder: &Folder, stream: &str) -> Vec<String> {
    let mut lines: Vec<String> = folder.lines(stream);
    for line in &mut lines {
        let home = text(&serde_json::from_str::<Value>(line).unwrap()["home"]);
        *line = line.replace(&format!("{home}/"), "");
    }
    lines.sort_unstable();
    lines
}

#[test]
fn a_fleet_with_names_of_its_own_is_as_one_that_shares_them() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    hearth(dir, "simulate --homes 20 --days 3 --seed 7 --out sim").fine();
    let jsonl = std::fs::read_to_string(dir.join("sim/events.jsonl")).unwrap();
    write(dir, "own.jsonl", own_names(&jsonl));
    hearth(dir, "pack own.jsonl --out own.hlog").fine();
    let shared = replay(dir, "sim/events.jsonl", "shared", "");
    let own = replay(dir, "own.jsonl", "own", "");
    let packed = replay(dir, "own.hlog", "packed", "--workers 2");
    assert_eq!(shared.accounting()[4], 0);
    for stream in ["segments", "transitions", "representatives", "scores"] {
        let expected = shared.lines(stream);
        assert!(!expected.is_empty(), "{stream}");
        // Not compared as a whole: a difference would be told at great length.
        let found = shared_names(&own, stream);
        let differ = found
            .iter()
            .zip(&expected)
            .find(|(found, expected)| found != expected);
        assert_eq!(differ, None, "{stream}");
        assert_eq!(found.len(), expected.len(), "{stream}");
    }
    same_lines(
        &own,
        &packed,
        &["segments", "transitions", "representatives", "scores"],
    );
}

#[test]
fn homes_have_zones_and_catalogs_of_their_own() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let event = |home: &str, time: &str, device: &str, action: &str| {
        let event = json!({"home": home, "time": time, "device": device, "action": action});
        format!("{event}\n")
    };
    let log = event("b", "2024-07-01T22:30:00Z", "lamp", "on")
        + &event("b", "2024-07-01T22:31:00", "lamp", "off")
        + &event("n", "2024-07-01T22:30:00Z", "box", "0")
        + &event("n", "2024-07-01T22:31:00Z", "box", "1")
        + &event("z", "2024-07-01T22:30:00Z", "lamp", "on");
    write(dir, "log.jsonl", log);
    let homes = r#"{"home":"b","timezone":"Europe/Berlin"}
{"home":"n","timezone":"America/New_York","catalog":"n.json"}
"#;
    write(dir, "homes.jsonl", homes);
    let closing = json!({"devices": [{"name": "box", "kind": "Light", "actions": [
        {"name": "1", "meaning": "on"}, {"name": "2", "meaning": "off", "closes": ["1"]}]}]});
    write(dir, "n.json", closing.to_string());
    let out = replay(dir, "log.jsonl", "out", "--homes homes.jsonl");
    let starts = |home: &str| {
        let segments = out.values("segments").into_iter();
        let own = segments.filter(|s| s["home"] == home);
        own.map(|s| text(&s["start"])).collect::<Vec<_>>()
    };
    // A time without an offset is local, so it lies two hours before the other.
    assert_eq!(starts("b"), ["2024-07-01T22:31:00+02:00"]);
    assert_eq!(starts("n"), ["2024-07-01T18:31:00-04:00"]);
    assert_eq!(starts("z"), ["2024-07-01T22:30:00+00:00"]);
    let refused = out.refused("rejected");
    let [(source, reason)] = &refused[..] else {
        panic!("{refused:?}")
    };
    assert_eq!(source, "log.jsonl:3");
    assert!(
        reason.contains("unknown action `0` of device `box`"),
        "{reason}"
    );
    assert_eq!(out.summary()["notes"], json!([]));
    // Nobody says where the homes are.
    let none = replay(dir, "log.jsonl", "none", "");
    let notes = text(&none.summary()["notes"][0]);
    assert!(notes.contains("--timezone"), "{notes}");
    // One zone for all; what is written was local there.
    let all = replay(dir, "log.jsonl", "all", "--timezone Asia/Tokyo");
    let starts: Vec<_> = all
        .values("segments")
        .iter()
        .map(|s| text(&s["start"]))
        .collect();
    assert!(
        starts.iter().all(|start| start.ends_with("+09:00")),
        "{starts:?}"
    );
    assert_eq!(all.summary()["notes"], json!([]));
    // What a model says of itself, too, is by the home's clock.
    for (run, since) in [("out", "2024-07-01T22:31:00+02:00"), ("all", "+09:00")] {
        let shown = hearth(dir, &format!("model show {run} --home b"))
            .fine()
            .stdout;
        assert!(shown.contains(since), "{shown}");
    }
}

/// What a cohort's homes begin with is made of their own events alone.
#[test]
fn cohorts_share_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    hearth(dir, "simulate --homes 4 --days 3 --seed 7 --out sim").fine();
    let jsonl = std::fs::read_to_string(dir.join("sim/events.jsonl")).unwrap();
    let of = |homes: [&str; 2]| {
        let mine = |line: &&str| {
            let event: Value = serde_json::from_str(line).unwrap();
            homes.contains(&event["home"].as_str().unwrap())
        };
        let lines = jsonl.lines().filter(mine).map(|line| format!("{line}\n"));
        lines.collect::<String>()
    };
    write(dir, "half.jsonl", of(["h-1", "h-2"]));
    let homes = ["h-1", "h-2"].map(|h| format!("{{\"home\":\"{h}\",\"cohort\":\"flats\"}}\n"));
    write(dir, "homes.jsonl", homes.concat());
    // All in one epoch: the warm-up is the whole log.
    let options = "--homes homes.jsonl --epoch-events 1000000";
    for catalog in ["", "--catalog sim/catalog.json"] {
        let replay = |log: &str, out: &str| {
            let command =
                format!("replay {log} --out {out} --synthesizer none {options} {catalog}");
            hearth(dir, &format!("{command} {HARDLY_TRAINED}")).fine();
            let models = dir.join(out).join("models");
            let model = |folder: &str| {
                let file = models.join(folder).join("encoder-0.safetensors");
                std::fs::read(file).unwrap_or_default()
            };
            (model("cohorts/flats"), model("cohort"))
        };
        let (flats, others) = replay("sim/events.jsonl", "both");
        let (alone, nobody) = replay("half.jsonl", "half");
        assert!(!alone.is_empty() && !others.is_empty());
        assert!(flats == alone && flats != others && nobody.is_empty());
    }
}

/// Readings as actions are refused by name, before anything is written.
#[test]
fn more_actions_than_a_home_can_have_are_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let mut log = String::new();
    for reading in 0..65_536 {
        let device = if reading % 8 == 0 { "lamp" } else { "meter" };
        log.push_str(&format!(
            "{{\"home\":\"x\",\"time\":\"2025-03-01T00:00:00Z\",\"device\":\"{device}\",\"action\":\"mode {reading}\"}}\n"
        ));
    }
    write(dir, "log.jsonl", log);
    let ended = hearth(dir, "replay log.jsonl --out out");
    assert_eq!(ended.code, Some(2), "{}", ended.stderr);
    let expected = "home `x` has more than 65535 different actions, most of them of device `meter`";
    assert!(ended.stderr.contains(expected), "{}", ended.stderr);
    assert!(!dir.join("out").exists());
}

#[test]
fn a_home_of_the_homes_file_that_the_log_has_not_is_noted() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    hearth(dir, "simulate --homes 2 --days 3 --seed 7 --out sim").fine();
    let homes = r#"{"home":"h-1"}
{"home":"h-2x","timezone":"Europe/Berlin"}"#;
    write(dir, "homes.jsonl", homes);
    let out = replay(dir, "sim/events.jsonl", "out", "--homes homes.jsonl");
    let notes = out.summary()["notes"].to_string();
    let said = "names 1 homes that have no segment (`h-2x`, `h-2`?)";
    assert!(notes.contains(said), "{notes}");
}
