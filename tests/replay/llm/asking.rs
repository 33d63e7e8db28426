//! A server answers; what it answered is recorded, and replayed without it.

use std::collections::BTreeSet;

use serde_json::Value;

use super::household::{asking, dir, replay};
use super::server::{Act, Server};
use crate::program::{STREAMS, hearth, same_lines, text};

#[test]
fn answers_are_used_recorded_and_replayed_without_a_server() {
    let server = Server::start(|_| Act::Answer);
    let (ended, first) = replay("asked", &asking(&server));
    let ended = ended.fine();
    let summary = first.summary();
    let requests = summary["requests"].as_u64().unwrap();
    assert!(requests > 3, "{summary}");
    assert_eq!(summary["failures"], 0);
    assert_eq!(summary["llm"]["requests"], requests);
    assert_eq!(summary["llm"]["recorded"], 0);
    assert_eq!(summary["llm"]["calls"], server.calls().len());
    assert_eq!(summary["llm"]["input_tokens"], server.charged()[0]);
    assert_eq!(summary["llm"]["output_tokens"], server.charged()[1]);
    // The server says the representatives back, so each of them is a candidate.
    let given: usize = first
        .values("requests")
        .iter()
        .map(|r| r["representatives"].as_array().unwrap().len())
        .sum();
    assert_eq!(summary["candidates"], given);
    assert!(ended.stdout.contains("parrot-1"), "{}", ended.stdout);

    let calls = server.calls().len();
    let (again, second) = replay(
        "asked-again",
        &format!("{} --llm-cassette-dir asked/cassette", asking(&server)),
    );
    again.fine();
    assert_eq!(
        server.calls().len(),
        calls,
        "what is recorded is not asked again"
    );
    same_lines(&first, &second, &STREAMS);
    drop(server);

    let (alone, third) = replay(
        "replayed",
        "--synthesizer cassette --llm-model parrot-1 --llm-cassette-dir asked/cassette",
    );
    alone.fine();
    same_lines(&first, &third, &STREAMS);
    assert_eq!(third.summary()["llm"]["recorded"], requests);
}

#[test]
fn a_changed_request_is_not_answered_from_the_cassette_and_says_what_changed() {
    let server = Server::start(|_| Act::Answer);
    replay("changed-from", &asking(&server)).0.fine();
    drop(server);
    let options = "--synthesizer cassette --llm-model parrot-2 --top-k 1 --llm-cassette-dir changed-from/cassette";
    let (ended, output) = replay("changed-to", options);
    // No request was answered.
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    let verdicts = output.values("verdicts");
    assert!(!verdicts.is_empty());
    assert_eq!(output.summary()["failures"], verdicts.len());
    for verdict in verdicts {
        let reason = text(&verdict["reason"]);
        assert!(
            reason.contains("parrot-1") && reason.contains("parrot-2"),
            "{reason}"
        );
    }
}

#[test]
fn a_changed_request_is_asked_anew_and_told() {
    let server = Server::start(|_| Act::Answer);
    let asking = asking(&server);
    replay("anew", &asking).0.fine();
    let (ended, output) = replay("anew", &format!("{asking} --llm-temperature 0.5"));
    ended.fine();
    let llm = &output.summary()["llm"];
    assert_eq!(llm["changed"], llm["requests"], "{llm}");
    assert_eq!(llm["recorded"], 0);
    assert!(text(&llm["first_change"]).contains("temperature"), "{llm}");
}

#[test]
fn a_server_that_knows_no_schema_is_asked_as_in_the_paper() {
    let server = Server::start(|_| Act::AnswerWithoutSchema);
    let (ended, output) = replay("paper", &format!("{} --llm-concurrency 1", asking(&server)));
    ended.fine();
    let summary = output.summary();
    assert_eq!(summary["failures"], 0);
    let (by_schema, in_words): (Vec<_>, Vec<_>) = server
        .calls()
        .into_iter()
        .partition(|call| call.body.get("response_format").is_some());
    assert!(!by_schema.is_empty());
    assert_eq!(in_words.len() as u64, summary["requests"].as_u64().unwrap());
    let system = text(&in_words[0].body["messages"][0]["content"]);
    assert!(system.contains("<seq [["), "{system}");
}

/// A dry run asks nobody, and what it prints with `--explain` is what a real run then sends.
#[test]
fn a_dry_run_tells_what_would_be_sent_and_paid() {
    let server = Server::start(|_| Act::Answer);
    let money = "--llm-price-input 2.50 --llm-price-output 10";
    let (told, _) = replay(
        "explained",
        &format!("{} {money} --explain", asking(&server)),
    );
    let told = told.fine();
    assert_eq!(server.connections(), 0);
    assert!(told.stdout.contains("cost  "), "{}", told.stdout);
    let bodies: BTreeSet<&str> = told
        .stdout
        .lines()
        .filter(|line| line.starts_with('{'))
        .collect();
    replay("explained", &format!("{} {money}", asking(&server)))
        .0
        .fine();
    let sent: Vec<String> = server
        .calls()
        .iter()
        .map(|call| {
            let bytes = String::from_utf8(call.bytes.clone()).unwrap();
            bytes.split_once("\r\n\r\n").unwrap().1.to_owned()
        })
        .collect();
    assert_eq!(bodies, sent.iter().map(String::as_str).collect());
    let (told, _) = replay(
        "explained",
        &format!("{} {money} --dry-run", asking(&server)),
    );
    let told = told.fine();
    let requests = sent.len();
    assert!(
        told.stdout
            .contains(&format!("of which {requests} are recorded already")),
        "{}",
        told.stdout
    );
}

#[test]
fn templates_are_written_changed_and_used() {
    hearth(dir(), "templates --out prompts").fine();
    std::fs::write(
        dir().join("prompts/system.txt"),
        "Be a house. {{ count }} follow.",
    )
    .unwrap();
    let server = Server::start(|_| Act::Answer);
    let (ended, output) = replay(
        "templates",
        &format!("{} --llm-templates prompts", asking(&server)),
    );
    ended.fine();
    let (calls, requests) = (server.calls(), output.values("requests"));
    assert!(!calls.is_empty() && !requests.is_empty());
    for call in calls {
        let system = text(&call.body["messages"][0]["content"]);
        assert!(system.starts_with("Be a house. "), "{system}");
    }
    for request in requests {
        let count = request["representatives"].as_array().map_or(0, Vec::len);
        assert_eq!(
            request["prompt"]["system"],
            Value::from(format!("Be a house. {count} follow."))
        );
    }
    let again = hearth(dir(), "templates --out prompts");
    assert_eq!(again.code, Some(2), "{}", again.stderr);
}
