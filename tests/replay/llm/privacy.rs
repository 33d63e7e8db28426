//! What must never leave the house does not, wherever it stands in the input.

use super::household::{SHORT, dir};
use super::server::{Act, Server};
use crate::program::{Folder, end, hearth, start_with, write};

/// What no byte that is sent, and no file of the output but the log's own streams, may hold.
const KEY: &str = "sk-canary-4711";

#[test]
fn canaries_stay_at_home() {
    // The simulated log under other names: a home that is an address, devices that bear their owners' names.
    let renamed = [
        (r#""h-1""#, r#""Canary Road 17, Berlin""#),
        ("KitchenLight", "Canarina's kitchen lamp"),
        ("SmartLock", "Tür von Kanaro"),
        ("Heater", "CANARY-HEATER-0815"),
    ];
    let rename = |file: &str| {
        let text = std::fs::read_to_string(dir().join(file)).unwrap();
        let text = renamed
            .iter()
            .fold(text, |text, (from, to)| text.replace(from, to));
        write(dir(), format!("canary-{file}"), text);
    };
    rename("events.jsonl");
    rename("catalog.json");
    let shifts = [
        r#"{"home":"Canary Road 17, Berlin","time":"2025-01-12T06:45:07Z","kind":"text","from":"as usual","to":"on 2025-01-12 at 06:45:07 Canarina moved to Canary Road 17, Berlin, with the Canary-Heater-0815; another person in the home"}"#,
        r#"{"home":"h-2","time":"2025-01-12T06:45:07Z","kind":"season","from":"winter","to":"spring"}"#,
        r#"{"home":"h-3","time":"2025-01-12T06:45:07Z","kind":"occupancy","from":"single","to":"multiple"}"#,
    ];
    write(dir(), "canary-contexts.jsonl", shifts.join("\n"));
    let server = Server::start(|_| Act::Answer);
    let files =
        "canary-events.jsonl --contexts canary-contexts.jsonl --catalog canary-catalog.json";
    let asking = format!(
        "--synthesizer openai --llm-url {} --llm-model parrot-1 --llm-key-file key",
        server.url()
    );
    hearth(
        dir(),
        &format!("replay {files} --out canaries {SHORT} {asking}"),
    )
    .fine();
    // Where edits are asked for, the past is told in another way. The server's answer is none then.
    let edited = hearth(
        dir(),
        &format!("replay {files} --out canaries-edits {SHORT} {asking} --llm-writes edits"),
    );
    assert_eq!(edited.code, Some(1), "{}", edited.stderr);

    let calls = server.calls();
    assert!(calls.len() > 3);
    let mut lamps = 0;
    for call in &calls {
        let sent = String::from_utf8(call.bytes.clone()).unwrap();
        // The key is a canary too; where it is sent is looked at below.
        let lower = sent.replace(KEY, "").to_lowercase();
        for canary in [
            "canar", "kanaro", "road 17", "berlin", "0815", "06:45", "2025", "h-2", "h-3",
        ] {
            assert!(
                !lower.contains(canary),
                "`{canary}` left the house:\n{sent}"
            );
        }
        assert_eq!(
            sent.matches(KEY).count(),
            1,
            "the key is sent once, as a header"
        );
        assert!(!sent.split_once("\r\n\r\n").unwrap().1.contains(KEY));
        lamps += sent.matches("kitchen lamp ").count();
    }
    assert!(lamps > 0, "the lamp goes out under its pseudonym");

    // Answers come back under the house's own names.
    let output = Folder(dir().join("canaries"));
    let retained = output.values("verdicts");
    let devices: Vec<String> = retained.iter().map(ToString::to_string).collect();
    assert!(
        devices
            .iter()
            .any(|line| line.contains("Canarina's kitchen lamp"))
    );
    assert_eq!(
        output.summary()["verdicts"]["delete"].get("0"),
        None,
        "all of it is of the vocabulary"
    );
    // The key is in no file.
    let mut folders = vec![output.0.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
                continue;
            }
            let mut bytes = std::fs::read(entry.path()).unwrap();
            if bytes.starts_with(&[0x1f, 0x8b]) {
                let mut text = Vec::new();
                std::io::Read::read_to_end(
                    &mut flate2::read::GzDecoder::new(&bytes[..]),
                    &mut text,
                )
                .unwrap();
                bytes = text;
            }
            let told = String::from_utf8_lossy(&bytes);
            assert!(!told.contains(KEY), "{}", entry.path().display());
        }
    }
}

#[test]
fn a_key_made_for_openai_is_sent_to_another_server_only_by_name() {
    let files = "events.jsonl --contexts contexts.jsonl --catalog catalog.json";
    for (named, times) in [("", 0), ("--llm-key-env OPENAI_API_KEY", 1)] {
        let server = Server::start(|_| Act::Refuse(401, "", "no valid key"));
        let options = format!(
            "--synthesizer openai --llm-url {} --llm-model m --llm-concurrency 1 {named}",
            server.url()
        );
        let command = format!("replay {files} --out key-{times} {SHORT} {options}");
        let ended = end(start_with(dir(), &command, &[("OPENAI_API_KEY", KEY)]));
        assert_eq!(ended.code, Some(1), "{}", ended.stderr);
        assert!(ended.stderr.contains("--llm-key-env"), "{}", ended.stderr);
        assert!(!ended.stderr.contains(KEY), "{}", ended.stderr);
        let calls = server.calls();
        assert_eq!(calls.len(), 1);
        let sent = String::from_utf8_lossy(&calls[0].bytes).into_owned();
        assert_eq!(sent.matches(KEY).count(), times, "{named}");
    }
}

#[test]
fn another_machine_is_asked_only_where_that_is_allowed() {
    let options = "--synthesizer openai --llm-url https://llm.invalid/v1 --llm-model m";
    let files = "events.jsonl --contexts contexts.jsonl --catalog catalog.json";
    let ended = hearth(
        dir(),
        &format!("replay {files} --out remote {SHORT} {options}"),
    );
    assert_eq!(ended.code, Some(2), "{}", ended.stderr);
    assert!(
        ended.stderr.contains("--llm-allow-remote") && ended.stderr.contains("no home id"),
        "{}",
        ended.stderr
    );
    assert!(!dir().join("remote").exists(), "nothing was done");
}
