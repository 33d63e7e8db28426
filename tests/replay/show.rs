//! `hearth show` on the output of a replay.

use super::household::{dir, first};
use serde_json::Value;

use super::program::hearth;

#[test]
fn the_table_names_every_home() {
    first();
    let shown = hearth(dir(), "show first").fine().stdout;
    for home in ["h-1", "h-2", "h-3"] {
        assert!(shown.contains(home), "{shown}");
    }
}

#[test]
fn a_home_is_shown_with_what_was_found_of_it() {
    let requests = first().values("requests");
    let own = requests.iter().find(|line| line["home"] == "h-2").unwrap();
    let shown = hearth(dir(), "show first --home h-2 --limit 0")
        .fine()
        .stdout;
    for word in ["h-2", own["request"].as_str().unwrap(), "promoted"] {
        assert!(shown.contains(word), "{word}: {shown}");
    }
    assert!(!shown.contains("h-1/"), "{shown}");
}

#[test]
fn a_graph_is_written_for_graphviz() {
    let transitions = first().values("transitions");
    let own = transitions.iter().find(|line| line["home"] == "h-3");
    let action = own.unwrap()["from"].as_str().unwrap();
    let dot = hearth(dir(), "show first --home h-3 --dot -").fine().stdout;
    assert!(dot.starts_with("digraph \"h-3\""), "{dot}");
    assert!(dot.contains(action) && dot.contains("->"), "{dot}");
    assert!(dot.trim_end().ends_with('}'), "{dot}");
}

#[test]
fn the_planted_truth_is_compared_with_what_was_found() {
    first();
    let shown = hearth(dir(), "show first --truth truth.jsonl")
        .fine()
        .stdout;
    assert!(shown.contains("anomal"), "{shown}");
    assert!(shown.contains("shift"), "{shown}");
}

#[test]
fn alarms_of_a_home_that_is_not_there_are_a_mistake() {
    first();
    for arguments in ["", " --json", " --csv"] {
        let ended = hearth(dir(), &format!("alarms first --home h-1x{arguments}"));
        assert_eq!(ended.code, Some(2), "{}", ended.stderr);
        assert!(
            ended.stderr.contains("did you mean `h-1`?"),
            "{}",
            ended.stderr
        );
        assert_eq!(ended.stdout, "");
    }
    hearth(dir(), "alarms first --home h-1 --since 2100-01-01").fine();
}

/// What is listed for a program goes to one that does not read on.
#[cfg(unix)]
#[test]
fn whoever_reads_may_stop_reading() {
    first();
    for arguments in [
        "support first",
        "model export first --home h-1",
        "alarms first",
    ] {
        let mut child = super::program::start(dir(), arguments);
        drop(child.stdout.take());
        let ended = super::program::end(child);
        assert_eq!((ended.code, &*ended.stderr), (Some(0), ""), "{arguments}");
    }
}

/// The alarms of a log in which a lot was planted: what stands in the file is listed, for people and programs.
#[test]
fn alarms_are_listed_with_their_reasons() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let simulate = "simulate --homes 4 --days 24 --seed 8 --anomalies 0.02 --shifts none --out sim";
    hearth(dir, simulate).fine();
    let replay = "replay sim/events.jsonl --catalog sim/catalog.json --synthesizer none --alarm-budget 1/7d --out out";
    let told = hearth(dir, replay).fine();
    assert!(told.stdout.contains("alarms") || told.stderr.contains("alarms"));
    let listed = hearth(dir, "alarms out --json").fine().stdout;
    let alarms: Vec<Value> = listed
        .lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect();
    assert!(!alarms.is_empty());
    for alarm in &alarms {
        assert!(!alarm["reasons"].as_array().unwrap().is_empty(), "{alarm}");
        assert!(
            alarm["score"].as_f64() > alarm["threshold"].as_f64(),
            "{alarm}"
        );
    }
    let text = hearth(dir, "alarms out").fine().stdout;
    let heads = text.lines().filter(|line| !line.starts_with(' '));
    assert_eq!(heads.count(), alarms.len(), "{text}");
    let home = alarms[0]["home"].as_str().unwrap();
    let of_home = hearth(dir, &format!("alarms out --home {home} --csv"))
        .fine()
        .stdout;
    let own = alarms.iter().filter(|alarm| alarm["home"] == home);
    assert_eq!(of_home.lines().count(), own.count() + 1, "{of_home}");
    let none = hearth(dir, "alarms out --since 2100-01-01").fine().stdout;
    assert_eq!(none.trim(), "no such alarms");
    let wrong = hearth(dir, "alarms out --since yesterday");
    assert_eq!(wrong.code, Some(2), "{}", wrong.stderr);
}

#[test]
fn a_home_that_is_not_there_is_said_so() {
    first();
    let shown = hearth(dir(), "show first --home nobody");
    assert_ne!(shown.code, Some(0), "{}", shown.stdout);
    assert!(shown.stderr.contains("nobody"), "{}", shown.stderr);
}
