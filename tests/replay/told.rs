//! What people say: that an alarm was fine, and that something is to be forgotten.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};

use super::program::{Folder, STREAMS, hearth, same_lines, text, write};

const SIMULATE: &str =
    "simulate --homes 4 --days 24 --seed 8 --anomalies 0.02 --shifts none --out sim";
const REPLAY: &str = "replay --catalog sim/catalog.json --synthesizer none --alarm-budget 1/7d \
     --epoch-events 500";

/// What a collection's lines leave, without their epochs.
fn stands(folder: &Folder, stream: &str) -> BTreeMap<String, i64> {
    let mut sums = BTreeMap::new();
    for mut line in folder.values(stream) {
        let line = line.as_object_mut().unwrap();
        line.remove("epoch");
        let diff = line.remove("diff").unwrap().as_i64().unwrap();
        *sums
            .entry(Value::Object(line.clone()).to_string())
            .or_default() += diff;
    }
    sums.retain(|_, sum| *sum != 0);
    sums
}

/// A home that is away, or has guests, is not called; before and after, and other homes, are. One line in the log, one in a file of
/// contexts.
#[test]
fn a_home_that_is_quiet_is_not_called() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    hearth(dir, SIMULATE).fine();
    hearth(dir, &format!("{REPLAY} sim/events.jsonl --out first")).fine();
    let raised = |out: &str| {
        let alarms = Folder(dir.join(out)).values("alarms");
        let raised = alarms.iter().filter(|alarm| alarm["diff"] == 1);
        let named = raised.map(|alarm| (text(&alarm["home"]), text(&alarm["alarm"])));
        named.collect::<Vec<_>>()
    };
    let first = raised("first");
    let (home, alarm) = first[0].clone();
    let of_home = |all: &[(String, String)]| all.iter().filter(|(of, _)| *of == home).count();
    assert!(of_home(&first) > 1 && of_home(&first) < first.len());
    let mode =
        |time: &str, mode: &str| format!("{}\n", json!({"home": home, "time": time, "mode": mode}));
    let events = std::fs::read_to_string(dir.join("sim/events.jsonl")).unwrap();
    write(dir, "events.jsonl", mode(&alarm, "away") + &events);
    write(
        dir,
        "contexts.jsonl",
        mode(&alarm, "guests") + "{\"home\":1}\n",
    );
    let ended = hearth(dir, &format!("{REPLAY} events.jsonl --out logged")).fine();
    assert!(!ended.stdout.contains("rejected  "), "{}", ended.stdout);
    let told = format!("{REPLAY} sim/events.jsonl --contexts contexts.jsonl --out told");
    hearth(dir, &told).fine();
    assert_eq!(Folder(dir.join("told")).summary()["rejected_contexts"], 1);
    for out in ["logged", "told"] {
        let now = raised(out);
        let before = first.iter().filter(|(of, at)| *of == home && *at < alarm);
        assert_eq!(of_home(&now), before.count(), "{out}");
        assert!(now.len() > of_home(&now));
    }
}

#[test]
fn what_was_fine_is_an_input() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    hearth(dir, SIMULATE).fine();
    hearth(dir, &format!("{REPLAY} sim/events.jsonl --out first")).fine();
    let alarms = Folder(dir.join("first")).values("alarms");
    let alarm = alarms.iter().find(|alarm| alarm["diff"] == 1).unwrap();
    let fine = json!({"home": alarm["home"], "alarm": alarm["alarm"], "fine": true});
    let lines = [
        fine.to_string(),
        r#"{"home":"h-1","alarm":"2001-01-01T00:00:00Z","fine":true}"#.to_owned(),
        r#"{"home":"nobody","alarm":"2001-01-01T00:00:00Z","fine":true}"#.to_owned(),
        r#"{"home":"h-1","alarm":"h-1/7","fine":true}"#.to_owned(),
        r#"{"home":"h-1","alarm":"2001-01-01T00:00:00Z","fine":false}"#.to_owned(),
    ];
    write(dir, "feedback.jsonl", lines.join("\n"));
    let ended = hearth(
        dir,
        &format!("{REPLAY} sim/events.jsonl --feedback feedback.jsonl --out out"),
    )
    .fine();
    let out = Folder(dir.join("out"));
    let expected = json!({"applied": 1, "unknown": 2, "rejected": 2});
    assert_eq!(out.summary()["feedback"], expected);
    assert!(ended.stdout.contains("feedback"), "{}", ended.stdout);
    let told = out.values("feedback");
    assert_eq!(told.len(), 3);
    for line in &told {
        let is_known = line["source"] == "feedback.jsonl:1";
        assert_eq!(line["applied"], is_known, "{line}");
        assert_eq!(line["reason"].is_string(), !is_known, "{line}");
    }
    let refused: BTreeMap<_, _> = out.refused("rejected").into_iter().collect();
    assert!(refused["feedback.jsonl:4"].contains("an alarm is named by"));
    assert!(refused["feedback.jsonl:5"].contains("`true` alone"));
    // It is no event.
    let [read, applied, ..] = out.accounting();
    let log = std::fs::read_to_string(dir.join("sim/events.jsonl")).unwrap();
    assert_eq!((read, applied), (log.lines().count() as u64, read));

    // In the log itself it counts where it stands.
    write(dir, "told.jsonl", format!("{log}{fine}\n"));
    hearth(dir, &format!("{REPLAY} told.jsonl --out in-log")).fine();
    let in_log = Folder(dir.join("in-log"));
    assert_eq!(in_log.summary()["feedback"]["applied"], 1);
    assert_eq!(in_log.accounting()[0], read);
}

