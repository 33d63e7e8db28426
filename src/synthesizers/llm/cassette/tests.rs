//! What is recorded comes back as it was, is found by nothing but its call, and is never paid for twice.

mod fuzz;

use std::collections::BTreeMap;
use std::fs;
use std::future::pending;
use std::io::Read;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::timeout;

use super::*;
use crate::disk::Disk;
use crate::synthesizers::llm::{Finish, Form, Format, Usage};

fn call(user: &str) -> Call {
    Call {
        model: "m-1".to_owned(),
        system: "You know homes.\nAnswer in JSON.".to_owned(),
        user: user.to_owned(),
        form: Form {
            format: Format::Auto,
            schema: json!({"type": "array", "items": {"type": "string", "maxLength": 9}}),
            schema_words: "As the schema says.".to_owned(),
            paper_words: "As <seq [[…]] seq>.".to_owned(),
        },
        temperature: 0.7,
        seed: Some(7),
        max_tokens: 500,
    }
}

fn completion(text: &str) -> Completion {
    Completion {
        text: text.to_owned(),
        finish: Finish::Stop,
        usage: Some(Usage {
            input: 12,
            output: 3,
        }),
        model: "m-1-2026".to_owned(),
        format: Format::Schema,
    }
}

fn cassette(mode: CassetteMode) -> (TempDir, Cassette) {
    let folder = tempfile::tempdir().unwrap();
    let cassette = Cassette::open(&Disk::real(), folder.path(), mode).unwrap();
    (folder, cassette)
}

fn reopened(folder: &TempDir, mode: CassetteMode) -> Cassette {
    Cassette::open(&Disk::real(), folder.path(), mode).unwrap()
}

/// Files of a folder and their bytes.
fn files(folder: &TempDir) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(folder.path()).unwrap().map(Result::unwrap);
    entries
        .map(|entry| {
            let name = entry.file_name().into_string().unwrap();
            (name, fs::read(entry.path()).unwrap())
        })
        .collect()
}

/// Nobody is to be asked.
async fn nobody() -> Result<Completion, CallError> {
    panic!("somebody was asked")
}

prop_compose! {
    fn any_call()(
        texts in prop::collection::vec("\\p{Any}{0,30}", 5),
        format in prop::sample::select(vec![Format::Auto, Format::Schema, Format::Paper]),
        number in any::<i64>(),
        temperature in prop::num::f64::NORMAL | prop::num::f64::SUBNORMAL | prop::num::f64::ZERO,
        seed in any::<Option<u64>>(),
        max_tokens in any::<u32>(),
    ) -> Call {
        let [model, system, user, schema_words, paper_words] = texts.try_into().unwrap();
        let schema = json!({"b": [number, temperature, null, {user.clone(): system}], "a": {}});
        let form = Form { format, schema, schema_words, paper_words };
        Call { model, system, user, form, temperature, seed, max_tokens }
    }
}

