//! llmock breaks answers on demand, keeps a journal of what the client does, and judges it.

use std::ops::Range;
use std::time::Duration;

use futures_util::future::join_all;
use hearth::synthesizers::llm::{CallError, Completion};
use serde_json::Value;

use super::*;

/// As a model takes its time for each token. Were all of an answer sent at once, llmock would not see that the client hangs
/// up in the midst of it.
const UNHURRIED: [&str; 2] = ["--stream-chunk-delay-ms", "40"];

type Answers = Vec<Result<Completion, CallError>>;

async fn ask(client: &Client, calls: usize) -> Answers {
    ask_for(client, 0..calls, Format::Auto).await
}

async fn ask_for(client: &Client, numbers: Range<usize>, format: Format) -> Answers {
    let calls: Vec<Call> = numbers.map(|number| call(number, format)).collect();
    join_all(calls.iter().map(|call| client.complete(call, &Rich))).await
}

fn answered(answers: &Answers) -> usize {
    answers.iter().filter(|answer| answer.is_ok()).count()
}

impl Server {
    async fn get(&self, path: &str) -> Value {
        let answer = reqwest::get(format!("{}/_llmock/{path}", self.url))
            .await
            .unwrap();
        serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap()
    }

    async fn post(&self, path: &str, body: Value) {
        let request = reqwest::Client::new().post(format!("{}/_llmock/{path}", self.url));
        let answer = request.body(body.to_string()).send().await.unwrap();
        assert!(
            answer.status().is_success(),
            "{}",
            answer.text().await.unwrap()
        );
    }

    /// The verdict on all since the last one: what llmock finds fault with, and the number of faults that there were. Then all
    /// is forgotten.
    async fn verdict(&self, mode: &str) -> (Vec<Value>, u64) {
        let verdict = self.get("verdict").await;
        let count = |name: &str| verdict[name].as_u64().unwrap();
        eprintln!(
            "{mode}: passed {}, {} calls, {} attempts, {} faults, {} errors, {} warnings",
            verdict["passed"],
            count("calls"),
            count("attempts"),
            count("faults_injected"),
            count("errors"),
            count("warnings")
        );
        self.post("reset", json!({})).await;
        let findings = verdict["findings"].as_array().unwrap().clone();
        (findings, count("faults_injected"))
    }

    /// The verdict is without an error and without a warning. Gives the number of faults that there were.
    async fn acquits(&self, mode: &str) -> u64 {
        let (findings, faults) = self.verdict(mode).await;
        assert_eq!(findings, Vec::<Value>::new(), "{mode}");
        faults
    }
}

/// Servers with these options: what waits for clocks is asked of all together.
fn servers<const N: usize>(options: [&[&str]; N]) -> Option<[Server; N]> {
    let servers: Option<Vec<Server>> = options
        .map(|o| Server::start("llmock", o))
        .into_iter()
        .collect();
    servers?.try_into().ok()
}

/// Each of these hits two attempts; what passes is answered in the end.
async fn meets_what_passes(server: Server, modes: &[(&str, Value)]) {
    for (mode, behavior) in modes {
        server
            .post("scenario", json!({"behaviors": [behavior]}))
            .await;
        let client = Client::new(Options {
            idle: Duration::from_secs(2),
            ..options(&server)
        });
        let answers = ask(&client.unwrap(), 4).await;
        assert_eq!(answered(&answers), 4, "{mode}: {answers:?}");
        let faults = if mode.starts_with("slow") { 0 } else { 2 };
        assert_eq!(server.acquits(mode).await, faults, "{mode}");
    }
}

/// What does not pass is asked once, and never ending trouble ends after five attempts.
async fn gives_up(server: Server) {
    for (status, all) in [
        (400, false),
        (413, false),
        (422, false),
        (401, true),
        (403, true),
        (404, true),
    ] {
        let fail = json!({"type": "fail", "status": status, "times": null});
        server.post("scenario", json!({"behaviors": [fail]})).await;
        let client = client(&server);
        let answers = ask(&client, 1).await;
        let again = ask(&client, 1).await;
        assert_eq!((answered(&answers), answered(&again)), (0, 0), "{status}");
        let requests = server.get("requests").await;
        assert_eq!(requests["count"], if all { 1 } else { 2 }, "{status}");
        server.post("reset", json!({})).await;
    }
    let fail = json!({"type": "fail", "status": 503, "retry_after": 0.1, "times": null});
    server.post("scenario", json!({"behaviors": [fail]})).await;
    assert_eq!(answered(&ask(&client(&server), 1).await), 0);
    assert_eq!(server.get("requests").await["count"], 5);
    assert_eq!(server.acquits("503 for ever").await, 5);
}

