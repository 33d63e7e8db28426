//! What does not pass: asked once, and what can be learnt is learnt.

use super::*;

#[tokio::test]
async fn a_refusal_ends_all_calls() {
    let elsewhere = Server::new(vec![say(fine())]);
    let location = format!("location: http://{}/v1/chat/completions", elsewhere.address);
    let quota = r#"{"error": {"message": "no credit", "code": "insufficient_quota"}}"#;
    for (status, headers, body, word) in [
        (
            401,
            vec![],
            r#"{"error": {"message": "bad key"}}"#,
            "bad key",
        ),
        (402, vec![], r#"{"message": "pay"}"#, "pay"),
        (403, vec![], "not you", "not you"),
        (
            404,
            vec![],
            r#"{"error": "no such model"}"#,
            "no such model",
        ),
        (429, vec![], quota, "no credit"),
        (302, vec![location.as_str()], "", "sends to"),
        (307, vec![location.as_str()], "", "sends to"),
    ] {
        let server = Server::new(vec![say(http(status, &headers, body)), say(fine())]);
        let client = client(&server);
        for _ in 0..3 {
            let (answer, counts) = complete(&client).await;
            let Err(CallError::Refused(why)) = answer else {
                panic!("{status}: {answer:?}");
            };
            assert!(why.contains(word), "{status}: {why}");
            assert_eq!(counts.spent, 0);
        }
        assert_eq!(server.connections(), 1, "{status}");
    }
    assert_eq!(elsewhere.connections(), 0);
}

#[tokio::test]
async fn a_request_that_is_turned_down_is_not_sent_again_but_others_are() {
    for status in [400, 405, 413, 415, 422] {
        let server = Server::new(vec![say(http(status, &[], "too many tokens")), say(fine())]);
        let client = client(&server);
        let (answer, counts) = complete(&client).await;
        let Err(CallError::Failed(why)) = answer else {
            panic!("{status}: {answer:?}");
        };
        assert!(why.contains("too many tokens"), "{why}");
        assert_eq!((server.connections(), counts.released), (1, 1));
        assert!(complete(&client).await.0.is_ok());
    }
}

/// Turns down a field, by the words of a real server.
fn against(status: u16, words: &str) -> Script {
    say(http(
        status,
        &[],
        &json!({"error": {"message": words}}).to_string(),
    ))
}

#[tokio::test]
async fn a_server_that_does_not_know_schemas_is_asked_in_words_from_then_on() {
    for (status, words) in [
        (400, "Unknown parameter: 'response_format'"),
        (422, "response_format.type: Input should be 'text'"),
        (400, "JSON schema conversion failed"),
    ] {
        let server = Server::new(vec![against(status, words), say(fine())]);
        let client = client(&server);
        for _ in 0..2 {
            let (answer, counts) = complete(&client).await;
            assert_eq!(answer.unwrap().format, Format::Paper);
            assert_eq!(counts.spent, 0);
        }
        let bodies = server.bodies();
        let asked: Vec<bool> = bodies
            .iter()
            .map(|body| body.get("response_format").is_some())
            .collect();
        assert_eq!(asked, [true, false, false], "{words}");
        let system = bodies[1].pointer("/messages/0/content").unwrap();
        assert_eq!(system, "You know homes.\n\nAnswer as <seq [[…]] seq>.");
    }
}

#[tokio::test]
async fn a_server_that_has_answered_by_schema_is_asked_by_schema_again() {
    let server = Server::new(vec![
        say(fine()),
        against(400, "this json_schema is too deep"),
        say(fine()),
    ]);
    let client = client(&server);
    let mut formats = Vec::new();
    for _ in 0..3 {
        formats.push(complete(&client).await.0.unwrap().format);
    }
    assert_eq!(formats, [Format::Schema, Format::Paper, Format::Schema]);
}

#[tokio::test]
async fn a_form_that_was_asked_for_is_kept() {
    let server = Server::new(vec![against(400, "no response_format here")]);
    let answer = client(&server)
        .complete(&call(Format::Schema), &Ledger::rich())
        .await;
    assert!(matches!(answer, Err(CallError::Failed(_))), "{answer:?}");
    assert_eq!(server.connections(), 1);

    let server = Server::new(vec![say(fine())]);
    let answer = client(&server)
        .complete(&call(Format::Paper), &Ledger::rich())
        .await;
    assert_eq!(answer.unwrap().format, Format::Paper);
    assert!(server.bodies()[0].get("response_format").is_none());
}

#[tokio::test]
async fn fields_that_a_server_does_not_take_are_left_out_once_and_for_all() {
    let server = Server::new(vec![
        against(
            400,
            "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.",
        ),
        against(422, "body.stream_options: Extra inputs are not permitted"),
        against(400, "response_format is not supported"),
        say(fine()),
    ]);
    let client = client(&server);
    for _ in 0..2 {
        let (answer, _) = complete(&client).await;
        assert_eq!(answer.unwrap().format, Format::Paper);
    }
    assert_eq!(server.connections(), 5);
    let body = &server.bodies()[4];
    assert_eq!(body["max_completion_tokens"], 16);
    for field in ["max_tokens", "stream_options", "response_format"] {
        assert!(body.get(field).is_none(), "{field}");
    }
    assert_eq!(
        serde_json::from_slice::<serde_json::Value>(
            &client
                .dialect(&call(Format::Auto))
                .body(&call(Format::Auto))
        )
        .unwrap(),
        *body
    );
}

/// Turns a request down with this body.
fn turned_down(status: u16, body: &serde_json::Value) -> Script {
    say(http(status, &[], &body.to_string()))
}

/// OpenAI names a field as `param`, FastAPI (vLLM, TGI) by `loc`; whatever else the words name is not meant.
#[tokio::test]
async fn the_field_that_a_complaint_is_about_is_the_one_that_goes() {
    let server = Server::new(vec![
        turned_down(
            400,
            &json!({"error": {"param": "temperature", "code": "unsupported_value", "message":
                "Unsupported value: 'temperature' does not support 0.5 with this model (max_tokens, seed do)."}}),
        ),
        turned_down(
            422,
            &json!({"detail": [{"type": "extra_forbidden", "loc": ["body", "seed"], "msg": "Extra inputs are not permitted",
                "input": {"max_tokens": 16}}]}),
        ),
        turned_down(
            400,
            &json!({"object": "error", "message": "stream_options: not known"}),
        ),
        say(fine()),
    ]);
    let client = client(&server);
    for _ in 0..2 {
        assert!(complete(&client).await.0.is_ok());
    }
    let bodies = server.bodies();
    let missing = |body: &serde_json::Value| {
        let fields = [
            "temperature",
            "seed",
            "stream_options",
            "max_tokens",
            "response_format",
        ];
        fields
            .into_iter()
            .filter(|field| body.get(field).is_none())
            .count()
    };
    let missing: Vec<usize> = bodies.iter().map(missing).collect();
    assert_eq!(missing, [0, 1, 2, 3, 3]);
    assert!(bodies[4].get("max_tokens").is_some() && bodies[4].get("response_format").is_some());
}

#[tokio::test]
async fn a_limit_that_is_too_large_is_lowered_once_and_for_all() {
    let server = Server::new(vec![
        against(
            400,
            "max_tokens is too large: 16. This model supports at most 12 completion tokens",
        ),
        say(fine()),
    ]);
    let client = client(&server);
    for _ in 0..2 {
        assert!(complete(&client).await.0.is_ok());
    }
    let limits: Vec<_> = server
        .bodies()
        .iter()
        .map(|body| body["max_tokens"].clone())
        .collect();
    assert_eq!(limits, [16, 12, 12]);
}

/// What is left of a window depends on the prompt, so it is no other call's limit.
#[tokio::test]
async fn a_window_limits_the_one_call() {
    let words =
        "This model's maximum context length is 2048 tokens and your request has 2040 input tokens";
    let server = Server::new(vec![against(400, words), say(fine())]);
    let client = client(&server);
    for _ in 0..2 {
        assert!(complete(&client).await.0.is_ok());
    }
    let limits: Vec<_> = server
        .bodies()
        .iter()
        .map(|body| body["max_tokens"].clone())
        .collect();
    assert_eq!(limits, [16, 8, 16]);
}

#[tokio::test]
async fn azure_gets_the_key_in_its_own_header() {
    let server = Server::new(vec![say(fine())]);
    let base = format!(
        "http://{}/openai/deployments/d?api-version=1",
        server.address
    );
    let options = Options {
        endpoint: base.parse().unwrap(),
        ..options(&server)
    };
    assert!(complete(&Client::new(options).unwrap()).await.0.is_ok());
    let requests = server.requests();
    let (head, _) = requests[0].split_once("\r\n\r\n").unwrap();
    let to = "POST /openai/deployments/d/chat/completions?api-version=1 ";
    assert!(head.starts_with(to), "{head}");
    assert!(head.contains(&format!("api-key: {KEY}")), "{head}");
}

#[tokio::test]
async fn a_complaint_that_does_not_end_is_not_answered_for_ever() {
    let server = Server::new(vec![against(
        400,
        "max_completion_tokens stream_options response_format",
    )]);
    let (answer, _) = complete(&client(&server)).await;
    assert!(matches!(answer, Err(CallError::Failed(_))), "{answer:?}");
    assert!(server.connections() <= 4, "{}", server.connections());
}

#[tokio::test]
async fn the_key_is_in_no_message() {
    let half = &KEY[..KEY.len() / 2];
    let words = format!("Incorrect API key: {KEY}, or {half}****");
    let error = json!({"error": {"message": &words}});
    for script in [
        say(http(401, &[], &error.to_string())),
        say(http(403, &[], &words)),
        say(http(
            302,
            &[&format!("location: http://127.0.0.1:1/{KEY}")],
            "",
        )),
        say(http(400, &[], &error.to_string())),
        say(http(500, &[], &words)),
        say(http(429, &["retry-after: 3600"], &words)),
        say([STREAM, &event(&error)].concat()),
        say(http(
            200,
            &["content-type: application/json"],
            &error.to_string(),
        )),
        say(http(200, &[&format!("content-type: {KEY}")], "")),
        say(format!("{KEY}\r\n\r\n")),
    ] {
        let server = Server::new(vec![script]);
        let options = options(&server);
        assert!(!format!("{options:?}").contains(&KEY[..8]));
        let client = Client::new(options).unwrap();
        for _ in 0..2 {
            let error = complete(&client).await.0.unwrap_err();
            let shown = format!("{error} {error:?}");
            assert!(
                !shown.contains(&KEY[..8]) && !shown.contains(&KEY[20..]),
                "{shown}"
            );
        }
    }
}