prop_compose! {
    fn any_completion()(
        text in "\\p{Any}{0,60}",
        word in "\\p{Any}{0,9}",
        finish in 0..4_u8,
        usage in any::<Option<(u64, u64)>>(),
        format in prop::sample::select(vec![Format::Schema, Format::Paper]),
    ) -> Completion {
        let finish = match finish {
            0 => Finish::Stop,
            1 => Finish::Length,
            2 => Finish::ContentFilter,
            _ => Finish::Other(word.clone()),
        };
        let usage = usage.map(|(input, output)| Usage { input, output });
        Completion { text, finish, usage, model: word, format }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_recorded_comes_back(call in any_call(), completion in any_completion()) {
        let (folder, cassette) = cassette(CassetteMode::Record);
        prop_assert_eq!(cassette.lookup("a", &call).unwrap(), None);
        cassette.store("a", "http://localhost", &call, &completion).unwrap();
        for mode in [CassetteMode::Auto, CassetteMode::Replay] {
            let found = reopened(&folder, mode).lookup("b", &call).unwrap();
            prop_assert_eq!(found.as_ref(), Some(&completion));
        }
        prop_assert_eq!(reopened(&folder, CassetteMode::Record).lookup("a", &call).unwrap(), None);
    }

    /// Whatever a field is changed to, another call is another key.
    #[test]
    fn each_field_is_part_of_the_key(call in any_call()) {
        let key = Key::of(&call);
        prop_assert_eq!(Key::of(&call.clone()), key);
        let whole = serde_json::to_value(&call).unwrap();
        let mut paths = Vec::new();
        leaves(&whole, String::new(), &mut paths);
        // All of a call, and of its form: more than these fields have leaves.
        prop_assert!(paths.len() > 10);
        for path in paths {
            let mut other = whole.clone();
            let leaf = other.pointer_mut(&path).unwrap();
            *leaf = match leaf.take() {
                Value::String(text) if path == "/form/format" && text == "auto" => json!("paper"),
                Value::String(_) if path == "/form/format" => json!("auto"),
                Value::String(text) => json!(format!("{text} ")),
                Value::Number(number) if number.as_f64() == Some(1.0) => json!(2),
                Value::Number(_) | Value::Null => json!(1),
                other => json!([other]),
            };
            let other: Call = serde_json::from_value(other).unwrap();
            prop_assert_ne!(Key::of(&other), key, "{}", path);
        }
    }

    /// Torn, or changed on the disk: never another answer, and never paid for again. (A few bits of a gzip file say nothing.)
    #[test]
    fn damage_is_an_error(at in any::<prop::sample::Index>(), flip in 0..=255_u8) {
        let (folder, cassette) = cassette(CassetteMode::Record);
        let call = call("a");
        cassette.store("a", "", &call, &completion("text")).unwrap();
        let path = folder.path().join(Key::of(&call).file());
        let mut bytes = fs::read(&path).unwrap();
        let at = at.index(bytes.len());
        if flip == 0 {
            bytes.truncate(at);
        } else {
            // The header's time, flags and system are no part of what it says.
            prop_assume!(at >= 10);
            bytes[at] ^= flip;
        }
        fs::write(&path, &bytes).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        for mode in [CassetteMode::Auto, CassetteMode::Replay] {
            let cassette = reopened(&folder, mode);
            match cassette.lookup("a", &call) {
                Err(error) => {
                    prop_assert!(error.to_string().contains(".json.gz"), "{}", error);
                    let failed = runtime.block_on(cassette.once("a", "", &call, nobody));
                    prop_assert!(matches!(failed, Err(CallError::Failed(_))));
                }
                found => {
                    prop_assert!(flip != 0, "it is torn");
                    prop_assert_eq!(found.unwrap(), Some(completion("text")));
                }
            }
        }
    }
}

fn leaves(value: &Value, path: String, out: &mut Vec<String>) {
    let escape = |name: &str| name.replace('~', "~0").replace('/', "~1");
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            for (name, value) in fields {
                leaves(value, format!("{path}/{}", escape(name)), out);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for (number, value) in items.iter().enumerate() {
                leaves(value, format!("{path}/{number}"), out);
            }
        }
        _ => out.push(path),
    }
}

