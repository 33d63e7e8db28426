//! Golden cases: each folder of `tests/cases/` is a small input and what Hearth makes of it. See the README there.
//!
//! A case is run with one worker, with three, and suspended twice on the way; the first run is held to `expected/`, the others to
//! the first, to the letter.

use std::collections::{BTreeMap, BTreeSet};
use std::num::{NonZeroU64, NonZeroUsize};
use std::path::{Path, PathBuf};

use clap::builder::Resettable;
use clap::{CommandFactory, FromArgMatches};
use hearth::cli::{Cli, Command};
use hearth::config::File;
use hearth::replay::{Pause, ReplayArgs, run_with_pauses};
use hearth::stop::Stop;
use serde_json::Value;

/// Rewrites what is expected, where it is set.
const UPDATE: &str = "HEARTH_UPDATE_CASES";

/// What of `summary.json` does not depend on the machine.
const COUNTS: [&str; 13] = [
    "events",
    "rejected_contexts",
    "homes",
    "segments",
    "transitions",
    "representatives",
    "requests",
    "failures",
    "candidates",
    "verdicts",
    "adaptations",
    "scores",
    "notes",
];

/// How far a figure may be from the expected one, in parts of it: trained models differ in the last digits from one machine's
/// arithmetic to another's.
const TOLERANCE: f64 = 1e-3;

/// Differences of a case that are shown.
const SHOWN: usize = 6;

/// What a run left: the lines of each file, in no particular order, so sorted.
type Output = BTreeMap<String, Vec<String>>;

#[test]
fn every_case_gives_what_is_expected() {
    let update = std::env::var_os(UPDATE).is_some();
    let mut cases: Vec<PathBuf> = std::fs::read_dir("tests/cases")
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .collect();
    cases.sort();
    assert!(!cases.is_empty());
    let failures: Vec<String> = cases
        .iter()
        .filter_map(|case| Some(format!("{}: {}", case.display(), check(case, update)?)))
        .collect();
    assert!(
        failures.is_empty(),
        "\n{}\nif this is on purpose: {UPDATE}=1 cargo test --release --test cases\n",
        failures.join("\n")
    );
}

/// Runs a case in every way. What is wrong, if anything is.
fn check(case: &Path, update: bool) -> Option<String> {
    let one = run(case, 1, &[]);
    let expected = case.join("expected");
    if update {
        write(&expected, &one);
    }
    if let Some(differences) = differences(&read(&expected), &one, near) {
        return Some(format!("not as expected\n{differences}"));
    }
    let thirds = NonZeroU64::new(epochs(case, &one) / 3).unwrap_or(NonZeroU64::MIN);
    let pause = |workers| Pause {
        epochs: thirds,
        workers: NonZeroUsize::new(workers).unwrap(),
    };
    let ways: [(&str, usize, &[Pause]); 2] = [
        ("with three workers", 3, &[]),
        ("suspended twice", 2, &[pause(3), pause(1)]),
    ];
    ways.into_iter().find_map(|(way, workers, pauses)| {
        let other = run(case, workers, pauses);
        let differences = differences(&one, &other, |one, other| one == other)?;
        Some(format!("{way}, not as with one\n{differences}"))
    })
}

/// Epochs of a run.
fn epochs(case: &Path, output: &Output) -> u64 {
    let summary: Option<Value> = output
        .get("summary.json")
        .map(|lines| serde_json::from_str(&lines.concat()).unwrap());
    let lines = summary.map_or(0, |summary| summary["events"]["in"].as_u64().unwrap());
    lines.div_ceil(arguments(case, case).config.epoch_events.get() as u64)
}

/// What a person would type to replay a case into a folder, read as the program reads it; but for `HEARTH_*` variables.
fn arguments(case: &Path, out: &Path) -> ReplayArgs {
    let of = |name: &str| Some(case.join(name)).filter(|path| path.exists());
    let file = of("hearth.toml").map(|path| File::read(Some(&path)).unwrap());
    let mut line: Vec<PathBuf> = vec!["hearth".into(), "replay".into()];
    line.extend(
        ["events.jsonl", "events.csv"]
            .iter()
            .filter_map(|log| of(log)),
    );
    line.extend(["--out".into(), out.to_owned()]);
    for option in ["contexts.jsonl", "catalog.json", "homes.jsonl"] {
        if let Some(path) = of(option) {
            let (flag, _) = option.split_once('.').unwrap();
            line.extend([format!("--{flag}").into(), path]);
        }
    }
    let command = Cli::command().mut_subcommand("replay", |replay| {
        let replay = replay.mut_args(|argument| argument.env(Resettable::Reset));
        file.unwrap_or_default().apply(replay)
    });
    let matches = command.try_get_matches_from(line).unwrap();
    match Cli::from_arg_matches(&matches).unwrap().command {
        Command::Replay(arguments) => *arguments,
        _ => unreachable!("the line says replay"),
    }
}

