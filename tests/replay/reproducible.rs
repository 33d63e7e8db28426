//! Same log, configuration and seed: the same lines, whoever does the work.

use std::collections::BTreeSet;

use serde_json::Value;

use super::household::{first, replay};
use super::program::{Folder, STREAMS, same_lines};

#[test]
fn the_log_fills_every_file_over_many_epochs() {
    for stream in STREAMS {
        assert!(!first().lines(stream).is_empty(), "{stream} is empty");
    }
    for stream in ["segments", "transitions", "representatives", "scores"] {
        let epochs = first().values(stream).into_iter();
        let epochs: BTreeSet<_> = epochs.map(|line| line["epoch"].as_u64().unwrap()).collect();
        assert!(epochs.len() > 5, "{stream}: {epochs:?}");
    }
    let revised = first().values("segments");
    assert!(
        revised.iter().any(|line| line["diff"] == -1),
        "nothing was late enough to change a segment"
    );
}

/// Insists that each file is in order of epochs.
fn in_order(output: &Folder) {
    for stream in STREAMS {
        let path = output.0.join(stream).with_extension("jsonl");
        let text = std::fs::read_to_string(path).unwrap();
        let epoch = |line: &str| serde_json::from_str::<Value>(line).unwrap()["epoch"].as_u64();
        let epochs: Vec<_> = text.lines().map(epoch).collect();
        assert!(epochs.is_sorted(), "{stream}: {epochs:?}");
    }
}

#[test]
fn files_are_in_order_of_epochs() {
    in_order(first());
}

#[test]
fn two_workers_and_two_threads_give_the_same() {
    let other = replay("two", "--workers 2 --threads 2");
    in_order(&other);
    assert_eq!(other.summary()["workers"], 2);
    same_lines(first(), &other, &STREAMS);
}

#[test]
fn three_workers_give_the_same() {
    let other = replay("three", "--workers 3 --threads 1");
    in_order(&other);
    assert_eq!(other.summary()["workers"], 3);
    same_lines(first(), &other, &STREAMS);
}

#[test]
fn a_second_run_gives_the_same() {
    let other = replay("again", "--workers 1 --threads 1");
    same_lines(first(), &other, &STREAMS);
}

#[test]
fn another_seed_changes_what_models_say_and_nothing_else() {
    let other = replay("seed", "--threads 1 --seed 7");
    assert_eq!(other.summary()["seed"], 7);
    let exact = ["segments", "transitions", "late", "rejected"];
    same_lines(first(), &other, &exact);
    for stream in ["verdicts", "scores"] {
        assert_ne!(first().lines(stream), other.lines(stream), "{stream}");
    }
}