/// A key that changes loses every recording: this one must not, unless the version does.
#[test]
fn keys_stay_what_they_are() {
    assert_eq!(
        Key::of(&call("a")).to_string(),
        "1e3db0596ee1dde89f74f3386278991ed61541bde049651d115b2195a5221298"
    );
    let order = |schema: &str| {
        let mut call = call("a");
        call.form.schema = serde_json::from_str(schema).unwrap();
        Key::of(&call)
    };
    assert_eq!(
        order(r#"{"a": 1, "b": {"c": 2, "d": 3}}"#),
        order(r#"{"b":{"d":3,"c":2},"a":1}"#)
    );
}

#[test]
fn a_recording_is_readable() {
    let (folder, cassette) = cassette(CassetteMode::Auto);
    let call = call("a");
    let url = "http://me:pass@localhost:8080/v1?key=k";
    cassette
        .store("h-3/0/Monday/0", url, &call, &completion("text"))
        .unwrap();
    assert!(cassette.lookup("h-4/0/Monday/0", &call).unwrap().is_some());
    assert!(cassette.lookup("h-4/0/Monday/0", &call).unwrap().is_some());
    let files = files(&folder);
    let bytes = files.get(&format!("{}.json.gz", Key::of(&call))).unwrap();
    assert_eq!(files.len(), 1, "nothing temporary is left");
    let mut text = String::new();
    flate2::read::GzDecoder::new(&bytes[..])
        .read_to_string(&mut text)
        .unwrap();
    assert!(text.starts_with("{\n  \"version\": 1,\n"), "{text}");
    let value: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(value["labels"], json!(["h-3/0/Monday/0", "h-4/0/Monday/0"]));
    assert_eq!(value["url"], "http://localhost:8080/v1");
    assert_eq!(value["call"]["user"], "a");
    assert_eq!(value["completion"]["text"], "text");
    let time = value["recorded_at"].as_str().unwrap();
    assert!(time.parse::<jiff::Timestamp>().is_ok(), "{time}");
}

#[test]
fn a_recording_under_another_name_is_damaged() {
    let (folder, cassette) = cassette(CassetteMode::Auto);
    cassette
        .store("a", "", &call("a"), &completion("text"))
        .unwrap();
    let [a, b] = ["a", "b"].map(|user| folder.path().join(Key::of(&call(user)).file()));
    fs::rename(a, b).unwrap();
    let found = cassette.lookup("b", &call("b"));
    assert!(
        matches!(found, Err(CassetteError::Damaged { .. })),
        "{found:?}"
    );
}

#[tokio::test]
async fn replay_says_what_changed_and_writes_nothing() {
    let (folder, cassette) = cassette(CassetteMode::Record);
    let lines = |from: u32, to: u32| {
        (from..to)
            .map(|n| format!("line {n}\n"))
            .collect::<String>()
    };
    let before = call(&(lines(0, 20) + "old\u{1b}[2J"));
    cassette
        .store("h-1/0/Monday/0", "", &before, &completion("text"))
        .unwrap();
    let files_before = files(&folder);
    let replay = reopened(&folder, CassetteMode::Replay);

    let mut after = call(&(lines(5, 25) + &"new".repeat(60)));
    after.model = "m-2".to_owned();
    after.temperature = 0.0;
    after.seed = None;
    after.form.format = Format::Paper;
    let failed = replay
        .once("h-1/0/Monday/0", "", &after, nobody)
        .await
        .unwrap_err();
    let CallError::Failed(text) = failed else {
        panic!("{failed:?}");
    };
    let (head, differences) = text.split_once('\n').unwrap();
    assert!(
        head.starts_with("no recording fits `h-1/0/Monday/0`: it was recorded on 20"),
        "{head}"
    );
    assert!(
        head.ends_with(&format!("as another call ({}):", Key::of(&before).file())),
        "{head}"
    );
    let expected = "  model: m-1 → m-2
  user message: 6 lines removed, 6 added
    - line 0
    - line 1
    - line 2
    - line 3
    - line 4
    - old�[2J
    … and 6 more
  format: auto → paper
  temperature: 0.7 → 0.0
  seed: 7 → none";
    assert_eq!(differences, expected);

    let failed = replay
        .once("h-2/0/Monday/0", "", &after, nobody)
        .await
        .unwrap_err();
    let nothing = format!(
        "nothing was recorded for `h-2/0/Monday/0` in `{}`",
        folder.path().display()
    );
    assert_eq!(failed, CallError::Failed(nothing));
    let found = replay
        .once("h-2/0/Monday/0", "", &before, nobody)
        .await
        .unwrap();
    assert!(found.recorded && found.changed.is_none());
    let refused = replay.store("a", "", &after, &completion("text"));
    assert!(matches!(refused, Err(CassetteError::ReadOnly(_))));
    assert_eq!(files(&folder), files_before);
}

#[test]
fn there_must_be_something_to_replay() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("none");
    let refused = Cassette::open(&Disk::real(), &missing, CassetteMode::Replay).err();
    assert!(matches!(refused, Some(CassetteError::Missing(_))));
    assert!(!missing.exists());
}

#[tokio::test]
async fn what_is_asked_anew_for_a_change_says_so() {
    let (folder, _) = cassette(CassetteMode::Auto);
    for (mode, user, recorded, changed) in [
        (CassetteMode::Auto, "a", false, false),
        (CassetteMode::Auto, "a", true, false),
        (CassetteMode::Auto, "b", false, true),
        (CassetteMode::Auto, "b", true, false),
        (CassetteMode::Record, "b", false, false),
        (CassetteMode::Replay, "a", true, false),
    ] {
        let cassette = reopened(&folder, mode);
        let ask = async || Ok(completion(user));
        let answer = cassette.once("label", "", &call(user), ask).await.unwrap();
        assert_eq!(answer.completion, completion(user));
        assert_eq!(
            (answer.recorded, answer.changed.is_some()),
            (recorded, changed),
            "{mode:?} {user}"
        );
    }
    // The newest recording of a label is what a change is told from.
    let changed = reopened(&folder, CassetteMode::Replay)
        .changed("label", &call("c"))
        .unwrap();
    assert!(changed.contains("    - b\n    + c"), "{changed}");
}

/// Equal calls at once are one question; when all is asked anew, too.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn equal_calls_are_asked_once() {
    for mode in [CassetteMode::Auto, CassetteMode::Record] {
        let (folder, cassette) = cassette(mode);
        let asked = Arc::new(AtomicU32::new(0));
        let tasks: Vec<_> = (0..60)
            .map(|task| {
                let (cassette, asked) = (cassette.clone(), Arc::clone(&asked));
                tokio::spawn(async move {
                    let user = format!("user {}", task % 3);
                    let ask = async || {
                        tokio::time::sleep(Duration::from_millis(20)).await;
                        asked.fetch_add(1, Ordering::SeqCst);
                        Ok(completion(&user))
                    };
                    let label = format!("h-{task}");
                    let answer = cassette.once(&label, "", &call(&user), ask).await.unwrap();
                    assert_eq!(answer.completion.text, user);
                    answer.recorded
                })
            })
            .collect();
        let mut recorded = 0;
        for task in tasks {
            recorded += u32::from(task.await.unwrap());
        }
        assert_eq!((asked.load(Ordering::SeqCst), recorded), (3, 57));
        assert_eq!(files(&folder).len(), 3);
        assert!(lock(&cassette.0.flights).is_empty());
        for task in 0..60 {
            let other = call("another");
            assert!(
                cassette.changed(&format!("h-{task}"), &other).is_some(),
                "each label is kept"
            );
        }
    }
}

/// A failure is no answer, nor is a caller that goes away: the next in the line asks.
#[tokio::test]
async fn the_next_asks_where_one_fails() {
    let (_folder, cassette) = cassette(CassetteMode::Auto);
    let call = call("a");
    let fail = async || Err(CallError::Failed("no".to_owned()));
    let first = cassette.once("a", "", &call, fail).await;
    assert_eq!(first, Err(CallError::Failed("no".to_owned())));
    let away = cassette.once("a", "", &call, pending);
    assert!(timeout(Duration::from_millis(20), away).await.is_err());
    let next = cassette
        .once("a", "", &call, async || Ok(completion("yes")))
        .await;
    assert!(!next.unwrap().recorded);
    let next = cassette.once("a", "", &call, nobody).await;
    assert!(next.unwrap().recorded);
    assert!(lock(&cassette.0.flights).is_empty());
}
