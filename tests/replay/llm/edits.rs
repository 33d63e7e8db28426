//! A model that writes edits is asked once a shift, and what it says is carried out on all of the home's past.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::household::{asking, dir, replay};
use super::server::{Act, Server};
use crate::program::{Folder, STREAMS, hearth, same_lines, text};

/// Edits of which the last two cannot stand.
fn edits() -> String {
    json!({"edits": [
        {"edit": "move", "what": "everything", "hours": [], "by": 1},
        {"edit": "drop", "what": "Toaster"},
        {"edit": "move", "what": "everything", "hours": ["(6~9)"], "by": -1},
    ]})
    .to_string()
}

fn telling() -> Server {
    Server::start(|_| Act::Say(edits()))
}

/// The shifts of a run's requests, each with its requests.
fn shifts(output: &Folder) -> BTreeMap<String, BTreeSet<String>> {
    let mut shifts: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for request in output.values("requests") {
        let name = text(&request["request"]);
        let shift = name.rsplitn(3, '/').nth(2).unwrap().to_owned();
        let requests = shifts.entry(shift).or_default();
        requests.insert(name);
    }
    shifts
}

#[test]
fn one_call_a_shift_is_paid_recorded_and_replayed() {
    let server = telling();
    let asking = format!("{} --llm-writes edits", asking(&server));
    let (ended, first) = replay("edited", &asking);
    ended.fine();
    let shifts = shifts(&first);
    let requests: usize = shifts.values().map(BTreeSet::len).sum();
    assert!(shifts.len() == 3 && requests > shifts.len(), "{shifts:?}");
    let calls = server.calls();
    assert_eq!(calls.len(), shifts.len());
    let summary = first.summary();
    assert_eq!(summary["failures"], 0);
    assert_eq!(summary["llm"]["requests"], requests);
    assert_eq!(summary["llm"]["recorded"], 0);
    assert_eq!(summary["llm"]["calls"], calls.len());
    assert_eq!(summary["llm"]["input_tokens"], server.charged()[0]);
    for call in &calls {
        let schema = &call.body["response_format"]["json_schema"]["schema"];
        assert_eq!(schema["required"], json!(["edits"]));
    }
    // Every request got its share; what was refused is told once a shift.
    let verdicts = first.values("verdicts");
    let answered: BTreeSet<String> = verdicts.iter().map(|v| text(&v["request"])).collect();
    assert_eq!(answered, shifts.values().flatten().cloned().collect());
    let (refused, candidates): (Vec<_>, Vec<_>) =
        verdicts.iter().partition(|verdict| verdict["stage"] == 0);
    assert_eq!(refused.len(), 2 * shifts.len());
    for (what, why) in [("edit 2", "Toaster"), ("edit 3", "edit 1 moves it already")] {
        let told = |verdict: &&&Value| {
            let reason = text(&verdict["reason"]);
            reason.starts_with(what) && reason.contains(why)
        };
        assert_eq!(refused.iter().filter(told).count(), shifts.len());
    }
    assert!(candidates.len() > requests);

    let (again, second) = replay(
        "edited-again",
        &format!("{asking} --llm-cassette-dir edited/cassette"),
    );
    again.fine();
    assert_eq!(
        server.calls().len(),
        shifts.len(),
        "what is recorded is not asked again"
    );
    same_lines(&first, &second, &STREAMS);
    drop(server);

    let recorded = "--synthesizer cassette --llm-model parrot-1 --llm-cassette-dir edited/cassette";
    let (alone, third) = replay(
        "edited-alone",
        &format!("{recorded} --llm-writes edits --workers 2"),
    );
    alone.fine();
    same_lines(&first, &third, &STREAMS);
    assert_eq!(third.summary()["llm"]["recorded"], requests);

    // The same cassette holds no sequences.
    let (ended, output) = replay("edited-not", recorded);
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert_eq!(output.summary()["failures"], requests);
}

