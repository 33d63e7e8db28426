//! llmock breaks answers on demand, keeps a journal of what the client does, and judges it.

use futures_util::future::join_all;
use hearth::synthesizers::llm::{CallError, Completion};
use serde_json::Value;

use super::*;

type Answers = Vec<Result<Completion, CallError>>;

async fn ask(client: &Client, calls: usize) -> Answers {
    let calls: Vec<Call> = (0..calls)
        .map(|number| call(number, Format::Auto))
        .collect();
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

    /// The verdict on all since the last one: without an error and without a warning. Then all is forgotten.
    async fn acquits(&self, mode: &str) {
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
        assert_eq!(verdict["findings"], json!([]), "{mode}");
        self.post("reset", json!({})).await;
    }
}

#[tokio::test]
async fn what_is_scripted_is_met_as_it_should_be() {
    let Some(server) = Server::start("llmock", &[]) else {
        return;
    };
    let passing = |status: u64, wait: f64| json!({"type": "fail", "status": status, "retry_after": wait, "times": 2});
    let fault = |kind: &str| json!({"type": "stream_fault", "kind": kind, "after_chunks": 3, "stall_seconds": 30, "times": 2});
    // Each hits two attempts; what passes is answered in the end.
    for (mode, behavior) in [
        ("429, retry-after 1.5 s", passing(429, 1.5)),
        ("429, retry-after-ms 200", passing(429, 0.2)),
        ("503, retry-after", passing(503, 1.0)),
        ("500", json!({"type": "fail", "status": 500, "times": 2})),
        ("529", json!({"type": "fail", "status": 529, "times": 2})),
        ("408", json!({"type": "fail", "status": 408, "times": 2})),
        ("stream disconnected", fault("disconnect")),
        ("stream truncated", fault("truncate")),
        ("stream malformed", fault("malformed")),
        ("stream stalled", fault("stall")),
        ("delay", json!({"type": "delay", "seconds": 0.5})),
        (
            "slow first token",
            json!({"type": "slow_first_token", "seconds": 0.5}),
        ),
    ] {
        server
            .post("scenario", json!({"behaviors": [behavior]}))
            .await;
        let client = Client::new(Options {
            idle: Duration::from_secs(2),
            ..options(&server)
        });
        let answers = ask(&client.unwrap(), 4).await;
        assert_eq!(answered(&answers), 4, "{mode}: {answers:?}");
        server.acquits(mode).await;
    }
    // What does not pass is asked once.
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
    // Never ending trouble ends after five attempts.
    let fail = json!({"type": "fail", "status": 503, "retry_after": 0.1, "times": null});
    server.post("scenario", json!({"behaviors": [fail]})).await;
    assert_eq!(answered(&ask(&client(&server), 1).await), 0);
    assert_eq!(server.get("requests").await["count"], 5);
    server.acquits("503 for ever").await;
}

#[tokio::test]
async fn random_trouble_is_met_as_it_should_be() {
    let rates = ["429=0.15", "500=0.05", "503=0.1"].map(|rate| ["--error-rate", rate]);
    let faults =
        ["truncate=0.1", "malformed=0.1", "disconnect=0.1"].map(|rate| ["--stream-fault", rate]);
    let chaos = [rates.concat(), faults.concat()].concat();
    let Some(server) = Server::start("llmock", &chaos) else {
        return;
    };
    let client = Client::new(Options {
        attempts: 10.try_into().unwrap(),
        ..options(&server)
    });
    let answers = ask(&client.unwrap(), 60).await;
    // A call fails with chance 0.6¹⁰: one in 165.
    assert!(answered(&answers) >= 57, "{answers:?}");
    server.acquits("chaos").await;
}

#[tokio::test]
async fn limits_of_requests_tokens_and_context_are_kept() {
    for (mode, options) in [
        ("requests a minute", ["--rpm", "40"]),
        ("tokens a minute", ["--tpm", "8000"]),
    ] {
        let Some(server) = Server::start("llmock", &options) else {
            return;
        };
        let answers = ask(&client(&server), 50).await;
        assert_eq!(answered(&answers), 50, "{mode}: {answers:?}");
        server.acquits(mode).await;
    }
    // A client that is told the limit does not run into it.
    let Some(server) = Server::start("llmock", &["--rpm", "60", "--tpm", "100000"]) else {
        return;
    };
    let client = Client::new(Options {
        requests_per_minute: Some(60.try_into().unwrap()),
        tokens_per_minute: Some(100_000.try_into().unwrap()),
        ..options(&server)
    });
    assert_eq!(answered(&ask(&client.unwrap(), 12).await), 12);
    let requests = server.get("requests").await;
    assert_eq!(requests["count"], 12);
    server.acquits("limits known").await;

    let Some(server) = Server::start("llmock", &["--context-window", "10"]) else {
        return;
    };
    assert_eq!(answered(&ask(&self::client(&server), 3).await), 0);
    assert_eq!(server.get("requests").await["count"], 3);
    server.acquits("context").await;
}
