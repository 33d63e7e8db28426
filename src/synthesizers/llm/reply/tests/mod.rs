//! Replies on file, replies as long as one likes, replies mutated, and the replies that the paper's authors recorded.

mod cases;
mod fuzz;
mod recorded;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::sync::Arc;

use hearth_operators::validate::MAX_LENGTH;
use hearth_operators::words::Catalog;

use super::*;
use crate::catalog::device;

/// Devices and their actions, as a catalog.
fn catalog_of(devices: BTreeMap<String, Vec<String>>) -> Arc<Catalog> {
    let devices = devices.into_iter();
    let devices = devices.map(|(name, actions)| device(name, actions));
    Arc::new(Catalog::new(devices.collect()).unwrap())
}

/// A home that the cases are about.
fn small_catalog() -> Arc<Catalog> {
    let devices = [
        ("Blind", "windowShade open,windowShade close"),
        ("Fan", "switch on,switch off,fanSpeed setFanSpeed"),
        ("Light", "switch on,switch off,setLevel"),
        ("Children's \"lamp\"", "switch on,switch off"),
        ("Heater", "switch on,switch off"),
    ];
    let split = |actions: &str| actions.split(',').map(str::to_owned).collect();
    catalog_of(
        devices
            .map(|(name, actions)| (name.to_owned(), split(actions)))
            .into(),
    )
}

/// The authors' recorded replies on a data set, with the catalog of its names; `None`, and a line that says so, where the
/// data is not.
fn recorded_replies(set: &str) -> Option<(Arc<Catalog>, Vec<serde_json::Value>)> {
    let data = std::env::var_os("HEARTH_DATA").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/data"),
        PathBuf::from,
    );
    let folder = data.join("smartgen").join(set);
    let Ok(names) = std::fs::read_to_string(folder.join("vocab.json")) else {
        eprintln!("SKIPPED: no {} (set HEARTH_DATA)", folder.display());
        return None;
    };
    let names: serde_json::Value = serde_json::from_str(&names).unwrap();
    let mut devices: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for full in names["actions"].as_object().unwrap().values() {
        let (device, action) = full.as_str().unwrap().split_once(':').unwrap();
        devices
            .entry(device.to_owned())
            .or_default()
            .push(action.to_owned());
    }
    let file = File::open(folder.join("llm/responses.jsonl.gz")).unwrap();
    let lines = BufReader::new(flate2::read::MultiGzDecoder::new(file)).lines();
    let replies = lines.map(|line| serde_json::from_str(&line.unwrap()).unwrap());
    Some((catalog_of(devices), replies.collect()))
}

/// A list of `n` behaviours in the paper's flat form.
fn flat(n: usize) -> String {
    let behavior = "'Monday', '(6~9)', 'Light', 'Light:switch on'";
    format!("[{}]", vec![behavior; n].join(", "))
}

#[test]
fn a_million_behaviours_are_cut_off_with_a_reason() {
    let reader = Reader::new(small_catalog());
    // In one sequence.
    let read = reader.read(&format!("<seq [{}] seq>", flat(20_000)), &[]);
    let read = read.unwrap();
    assert_eq!(read.len(), 1);
    let reason = read[0].as_ref().unwrap_err();
    assert!(
        reason.starts_with("20000 behaviours are more than 256: "),
        "{reason}"
    );
    assert!(
        reader
            .read(&format!("<seq [{}] seq>", flat(MAX_LENGTH)), &[])
            .unwrap()[0]
            .is_ok()
    );
    // In as many sequences.
    let many = vec![flat(1); 1_000_000].join(", ");
    let read = reader.read(&format!("<seq [{many}] seq>"), &[]).unwrap();
    assert_eq!(read.len(), MAX_SEQUENCES + 2);
    assert!(read[..MAX_SEQUENCES].iter().all(Result::is_ok));
    let reasons: Vec<_> = read[MAX_SEQUENCES..]
        .iter()
        .flat_map(|r| r.as_ref().err())
        .collect();
    assert_eq!(
        reasons,
        [
            "there are more than 1000 sequences; the rest was left out",
            "the reply is longer than 1048576 bytes; the rest was not read"
        ]
    );
    // Without an end in sight.
    let endless = vec![flat(3); 100].join(", ") + &", 'Monday'".repeat(1 << 20);
    let read = reader.read(&format!("<seq [{endless}"), &[]).unwrap();
    let [Err(mixed), Err(cut)] = &read[..] else {
        panic!("{read:?}");
    };
    assert!(mixed.starts_with("words and lists are mixed"), "{mixed}");
    assert!(cut.starts_with("the reply is longer than"), "{cut}");
}

/// Twice the text, at most twice the steps: on the texts that would be dearest to a reader that looks back.
#[test]
fn the_work_is_linear_in_the_text() {
    let reader = Reader::new(small_catalog());
    for piece in [
        "[",
        "{",
        "]",
        "(",
        "'",
        "\"",
        "''",
        "' ",
        "\\",
        "\\u",
        "#",
        "//",
        "`",
        "<seq",
        "seq>",
        "[[",
        "[]",
        "{'",
        "{'a':",
        "'a",
        "'a]\n",
        "a\n\n",
        "[(",
        "[{(",
        "('",
        "'\n",
        "'      ",
        "<seq [",
        "[['a']] ",
        "],]}\n",
        "[['(6~9)','Fan','Fan:switch on','Monday'],",
        "['Monday',",
        "{\"sequences\":[",
        "é",
        "\u{0}",
    ] {
        let steps = |times: usize| {
            let text = format!("<seq [['Monday' {}", piece.repeat(times));
            let (_, steps) = reader.measured(&text, &[&text]);
            steps as f64 / text.len() as f64
        };
        let (once, twice) = (steps(5_000), steps(10_000));
        assert!(
            twice < 1.1 * once + 1.0,
            "{piece:?}: {once} steps a byte, then {twice}"
        );
        assert!(
            once < fuzz::STEPS_PER_BYTE as f64,
            "{piece:?}: {once} steps a byte"
        );
    }
}