/// What is moved is the home's own past, each sequence of it.
#[test]
fn edits_change_the_past_and_nothing_else() {
    let server = telling();
    let asking = format!("{} --llm-writes edits", asking(&server));
    let (ended, output) = replay("edited-past", &asking);
    ended.fine();
    let part = |q: &Value| text(&q["action"]);
    let mut before: BTreeSet<Vec<String>> = BTreeSet::new();
    for segment in output.values("segments") {
        let behaviors = segment["behaviors"].as_array().unwrap();
        before.insert(behaviors.iter().map(part).collect());
    }
    let mut written = 0;
    for verdict in output.values("verdicts") {
        let sequence = verdict["sequence"].as_array().unwrap();
        if !sequence.is_empty() {
            let actions: Vec<_> = sequence.iter().map(part).collect();
            assert!(before.contains(&actions), "{verdict}");
            written += 1;
        }
    }
    assert!(written > 0);
}

/// The requests of a shift share a failure too: nobody asks again what has just failed.
#[test]
fn a_failure_is_shared() {
    let server = Server::start(|_| Act::Say("Nothing will change, I hope.".into()));
    let (ended, output) = replay(
        "edited-prose",
        &format!("{} --llm-writes edits", asking(&server)),
    );
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    let shifts = shifts(&output);
    let requests: usize = shifts.values().map(BTreeSet::len).sum();
    assert_eq!(server.calls().len(), shifts.len());
    assert!(requests > shifts.len());
    assert_eq!(output.summary()["failures"], requests);
    let verdicts = output.values("verdicts");
    assert_eq!(verdicts.len(), requests);
    for verdict in verdicts {
        let reason = text(&verdict["reason"]);
        assert!(
            reason.contains("no whole list of edits: `Nothing"),
            "{reason}"
        );
    }
}

/// A dry run counts shifts, and what it shows is what is sent.
#[test]
fn a_dry_run_quotes_one_call_a_shift() {
    let server = telling();
    let options = format!(
        "{} --llm-writes edits --llm-price-input 2.50 --llm-price-output 10",
        asking(&server)
    );
    let (told, _) = replay("edits-explained", &format!("{options} --explain"));
    let told = told.fine();
    assert_eq!(server.connections(), 0);
    let bodies = told.stdout.lines().filter(|line| line.starts_with('{'));
    let mut bodies: Vec<String> = bodies.map(str::to_owned).collect();
    assert!(told.stdout.contains("# h-1/0: POST"), "{}", told.stdout);
    assert!(told.stdout.contains("shifts  "), "{}", told.stdout);
    replay("edits-explained", &options).0.fine();
    let body = |bytes: Vec<u8>| {
        let bytes = String::from_utf8(bytes).unwrap();
        bytes.split_once("\r\n\r\n").unwrap().1.to_owned()
    };
    let calls = server.calls().into_iter();
    let mut sent: Vec<String> = calls.map(|call| body(call.bytes)).collect();
    bodies.sort();
    sent.sort();
    assert_eq!(bodies, sent);
    let (told, _) = replay("edits-explained", &format!("{options} --dry-run"));
    let recorded = format!("of which {} are recorded already", sent.len());
    assert!(told.fine().stdout.contains(&recorded));
}

#[test]
fn templates_of_edits_are_used() {
    hearth(dir(), "templates --out edit-prompts").fine();
    std::fs::write(
        dir().join("edit-prompts/edits-system.txt"),
        "Be a house.\n{{ successors }}",
    )
    .unwrap();
    let server = telling();
    let options = format!(
        "{} --llm-writes edits --llm-templates edit-prompts",
        asking(&server)
    );
    let (ended, output) = replay("edit-templates", &options);
    ended.fine();
    let (calls, requests) = (server.calls(), output.values("requests"));
    assert!(!calls.is_empty() && !requests.is_empty());
    for call in calls {
        let system = text(&call.body["messages"][0]["content"]);
        assert!(system.starts_with("Be a house.\n\""), "{system}");
    }
    for request in requests {
        let system = text(&request["prompt"]["system"]);
        assert!(system.starts_with("Be a house."), "{system}");
    }
    // Words of the other kind of prompt are none of these.
    std::fs::write(dir().join("edit-prompts/edits-user.txt"), "{{ sequences }}").unwrap();
    let (ended, _) = replay("edit-templates-wrong", &options);
    assert_eq!(ended.code, Some(2));
    assert!(
        ended
            .stderr
            .contains("known are scene, habits and successors"),
        "{}",
        ended.stderr
    );
}