#[tokio::test]
async fn what_is_scripted_is_met_as_it_should_be() {
    let options: [&[&str]; 3] = [&UNHURRIED; 3];
    let Some([failing, breaking, refusing]) = servers(options) else {
        return;
    };
    let fail = |status: u64| json!({"type": "fail", "status": status, "times": 2});
    let passing = |status: u64, wait: f64| json!({"type": "fail", "status": status, "retry_after": wait, "times": 2});
    let failures = [
        ("429, retry-after 1.5 s", passing(429, 1.5)),
        ("429, retry-after-ms 200", passing(429, 0.2)),
        ("503, retry-after", passing(503, 1.0)),
        ("500", fail(500)),
        ("529", fail(529)),
        ("408", fail(408)),
    ];
    let fault = |kind: &str| json!({"type": "stream_fault", "kind": kind, "after_chunks": 3, "stall_seconds": 30, "times": 2});
    let slow = |what: &str| json!({"type": what, "seconds": 0.5});
    let breaks = [
        ("stream disconnected", fault("disconnect")),
        ("stream truncated", fault("truncate")),
        ("stream malformed", fault("malformed")),
        ("stream stalled", fault("stall")),
        ("slow answer", slow("delay")),
        ("slow first token", slow("slow_first_token")),
    ];
    tokio::join!(
        meets_what_passes(failing, &failures),
        meets_what_passes(breaking, &breaks),
        gives_up(refusing),
    );
}

#[tokio::test]
async fn random_errors_are_met_as_they_should_be() {
    let rates = ["429=0.2", "503=0.2"].map(|rate| ["--error-rate", rate]);
    let Some(server) = Server::start("llmock", &rates.concat()) else {
        return;
    };
    let client = Client::new(Options {
        attempts: 10.try_into().unwrap(),
        ..options(&server)
    });
    let answers = ask(&client.unwrap(), 40).await;
    // One call in ten thousand loses all its attempts.
    assert!(answered(&answers) >= 39, "{answers:?}");
    assert!(server.acquits("errors at random").await > 0);
}

#[tokio::test]
async fn random_cuts_are_met_as_they_should_be() {
    let faults = ["truncate=0.1", "malformed=0.1", "disconnect=0.1"];
    let faults = faults.map(|rate| ["--stream-fault", rate]).concat();
    // A fault hits one of the first six events. The answer is longer: one that is whole before the fault is taken and not
    // asked for again, which llmock does not tell from half an answer.
    let style = vec!["--response-style", "echo"];
    let options = [faults, style, UNHURRIED.to_vec()].concat();
    let Some(server) = Server::start("llmock", &options) else {
        return;
    };
    let client = Client::new(Options {
        attempts: 10.try_into().unwrap(),
        ..self::options(&server)
    });
    let client = client.unwrap();
    // As many calls as there are places: one that waited for a place as well would seem not to back off evenly.
    let mut given_up = 0;
    for round in 0..5 {
        let answers = ask_for(&client, round * 8..(round + 1) * 8, Format::Paper).await;
        for error in answers.iter().filter_map(|answer| answer.as_ref().err()) {
            assert!(error.to_string().contains("the same twice"), "{error}");
            given_up += 1;
        }
    }
    // By chance the same fault hits the same event twice, which five calls in a thousand do not survive. What is given up
    // after it looks to llmock, which judges by the last attempt, as if half an answer had been taken.
    assert!(given_up <= 4, "{given_up} of 40");
    let (findings, faults) = server.verdict("cuts at random").await;
    let taken = ["malformed_chunk_ignored", "truncated_stream_accepted"].map(Value::from);
    let of_given_up = |finding: &Value| taken.contains(&finding["code"]);
    assert!(
        findings.len() <= given_up && findings.iter().all(of_given_up),
        "{given_up} given up: {findings:?}"
    );
    assert!(faults > 0);
}

/// Calls that run into a limit which the client was not told are all answered.
async fn runs_into_limit(server: Server, mode: &str) {
    let answers = ask(&client(&server), 50).await;
    assert_eq!(answered(&answers), 50, "{mode}: {answers:?}");
    assert!(
        server.acquits(mode).await > 0,
        "{mode}: the limit was not reached"
    );
}

/// A client that is told the limit does not run into it.
async fn keeps_limits(server: Server) {
    let client = Client::new(Options {
        requests_per_minute: Some(60.try_into().unwrap()),
        tokens_per_minute: Some(100_000.try_into().unwrap()),
        ..options(&server)
    });
    assert_eq!(answered(&ask(&client.unwrap(), 12).await), 12);
    let requests = server.get("requests").await;
    assert_eq!(requests["count"], 12);
    assert_eq!(server.acquits("limits known").await, 0);
}

/// What is longer than the model's context is asked once.
async fn exceeds_context(server: Server) {
    assert_eq!(answered(&ask(&client(&server), 3).await), 0);
    assert_eq!(server.get("requests").await["count"], 3);
    assert_eq!(server.acquits("context").await, 3);
}

#[tokio::test]
async fn limits_of_requests_tokens_and_context_are_kept() {
    let Some([requests, tokens, known, context]) = servers([
        &["--rpm", "40"],
        &["--tpm", "7000"],
        &["--rpm", "60", "--tpm", "100000"],
        &["--context-window", "10"],
    ]) else {
        return;
    };
    tokio::join!(
        runs_into_limit(requests, "requests a minute"),
        runs_into_limit(tokens, "tokens a minute"),
        keeps_limits(known),
        exceeds_context(context),
    );
}