/// Replays a case.
fn run(case: &Path, workers: usize, pauses: &[Pause]) -> Output {
    let out = tempfile::tempdir().unwrap();
    let mut arguments = arguments(case, out.path());
    arguments.config.workers = NonZeroUsize::new(workers).unwrap();
    let ended = run_with_pauses(&arguments, pauses, &Stop::default());
    let mut output = read(out.path());
    if let Err(error) = ended {
        output.insert("error.txt".to_owned(), vec![error.to_string()]);
    }
    if let Some(lines) = output.get_mut("summary.json") {
        let mut summary: Value = serde_json::from_str(&lines.concat()).unwrap();
        let counts = COUNTS.map(|name| (name.to_owned(), summary[name].take()));
        let counts = Value::from_iter(counts);
        let text = serde_json::to_string_pretty(&counts).unwrap();
        *lines = text.lines().map(str::to_owned).collect();
    }
    output
}

/// The files of a folder that have any lines; those of streams sorted.
fn read(folder: &Path) -> Output {
    let mut output = Output::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let stream = name.ends_with(".jsonl");
        if !stream && !["summary.json", "error.txt"].contains(&name.as_str()) {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        if stream {
            lines.sort_by_cached_key(|line| (figures(line).0, line.clone()));
        }
        if !lines.is_empty() {
            output.insert(name, lines);
        }
    }
    output
}

/// Writes what is expected from now on.
fn write(expected: &Path, output: &Output) {
    if expected.exists() {
        std::fs::remove_dir_all(expected).unwrap();
    }
    std::fs::create_dir_all(expected).unwrap();
    for (name, lines) in output {
        std::fs::write(expected.join(name), lines.join("\n") + "\n").unwrap();
    }
}

/// The first lines that differ, if any do.
fn differences(
    expected: &Output,
    found: &Output,
    same: impl Fn(&str, &str) -> bool,
) -> Option<String> {
    let names: BTreeSet<&String> = expected.keys().chain(found.keys()).collect();
    let mut told = Vec::new();
    for name in names {
        let of = |output: &Output| output.get(name).cloned().unwrap_or_default();
        let (expected, found) = (of(expected), of(found));
        let lengths = format!(
            "  {name} ({} lines expected, {} found)",
            expected.len(),
            found.len()
        );
        let before = told.len();
        told.extend(apart(&expected, &found, &same));
        if told.len() > before {
            told.insert(before, lengths);
        }
    }
    let more = told.len().saturating_sub(SHOWN);
    told.truncate(SHOWN);
    if more > 0 {
        told.push(format!("  and {more} more"));
    }
    (!told.is_empty()).then(|| told.join("\n"))
}

/// Lines of one side that the other has not. Both are sorted, or ordered in the same way.
fn apart(expected: &[String], found: &[String], same: impl Fn(&str, &str) -> bool) -> Vec<String> {
    let mut told = Vec::new();
    let (mut expected, mut found) = (expected.iter().peekable(), found.iter().peekable());
    loop {
        let (line, sign) = match (expected.peek(), found.peek()) {
            (None, None) => return told,
            (Some(one), Some(other)) if same(one, other) => {
                expected.next();
                found.next();
                continue;
            }
            (Some(one), Some(other)) if figures(one).0 > figures(other).0 => (found.next(), '+'),
            (Some(_), _) => (expected.next(), '-'),
            (None, Some(_)) => (found.next(), '+'),
        };
        told.push(format!("  {sign} {}", line.map_or("", String::as_str)));
    }
}

/// Whether two lines are the same but for the last digits of their figures.
fn near(one: &str, other: &str) -> bool {
    let ((one, ours), (other, theirs)) = (figures(one), figures(other));
    let close = |(one, other): (&f64, &f64)| {
        (one - other).abs() <= TOLERANCE * one.abs().max(other.abs()).max(TOLERANCE)
    };
    one == other && ours.len() == theirs.len() && ours.iter().zip(&theirs).all(close)
}

/// A line with its figures (numbers that are no whole ones) taken out, and these.
fn figures(line: &str) -> (String, Vec<f64>) {
    let mut figures = Vec::new();
    match serde_json::from_str::<Value>(line) {
        Ok(mut value) => {
            take(&mut value, &mut figures);
            (value.to_string(), figures)
        }
        Err(_) => (line.to_owned(), figures),
    }
}

fn take(value: &mut Value, figures: &mut Vec<f64>) {
    match value {
        Value::Number(number) if number.is_f64() => {
            figures.extend(number.as_f64());
            *value = Value::Null;
        }
        Value::Array(values) => values.iter_mut().for_each(|value| take(value, figures)),
        Value::Object(fields) => fields.values_mut().for_each(|value| take(value, figures)),
        _ => {}
    }
}