/// The log of a simulated fleet with an erasure at two thirds and one at its end.
fn forgetful(dir: &Path) -> Vec<String> {
    hearth(dir, SIMULATE).fine();
    let log = std::fs::read_to_string(dir.join("sim/events.jsonl")).unwrap();
    let mut lines: Vec<String> = log.lines().map(str::to_owned).collect();
    let third = lines.len() / 3;
    lines.insert(2 * third, r#"{"home":"h-2","erase":{}}"#.to_owned());
    lines.push(r#"{"home":"h-2","erase":{}}"#.to_owned());
    lines.push(r#"{"home":"h-2","erase":{}}"#.to_owned());
    lines.push(r#"{"home":"h-3","erase":{"form":"2001-01-01"}}"#.to_owned());
    write(dir, "events.jsonl", lines.join("\n"));
    lines
}

#[test]
fn an_erased_home_was_never_there() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let lines = forgetful(dir);
    let is_event = |line: &&String| !line.contains("\"erase\"");
    let without = lines
        .iter()
        .filter(is_event)
        .filter(|l| !l.contains("\"h-2\""));
    write(
        dir,
        "without.jsonl",
        without.cloned().collect::<Vec<_>>().join("\n"),
    );
    hearth(dir, &format!("{REPLAY} events.jsonl --workers 2 --out out")).fine();
    hearth(dir, &format!("{REPLAY} without.jsonl --out without")).fine();
    hearth(
        dir,
        &format!("{REPLAY} events.jsonl --out compact --compact"),
    )
    .fine();
    hearth(dir, "pack events.jsonl --out events.hlog").fine();
    hearth(dir, &format!("{REPLAY} events.hlog --out packed")).fine();
    let [out, without, compact, packed] =
        ["out", "without", "compact", "packed"].map(|n| Folder(dir.join(n)));
    for stream in ["segments", "transitions"] {
        assert_eq!(stands(&out, stream), stands(&without, stream), "{stream}");
        assert_eq!(
            stands(&packed, stream),
            stands(&without, stream),
            "{stream}"
        );
        let lines = compact.values(stream);
        assert_eq!(lines.len(), stands(&without, stream).len(), "{stream}");
    }
    let alarms = stands(&out, "alarms").into_keys();
    assert!(alarms.into_iter().all(|alarm| !alarm.contains("\"h-2\"")));
    let summary = out.summary();
    let expected = json!({"applied": 2, "nothing": 1, "rejected": 1});
    assert_eq!(summary["erasures"], expected);
    assert_eq!(packed.summary()["erasures"], expected);
    assert_eq!(packed.accounting(), out.accounting());
    let own = lines
        .iter()
        .filter(is_event)
        .filter(|l| l.contains("\"h-2\""))
        .count();
    assert_eq!(summary["events"]["erased"], own);
    assert_eq!(summary["segments"], without.summary()["segments"]);
    for (source, reason) in out.refused("rejected") {
        assert!(source.starts_with("events.jsonl:"), "{source}");
        assert!(reason.contains("form"), "{reason}");
    }
    let all = std::fs::read_dir(dir.join("compact")).unwrap();
    for file in all
        .map(|file| file.unwrap().path())
        .filter(|path| path.is_file())
    {
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(!text.contains("h-2"), "{}", file.display());
    }
}

#[test]
fn a_folder_forgets_a_home_afterwards() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    hearth(dir, SIMULATE).fine();
    hearth(dir, &format!("{REPLAY} sim/events.jsonl --out out")).fine();
    let out = Folder(dir.join("out"));
    let device = text(&out.values("segments")[0]["behaviors"][0]["device"]);
    let told = hearth(dir, "erase out --home h-2").fine().stdout;
    assert!(
        told.contains("segments") && told.contains("scores"),
        "{told}"
    );
    for file in std::fs::read_dir(dir.join("out")).unwrap() {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap_or_default();
        assert!(!text.contains("\"h-2\""));
    }
    let lines = out.summary()["lines"]["segments"].as_u64();
    assert_eq!(lines, Some(out.lines("segments").len() as u64));
    let nothing = hearth(dir, "erase out --home h-2");
    assert_eq!(nothing.code, Some(1), "{}", nothing.stderr);
    assert!(
        nothing.stderr.contains("holds nothing of h-2"),
        "{}",
        nothing.stderr
    );
    // What is mistyped takes nothing with it.
    for nothing in ["--device Gramophone", "--from 2301-01-01"] {
        let ended = hearth(dir, &format!("erase out --home h-1 {nothing}"));
        assert_eq!(ended.code, Some(1), "{nothing}: {}", ended.stderr);
        hearth(dir, "model show out --home h-1").fine();
    }
    let of_device = format!("erase out --home h-1 --device {device}");
    if !device.contains(' ') && hearth(dir, &of_device).code == Some(0) {
        let scores = out.values("scores");
        let gone = |line: &Value| {
            let action = text(&line["action"]);
            line["home"] == "h-1" && action.starts_with(&format!("{device}:"))
        };
        assert!(!scores.iter().any(gone));
    }
    write(dir, "out/inbox.jsonl", "");
    let live = hearth(dir, "erase out --home h-1");
    assert!(
        live.code == Some(2) && live.stderr.contains("/erasures"),
        "{}",
        live.stderr
    );
    let wrong = hearth(dir, "erase out --home h-1 --from yesterday");
    assert_eq!(wrong.code, Some(2), "{}", wrong.stderr);
}

/// What a home did long ago goes, in the epoch that says so, whatever the workers; the sums agree.
#[test]
fn what_is_not_kept_is_erased() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    hearth(dir, SIMULATE).fine();
    let replay = REPLAY.replace("--epoch-events 500", "--epoch-events 100");
    let replayed = |more: &str, out: &str| {
        hearth(
            dir,
            &format!("{replay} sim/events.jsonl {more} --out {out}"),
        )
        .fine();
        Folder(dir.join(out))
    };
    let (all, kept) = (replayed("", "all"), replayed("--keep 8d", "kept"));
    let other = replayed("--keep 8d --workers 3", "other");
    same_lines(&kept, &other, &STREAMS);
    let erasures = kept.values("erasures");
    assert!(erasures.len() >= 4 * 5, "{erasures:?}");
    assert!(erasures.iter().all(|line| line["source"] == "--keep"));
    let gone = erasures.iter().map(|line| line["events"].as_u64().unwrap());
    let [read, applied, duplicate, late, rejected] = kept.accounting();
    let erased = kept.summary()["events"]["erased"].as_u64().unwrap();
    assert_eq!(erased, gone.sum::<u64>());
    assert_eq!(read, applied + duplicate + late + rejected + erased);
    // What stands is what stood without, from the last time on that was named.
    let last: BTreeMap<String, String> = erasures
        .iter()
        .map(|line| (text(&line["home"]), text(&line["to"])))
        .collect();
    let mut expected = stands(&all, "segments");
    expected.retain(|line, _| {
        let line: Value = serde_json::from_str(line).unwrap();
        let start: jiff::Timestamp = text(&line["start"]).parse().unwrap();
        start >= last[&text(&line["home"])].parse().unwrap()
    });
    assert_eq!(stands(&kept, "segments"), expected);
    assert!(expected.len() < stands(&all, "segments").len() / 2);
}
