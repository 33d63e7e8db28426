//! Models that a replay left: the same for any number of workers, looked at, and used on what comes later.

use std::path::Path;

use serde_json::Value;

use super::household;
use super::program::{Folder, hearth, text, write};

const OPTIONS: &str = "--catalog catalog.json --max-gap 2h --epoch-events 1 --warm-up 100";

fn kept(folder: &Folder) -> Vec<u8> {
    std::fs::read(folder.0.join("models/homes.kept")).unwrap()
}

#[test]
fn the_file_is_the_same_for_any_number_of_workers() {
    let three = household::replay("kept", "--workers 3 --threads 2");
    assert!(kept(household::first()) == kept(&three));
}

/// A score without its epoch.
fn said(line: &Value) -> String {
    let mut line = line.clone();
    line.as_object_mut().unwrap().remove("epoch");
    line.to_string()
}

fn sorted(lines: impl Iterator<Item = Value>) -> Vec<String> {
    let mut lines: Vec<String> = lines.map(|line| said(&line)).collect();
    lines.sort_unstable();
    lines
}

/// One home's log, cut where a segment begins: `before.jsonl` and `after.jsonl`. The whole replay.
fn cut(dir: &Path) -> (Folder, String) {
    hearth(
        dir,
        "simulate --homes 1 --days 24 --seed 9 --anomalies 0.02 --out .",
    )
    .fine();
    hearth(dir, &format!("replay events.jsonl --out whole {OPTIONS}")).fine();
    let whole = Folder(dir.join("whole"));
    let mut starts: Vec<String> = whole
        .values("segments")
        .iter()
        .map(|s| text(&s["start"]))
        .collect();
    starts.sort_unstable();
    let cut = starts[starts.len() * 2 / 3].clone();
    let events = std::fs::read_to_string(dir.join("events.jsonl")).unwrap();
    let is_before = |line: &&str| {
        let event: Value = serde_json::from_str(line).unwrap();
        text(&event["time"]) < cut
    };
    let (before, after): (Vec<&str>, Vec<&str>) = events.lines().partition(is_before);
    write(dir, "before.jsonl", before.join("\n"));
    write(dir, "after.jsonl", after.join("\n"));
    hearth(dir, &format!("replay before.jsonl --out out {OPTIONS}")).fine();
    (whole, cut)
}

#[test]
fn what_comes_later_is_judged_as_a_replay_of_all_judges_it() {
    let dir = tempfile::tempdir().unwrap();
    let (whole, cut) = cut(dir.path());
    let later = whole
        .values("scores")
        .into_iter()
        .filter(|line| text(&line["time"]) >= cut);
    let expected = sorted(later);
    assert!(expected.len() > 100);
    let lines = |output: &str| -> Vec<Value> {
        output
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    };
    let applied = hearth(dir.path(), "model apply out --home h-1 after.jsonl").fine();
    assert_eq!(sorted(lines(&applied.stdout).into_iter()), expected);
    assert!(
        applied.stderr.contains("0 lines that are no events"),
        "{}",
        applied.stderr
    );

    // What replay calls columns is called so here.
    let named = std::fs::read_to_string(dir.path().join("after.jsonl")).unwrap();
    let named = named.replace("\"home\":", "\"house\":");
    write(dir.path(), "named.jsonl", named);
    let again = "model apply out --home h-1 named.jsonl --columns home=house";
    let columns = hearth(dir.path(), again).fine();
    assert_eq!(columns.stdout, applied.stdout);

    // Nothing is learnt: the scores are others, and the file stays as it was.
    let before = kept(&Folder(dir.path().join("out")));
    let frozen = hearth(
        dir.path(),
        "model apply out --home h-1 after.jsonl --frozen --out frozen.jsonl",
    )
    .fine();
    assert_eq!(frozen.stdout, "");
    let frozen = std::fs::read_to_string(dir.path().join("frozen.jsonl")).unwrap();
    let frozen = lines(&frozen);
    assert_eq!(frozen.len(), expected.len());
    assert_ne!(sorted(frozen.into_iter()), expected);
    assert!(before == kept(&Folder(dir.path().join("out"))));

    let csv = hearth(dir.path(), "model apply out --home h-1 after.jsonl --csv")
        .fine()
        .stdout;
    assert_eq!(csv.lines().count(), 1 + expected.len());
    assert!(csv.starts_with("home,time,action,score,threshold,anomaly,"));

    // A log of another home, with a line that is nothing.
    let events = std::fs::read_to_string(dir.path().join("after.jsonl")).unwrap();
    write(
        dir.path(),
        "other.jsonl",
        events.replace("\"h-1\"", "\"h-2\"") + "\nnothing\n",
    );
    let other = hearth(dir.path(), "model apply out --home h-1 other.jsonl");
    assert_eq!((other.code, &*other.stdout), (Some(1), ""));
    for said in [
        "1 lines that are no events",
        "there is no event of `h-1` that could be judged",
    ] {
        assert!(other.stderr.contains(said), "{}", other.stderr);
    }
}

