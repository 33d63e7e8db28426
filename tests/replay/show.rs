//! `hearth show` on the output of a replay.

use super::household::{dir, first};
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
fn a_home_that_is_not_there_is_said_so() {
    first();
    let shown = hearth(dir(), "show first --home nobody");
    assert_ne!(shown.code, Some(0), "{}", shown.stdout);
    assert!(shown.stderr.contains("nobody"), "{}", shown.stderr);
}
