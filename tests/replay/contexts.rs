//! Declared shifts: good, bad, for all homes, and in words that nobody can read.

use std::collections::{BTreeMap, BTreeSet};

use super::program::{Folder, HARDLY_TRAINED, hearth, text, write};

#[test]
fn bad_contexts_are_told_and_a_shift_of_all_homes_reaches_each() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    hearth(dir, "simulate --homes 3 --days 5 --seed 7 --out sim").fine();
    let contexts = [
        r#"{"home":"*","time":"2025-01-09T00:00:00Z","kind":"text","from":"as usual","to":"zwölf Blumen"}"#,
        r#"{"home":"h-1","time":"2025-01-09T00:00:00Z","kind":"weather","from":"rain","to":"sun"}"#,
        "",
        r#"{"home":"h-1","time":"2025-01-09T00:00:00Z","kind":"season","from":"winter","to":"night"}"#,
        "{",
    ];
    write(dir, "contexts.jsonl", contexts.join("\n"));
    let files = "sim/events.jsonl --catalog sim/catalog.json --contexts contexts.jsonl";
    let command = format!("replay {files} --out out --epoch-events 64 {HARDLY_TRAINED}");
    let ended = hearth(dir, &command);
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    let none = "none of the 9 requests was answered";
    assert!(ended.stderr.contains(none), "{}", ended.stderr);
    let output = Folder(dir.join("out"));
    let summary = output.summary();

    let refused = output.refused("rejected");
    assert_eq!(refused.len(), 3, "{refused:?}");
    let refused: BTreeMap<_, _> = refused.into_iter().collect();
    for (line, cause) in [
        (2, "unknown kind `weather`"),
        (4, "`night` is no season"),
        (5, "malformed JSON"),
    ] {
        let told = refused.get(&format!("contexts.jsonl:{line}"));
        let told = told.map_or("nothing", String::as_str);
        assert!(told.contains(cause), "line {line}, {cause}: {told}");
    }
    assert_eq!(summary["rejected_contexts"], 3);
    let [read, applied, duplicate, late, rejected] = output.accounting();
    let log = std::fs::read_to_string(dir.join("sim/events.jsonl")).unwrap();
    assert_eq!(read, log.lines().count() as u64);
    assert_eq!([applied, duplicate, late, rejected], [read, 0, 0, 0]);

    let requests = output.values("requests");
    let homes: BTreeSet<_> = requests.iter().map(|line| text(&line["home"])).collect();
    assert_eq!(homes, ["h-1", "h-2", "h-3"].map(String::from).into());
    let asked: BTreeSet<_> = requests.iter().map(|line| text(&line["request"])).collect();
    let verdicts = output.values("verdicts");
    let answered: BTreeSet<_> = verdicts.iter().map(|line| text(&line["request"])).collect();
    assert_eq!(answered, asked);
    for verdict in &verdicts {
        assert_eq!(verdict["stage"], 0, "{verdict}");
        assert_eq!(verdict["verdict"], "delete", "{verdict}");
        assert_eq!(verdict["sequence"], serde_json::json!([]), "{verdict}");
        assert!(
            text(&verdict["reason"]).contains("zwölf Blumen"),
            "{verdict}"
        );
    }
    assert_eq!(summary["failures"], verdicts.len());
    assert_eq!(summary["adaptations"]["promoted"], 0);
    assert!(ended.stdout.contains("requests"), "{}", ended.stdout);
}

#[test]
fn a_context_of_a_home_without_events_is_no_home_and_named() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let event = r#"{"home":"h-1","time":"2025-06-02T08:00:00Z","device":"Light","action":"on"}"#;
    write(dir, "log.jsonl", event);
    let context =
        r#"{"home":"h-9","time":"2025-06-02","kind":"Season","from":"Spring","to":"summer"}"#;
    write(dir, "contexts.jsonl", context);
    let command = "replay log.jsonl --contexts contexts.jsonl --out out";
    let ended = hearth(dir, &format!("{command} {HARDLY_TRAINED}"));
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert!(
        ended.stderr.contains("no declared shift"),
        "{}",
        ended.stderr
    );
    assert!(ended.stdout.contains("`h-9`, `h-1`?"), "{}", ended.stdout);
    let summary = Folder(dir.join("out")).summary();
    assert_eq!(summary["homes"], 1);
    assert_eq!(summary["rejected_contexts"], 0);
}

#[test]
fn a_shift_is_asked_about_when_it_is_final_or_earlier() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    hearth(dir, "simulate --homes 3 --days 12 --seed 7 --out sim").fine();
    let files = "sim/events.jsonl --catalog sim/catalog.json --contexts sim/contexts.jsonl";
    let asked = |out: &str, options: &str| {
        let command = format!("replay {files} --out {out} --epoch-events 64 {options}");
        hearth(dir, &format!("{command} {HARDLY_TRAINED}")).fine();
        let requests = Folder(dir.join(out)).values("requests");
        let asked = requests
            .iter()
            .map(|line| (text(&line["home"]), line["epoch"].as_u64().unwrap()));
        asked.collect::<BTreeMap<_, _>>()
    };
    let (last, early) = (asked("final", ""), asked("early", "--ask-after 1h"));
    assert_eq!(last.len(), 3);
    assert_eq!(early.len(), 3);
    for (home, epoch) in &early {
        assert!(epoch < &last[home], "{home}: {epoch}, {}", last[home]);
    }
    // Where shifts are found, too, only what is final says which regime ended first.
    let found = ["", "--ask-after 1h"].map(|option| {
        let out = format!("found-{}", option.len());
        asked(&out, &format!("--on-drift adapt {option}"))
    });
    assert_eq!(found[0], found[1]);

    let refused = hearth(dir, &format!("replay {files} --out out --ask-after soon"));
    assert_eq!(refused.code, Some(2), "{}", refused.stderr);
    assert!(refused.stderr.contains("or final"), "{}", refused.stderr);
}

#[test]
fn a_shift_before_everything_is_noted() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    hearth(dir, "simulate --homes 2 --days 5 --seed 7 --out sim").fine();
    let context = |home: u32, year: u32| {
        format!(
            r#"{{"home":"h-{home}","time":"{year}-01-09T00:00:00Z","kind":"season","from":"winter","to":"spring"}}"#
        )
    };
    write(
        dir,
        "contexts.jsonl",
        [context(1, 2024), context(2, 2025)].join("\n"),
    );
    let files = "sim/events.jsonl --catalog sim/catalog.json --contexts contexts.jsonl";
    hearth(dir, &format!("replay {files} --out out {HARDLY_TRAINED}")).fine();
    let notes = Folder(dir.join("out")).summary()["notes"].to_string();
    assert!(notes.contains("1 homes (`h-1`) lie before all"), "{notes}");
}
