//! Servers that refuse, hang or talk nonsense: requests fail with a reason, and everything else goes on.

use std::collections::BTreeSet;

use super::household::{IMPATIENT, asking, replay};
use super::server::{Act, Server};
use crate::program::{Folder, same_lines, text};

/// The streams that lie before the requests' answers.
const BEFORE: [&str; 4] = ["segments", "transitions", "representatives", "requests"];

/// Insists that every request failed with a reason that says one of `causes`, and each of them is the reason of some.
fn all_failed(output: &Folder, causes: &[&str]) {
    let mut given = BTreeSet::new();
    let verdicts = output.values("verdicts");
    assert_eq!(verdicts.len(), output.lines("requests").len());
    for verdict in verdicts {
        assert_eq!(
            (&verdict["stage"], &verdict["verdict"]),
            (&0.into(), &"delete".into())
        );
        let reason = text(&verdict["reason"]);
        let cause = causes.iter().find(|cause| reason.contains(**cause));
        given.insert(cause.unwrap_or_else(|| panic!("none of {causes:?}: {verdict}")));
    }
    assert_eq!(given.len(), causes.len(), "{given:?} of {causes:?}");
}

#[test]
fn a_refusing_server_is_asked_no_more_and_the_run_says_so_once() {
    let server =
        Server::start(|_| Act::Refuse(401, "", "Incorrect API key provided: sk-canary-4711"));
    let (ended, output) = replay(
        "refused",
        &format!("{} --llm-concurrency 1", asking(&server)),
    );
    assert_eq!(ended.code, Some(1));
    assert_eq!(ended.stderr.matches("401").count(), 1, "{}", ended.stderr);
    assert!(!ended.stderr.contains("canary"), "{}", ended.stderr);
    assert_eq!(server.calls().len(), 1);
    all_failed(&output, &["401"]);
    let (_, none) = replay("refused-none", "--synthesizer none");
    same_lines(&none, &output, &BEFORE);
}

#[test]
fn a_hung_server_holds_nothing_before_it() {
    let server = Server::start(|_| Act::Silence);
    let (ended, output) = replay("hung", &format!("{} {IMPATIENT}", asking(&server)));
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    all_failed(
        &output,
        &["not asked: nobody answered", "no answer came in time"],
    );
    let (_, none) = replay("hung-none", "--synthesizer none");
    same_lines(&none, &output, &BEFORE);
    let spent = &output.summary()["llm"];
    // After some, nobody is asked any more; of those that were, nobody knows what they cost.
    assert!(!server.calls().is_empty());
    assert_eq!(
        spent["unaccounted"]["calls"],
        server.calls().len(),
        "{spent}"
    );
}

#[test]
fn nonsense_is_no_answer() {
    for (name, act, cause) in [
        (
            "garbage",
            Act::Garbage,
            "the connection broke before an answer",
        ),
        (
            "prose",
            Act::Say("I would rather talk about the weather.".into()),
            "weather",
        ),
        (
            "broken",
            Act::Break,
            "the answer was cut: the connection broke",
        ),
    ] {
        let server = Server::start(move |_| act.clone());
        let (ended, output) = replay(name, &format!("{} {IMPATIENT}", asking(&server)));
        assert_eq!(ended.code, Some(1), "{}", ended.stderr);
        all_failed(&output, &[cause]);
    }
}

#[test]
fn answers_of_which_no_sequence_can_be_used_are_a_failure() {
    let unknown = r#"Here: <seq [["Monday","(6~9)","Spaceship","Spaceship:fly"]] seq>"#;
    let server = Server::start(move |_| Act::Say(unknown.into()));
    let options = format!("{} --llm-format paper", asking(&server));
    let (ended, output) = replay("unknown-words", &options);
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    let reason = "generated sequences could be used, so no home was adapted";
    assert!(ended.stderr.contains(reason), "{}", ended.stderr);
    assert!(
        output
            .values("verdicts")
            .iter()
            .all(|verdict| verdict["stage"] == 0)
    );
}

/// Ctrl-C does not wait for an answer that will not come.
#[test]
fn a_run_that_waits_for_a_hung_server_is_stopped() {
    use super::household::{SHORT, dir};
    use crate::program::{end, start};
    let server = Server::start(|_| Act::Silence);
    let files = "events.jsonl --contexts contexts.jsonl --catalog catalog.json";
    let child = start(
        dir(),
        &format!("replay {files} --out stopped {SHORT} {}", asking(&server)),
    );
    let began = std::time::Instant::now();
    while server.calls().is_empty() {
        assert!(began.elapsed().as_secs() < 120, "nothing is asked");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let sent = std::process::Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(sent.unwrap().success());
    let ended = end(child);
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("interrupted"), "{}", ended.stderr);
}
