//! Lines that come in.

use std::io::Write;

use hearth_operators::split::Fate;
use hearth_operators::words::Line;
use serde_json::json;

use super::*;

fn gzip(text: &str) -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packed.write_all(text.as_bytes()).unwrap();
    packed.finish().unwrap()
}

#[tokio::test]
async fn what_is_accepted_is_in_the_inbox_and_what_is_not_is_said_with_its_line() {
    let live = Live::local().await;
    let body = r#"{"home":"h","time":"2025-01-01T08:00:00+01:00","device":"Lamp","action":"on","id":"1","room":"x"}

{"home":"h","time":"2025-13-01T08:00:00+01:00","device":"Lamp","action":"off"}
{"mark":{"source":"queue","at":"9"},"home":"h","time":"2025-01-01T08:05:00+01:00","action":"Lamp:off"}
{"home":"h","erase":{}}
nonsense
{"home":"h","time":"2025-01-01T08:06:00+01:00","action":"Lamp:off"}"#;
    for packed in [false, true] {
        let request = match packed {
            false => live.post("/events", body),
            true => live
                .post("/events", gzip(body))
                .header("content-encoding", "gzip"),
        };
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        let answer = json(response).await;
        assert_eq!(
            (&answer["accepted"], &answer["rejected_lines"]),
            (&json!(3), &json!(3)),
            "{answer}"
        );
        let lines: Vec<_> = answer["rejected"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| it["line"].as_u64().unwrap())
            .collect();
        assert_eq!(lines, [3, 5, 6]);
        let reason = answer["rejected"][0]["reason"].as_str().unwrap();
        assert!(reason.contains("impossible time"), "{reason}");
        assert_eq!(super::super::api::differs("Taken", &answer), None);
    }
    let expected = [
        r#"{"home":"h","time":"2025-01-01T08:00:00+01:00","device":"Lamp","action":"on","id":"1"}"#,
        r#"{"home":"h","time":"2025-01-01T08:05:00+01:00","action":"Lamp:off"}"#,
        r#"{"home":"h","time":"2025-01-01T08:06:00+01:00","action":"Lamp:off"}"#,
    ];
    assert_eq!(
        live.inbox(),
        expected.repeat(2),
        "no mark, no unknown field"
    );
    assert_eq!(live.desk.inbox.mark("queue"), None);
    let metrics = live.text("/metrics").await;
    assert!(
        metrics.contains("hearth_http_lines_accepted_total{kind=\"event\"} 6"),
        "{metrics}"
    );
    live.end().await;
}

#[tokio::test]
async fn whoever_waits_is_told_what_became_of_each_event_with_its_line() {
    use crate::fates::Fated;
    let live = Live::local().await;
    let event = |n: u64| {
        let id = n.to_string();
        json!({"home":"h","time":"2025-01-01T08:00:00Z","action":"Lamp:on","id":id}).to_string()
    };
    live.post("/events", event(0)).send().await.unwrap();
    // In the inbox these are the lines 2 to 6, in the body 1 and 4 to 7.
    let mut body = format!("{}\n\nnonsense\n", event(1));
    body.extend((2..=5).map(|n| event(n) + "\n"));
    let answer = live.post("/events?wait=1min", body).send();
    let dataflow = async {
        let fates = live.desk.inbox.durable().fates();
        while fates.among(1..=9).is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let asked = fates.among(1..=9);
        assert_eq!((asked[0].first.line, asked[0].last.line), (2, 6));
        let event = |line, fate| fates.tell(Fated::event(Line { file: 0, line }, fate));
        event(6, Fate::Waiting);
        event(5, Fate::Late);
        fates.tell(Fated::rejected(4, "unknown device"));
        event(2, Fate::Applied);
        event(3, Fate::Duplicate);
    };
    let (answer, ()) = tokio::join!(answer, dataflow);
    let answer = json(answer.unwrap()).await;
    assert_eq!(super::super::api::differs("Taken", &answer), None);
    let late = json!({"line": 6, "fate": "late", "reason": crate::outputs::LATE});
    let refused = json!({"line": 5, "fate": "rejected", "reason": "unknown device"});
    let fates = json!({
        "applied": 1, "duplicate": 1, "late": 1, "rejected": 1, "pending": 1, "refused": [refused, late],
    });
    assert_eq!((&answer["accepted"], &answer["fates"]), (&json!(5), &fates));
    live.end().await;
}