#[test]
fn models_are_shown_to_people_and_programs() {
    let dir = household::dir();
    let out = household::first().0.display();
    let list = hearth(dir, &format!("model list {out}")).fine().stdout;
    assert_eq!(list.lines().count(), 4, "{list}");
    let json = hearth(dir, &format!("model list {out} --json"))
        .fine()
        .stdout;
    let lines: Vec<Value> = json
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(text(&lines[0]["home"]), "h-1");
    assert!(
        lines
            .iter()
            .all(|line| line["behaviors"].as_i64() > Some(100)),
        "{json}"
    );
    assert!(
        lines.iter().all(|line| line["context"].is_string()),
        "a shift each: {json}"
    );

    let export = hearth(dir, &format!("model export {out} --home h-2"))
        .fine()
        .stdout;
    let export: Value = serde_json::from_str(&export).unwrap();
    let times = |action: &Value| action["times"].as_i64().unwrap();
    let actions = export["actions"].as_array().unwrap();
    assert_eq!(
        actions.iter().map(times).sum::<i64>(),
        export["kept"].as_i64().unwrap()
    );
    let hours = actions
        .iter()
        .flat_map(|action| action["hours"].as_array().unwrap());
    let hours = hours.map(|n| n.as_i64().unwrap());
    assert_eq!(hours.sum::<i64>(), export["kept"].as_i64().unwrap());
    let show = hearth(dir, &format!("model show {out} --home h-2"))
        .fine()
        .stdout;
    assert!(show.contains(&text(&actions[0]["action"])), "{show}");
    assert!(
        show.contains("left of the budget of 1 in 30 days"),
        "{show}"
    );
}

#[test]
fn what_is_not_there_is_told() {
    let dir = household::dir();
    let out = household::first().0.display();
    let refused = hearth(dir, &format!("model show {out} --home h-11"));
    assert_eq!(refused.code, Some(2));
    assert!(
        refused.stderr.contains("no home `h-11`; it holds `h-1`"),
        "{}",
        refused.stderr
    );

    let empty = tempfile::tempdir().unwrap();
    let refused = hearth(empty.path(), "model list .");
    assert_eq!(refused.code, Some(2));
    assert!(
        refused.stderr.contains("holds no models of homes"),
        "{}",
        refused.stderr
    );

    std::fs::create_dir(empty.path().join("models")).unwrap();
    let mut bytes = kept(household::first());
    let last = bytes.len() - 40;
    bytes[last] ^= 1;
    write(empty.path(), "models/homes.kept", bytes);
    let refused = hearth(empty.path(), "model list .");
    assert_eq!(refused.code, Some(2));
    assert!(refused.stderr.contains("damaged"), "{}", refused.stderr);
}