#[tokio::test]
async fn nobody_waits_longer_than_they_said() {
    let live = Live::local().await;
    let event = r#"{"home":"h","time":"2025-01-01T08:00:00Z","action":"Lamp:on"}"#;
    let wait = async |path: &str| live.post(path, event).send().await.unwrap();
    let answer = json(wait("/events?wait=1ms").await).await;
    assert_eq!(
        (&answer["accepted"], &answer["fates"]["pending"]),
        (&json!(1), &json!(1))
    );
    let ways = ["/events?wait=61s", "/events?wait=soon", "/feedback?wait=1s"];
    for path in ways {
        assert_eq!(wait(path).await.status(), 400, "{path}");
    }
    assert_eq!(live.inbox().len(), 1, "what is refused is not taken in");
    live.end().await;
}

#[tokio::test]
async fn contexts_feedback_and_erasures_come_in_each_by_its_own_way() {
    let live = Live::local().await;
    for (path, good, bad) in [
        (
            "/contexts",
            r#"{"home":"h","time":"2025-06-01T00:00:00+02:00","kind":"season","from":"winter","to":"summer"}"#,
            r#"{"home":"h","time":"2025-06-01T00:00:00+02:00","kind":"season","from":"winter","to":"warm"}"#,
        ),
        (
            "/feedback",
            r#"{"home":"h","alarm":"2025-01-03T09:00:00+01:00","fine":true}"#,
            r#"{"home":"h","alarm":"2025-01-03T09:00:00+01:00","fine":false}"#,
        ),
        (
            "/erasures",
            r#"{"home":"h","erase":{"from":"2025-01-01T00:00:00+01:00","device":"Lamp"}}"#,
            r#"{"home":"h","erase":{"form":"2025-01-01T00:00:00+01:00"}}"#,
        ),
    ] {
        let body = format!("{good}\n{bad}\n{{\"home\":\"*\",\"erase\":{{}}}}\n");
        let answer = json(live.post(path, body).send().await.unwrap()).await;
        assert_eq!(
            (&answer["accepted"], &answer["rejected_lines"]),
            (&json!(1), &json!(2)),
            "{path}: {answer}"
        );
        assert_eq!(live.inbox().last().map(String::as_str), Some(good));
    }
    assert_eq!(live.inbox().len(), 3);
    live.end().await;
}

#[tokio::test]
async fn a_body_of_many_lines_goes_in_piece_by_piece() {
    let live = Live::local().await;
    let lines: Vec<String> = (0..20_000)
        .map(|n| {
            format!(r#"{{"home":"h","time":"2025-01-01T08:00:00Z","action":"Lamp:on","id":"{n}"}}"#)
        })
        .collect();
    let request = live
        .post("/events", gzip(&lines.join("\n")))
        .header("content-encoding", "gzip");
    let answer = json(request.send().await.unwrap()).await;
    assert_eq!(answer["accepted"], 20_000, "{answer}");
    assert!(live.inbox() == lines, "in their order");
    live.end().await;
}

#[tokio::test]
async fn when_the_run_is_ending_nothing_is_promised() {
    let live = Live::local().await;
    let (address, client) = (live.address, live.client.clone());
    assert_eq!(live.get("/livez").send().await.unwrap().status(), 200);
    assert_eq!(live.get("/readyz").send().await.unwrap().status(), 503);
    live.desk.gauges.catch_up(true);
    assert_eq!(live.get("/readyz").send().await.unwrap().status(), 200);
    let gauges = &live.desk.gauges;
    gauges.wait_for("Kafka in", Some("its brokers are away".to_owned()));
    let answer = live.get("/readyz").send().await.unwrap();
    assert_eq!(answer.status(), 503);
    assert_eq!(
        answer.text().await.unwrap(),
        "Kafka in: its brokers are away\n"
    );
    gauges.wait_for("Kafka in", None);
    assert_eq!(live.get("/readyz").send().await.unwrap().status(), 200);
    let folder = live.end().await;
    assert!(
        client
            .get(format!("http://{address}/livez"))
            .send()
            .await
            .is_err()
    );
    drop(folder);
}
