//! Answers that are whole, in all the forms in which servers give them.

use super::*;

#[tokio::test]
async fn an_answer_is_streamed_and_paid_for() {
    let server = Server::new(vec![say(fine())]);
    let client = client(&server);
    let shown = super::super::body(&call(Format::Auto));
    let (answer, counts) = complete(&client).await;
    let tokens = Some(Usage {
        input: 11,
        output: 2,
    });
    assert_eq!(
        answer.unwrap(),
        Completion {
            text: "on off".to_owned(),
            finish: Finish::Stop,
            usage: tokens,
            model: "m-1".to_owned(),
            format: Format::Schema,
        }
    );
    assert_eq!(
        counts,
        Attempts {
            reserved: 1,
            settled: vec![tokens],
            ..Attempts::default()
        }
    );
    let requests = server.requests();
    let (head, body) = requests[0].split_once("\r\n\r\n").unwrap();
    assert!(
        head.starts_with("POST /v1/chat/completions HTTP/1.1\r\n"),
        "{head}"
    );
    assert!(
        head.contains(&format!("authorization: Bearer {KEY}")),
        "{head}"
    );
    assert_eq!(body.as_bytes(), shown);
    assert_eq!(
        server.bodies(),
        [json!({
            "model": "m",
            "messages": [
                {"role": "system", "content": "You know homes.\n\nAnswer as JSON."},
                {"role": "user", "content": "It is summer. Ünïcödé."},
            ],
            "temperature": 0.5,
            "seed": 7,
            "max_tokens": 16,
            "stream": true,
            "stream_options": {"include_usage": true},
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "answer", "strict": true, "schema": {"type": "object"}},
            },
        })]
    );
}

#[tokio::test]
async fn what_servers_leave_out_or_add_does_no_harm() {
    let text = || [STREAM, &piece("on"), &piece(" off")].concat();
    let whole = |message: &str| {
        let body = format!(
            r#"{{"model":"m-1","choices":[{{"index":0,"message":{message},"finish_reason":"stop"}}],
            "usage":{{"prompt_tokens":11,"completion_tokens":2}}}}"#
        );
        http(
            200,
            &["content-type: application/json; charset=utf-8"],
            &body,
        )
    };
    let counted = Some(Usage {
        input: 11,
        output: 2,
    });
    let cases: Vec<(&str, Vec<u8>, Option<Usage>)> = vec![
        (
            "no usage, no end mark",
            (text() + &finish("stop")).into(),
            None,
        ),
        (
            "no usage",
            (text() + &finish("stop") + &event("[DONE]")).into(),
            None,
        ),
        (
            "end mark twice",
            (fine() + &event("[DONE]")).into(),
            counted,
        ),
        (
            "keep-alives",
            fine().replace("data:", ": PROCESSING\n\ndata:").into(),
            counted,
        ),
        (
            "windows lines",
            fine().replace('\n', "\r\n").replace("\r\r", "\r").into(),
            counted,
        ),
        (
            "byte order mark",
            fine()
                .replacen("\r\n\r\ndata", "\r\n\r\n\u{feff}data", 1)
                .into(),
            counted,
        ),
        (
            "no space after the colon",
            fine().replace("data: ", "data:").into(),
            counted,
        ),
        (
            "fields of its own",
            fine()
                .replace("data:", "id: 7\nx: y\nevent: chunk\ndata:")
                .into(),
            counted,
        ),
        (
            "no empty line at the end",
            (text() + finish("stop").trim_end()).into(),
            None,
        ),
        (
            "nothing sensible after the end",
            (text() + &finish("stop") + &event("{\"usa")).into(),
            None,
        ),
        (
            "an error after the end",
            (text() + &finish("stop") + &event("{\"error\":{}}")).into(),
            None,
        ),
        (
            "no type",
            fine()
                .replace("content-type: text/event-stream\r\n", "")
                .into(),
            counted,
        ),
        (
            "an empty reason before the end",
            fine().replace("null", "\"\"").into(),
            counted,
        ),
        (
            "at once",
            whole(r#"{"role":"assistant","content":"on off"}"#),
            counted,
        ),
        (
            "usage null",
            fine()
                .replace("\"choices\"", "\"usage\":null,\"choices\"")
                .replacen("\"usage\":null,", "", 9)
                .into(),
            counted,
        ),
    ];
    for (name, bytes, tokens) in cases {
        let server = Server::new(vec![say(&bytes)]);
        let (answer, counts) = complete(&client(&server)).await;
        let answer = answer.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(answer.text, "on off", "{name}");
        assert_eq!(answer.finish, Finish::Stop, "{name}");
        assert_eq!(answer.usage, tokens, "{name}");
        assert_eq!(
            (server.connections(), counts.settled),
            (1, vec![tokens]),
            "{name}"
        );
    }
}

#[tokio::test]
async fn bytes_may_be_cut_anywhere() {
    let text = [
        STREAM,
        &piece("Wärme ☀ "),
        &piece("🏠"),
        &finish("stop"),
        &usage(1, 2),
    ]
    .concat();
    let script = std::iter::once(Step::Read).chain(text.bytes().map(|byte| Step::Say(vec![byte])));
    let server = Server::new(vec![script.collect()]);
    let (answer, _) = complete(&client(&server)).await;
    let answer = answer.unwrap();
    assert_eq!(answer.text, "Wärme ☀ 🏠");
    assert_eq!(
        answer.usage,
        Some(Usage {
            input: 1,
            output: 2
        })
    );
}

#[tokio::test]
async fn an_answer_that_was_cut_or_withheld_says_so_and_is_not_asked_for_again() {
    for (reason, expected) in [
        ("length", Finish::Length),
        ("content_filter", Finish::ContentFilter),
        ("tool_calls", Finish::Other("tool_calls".to_owned())),
    ] {
        let server = Server::new(vec![say(
            fine().replace("\"stop\"", &format!("\"{reason}\""))
        )]);
        let (answer, counts) = complete(&client(&server)).await;
        assert_eq!(answer.unwrap().finish, expected);
        assert_eq!((server.connections(), counts.settled.len()), (1, 1));
    }
    let no = event(&json!({"choices": [{"delta": {"refusal": "I cannot"}}]}));
    let server = Server::new(vec![say([STREAM, &no, &finish("stop")].concat())]);
    let (answer, _) = complete(&client(&server)).await;
    assert_eq!(answer.unwrap().finish, Finish::Other("refusal".to_owned()));
}

#[tokio::test]
async fn a_server_that_forgets_to_hang_up_after_the_end_is_not_waited_for() {
    let text = [STREAM, &piece("on off"), &finish("stop")].concat();
    let server = Server::new(vec![vec![Step::Read, Step::Say(text.into()), Step::Hang]]);
    let client = Client::new(Options {
        idle: Duration::from_millis(50),
        ..options(&server)
    });
    let (answer, counts) = complete(&client.unwrap()).await;
    assert_eq!(answer.unwrap().text, "on off");
    assert_eq!((server.connections(), counts.settled), (1, vec![None]));
}

#[tokio::test]
async fn a_model_that_thinks_first_is_waited_for_while_it_shows_that_it_lives() {
    let thought = event(&json!({"choices": [{"delta": {"reasoning_content": "hm"}}]}));
    let mut script = vec![Step::Read, Step::Say(STREAM.into())];
    for _ in 0..10 {
        script.push(Step::Say(thought.clone().into()));
        script.push(Step::Wait(Duration::from_millis(20)));
    }
    script.push(Step::Say(fine().replacen(STREAM, "", 1).into()));
    let server = Server::new(vec![script]);
    let client = Client::new(Options {
        first_token: Duration::from_millis(100),
        idle: Duration::from_secs(60),
        ..options(&server)
    });
    let (answer, _) = complete(&client.unwrap()).await;
    // The head alone must come within the first token's time; on a machine too busy for that the call is made again.
    assert_eq!(answer.unwrap().text, "on off");
}

/// As Mistral, DeepSeek, Ollama and others give what they say.
#[tokio::test]
async fn an_answer_is_found_wherever_a_server_puts_it() {
    let delta = |delta: serde_json::Value| event(&json!({"choices": [{"delta": delta}]}));
    let thought = |name: &str| delta(json!({"content": null, name: "Hm."}));
    let parts = json!({"content": [{"type": "thinking", "thinking": [{"text": "Hm."}]},
        {"type": "text", "text": "on"}, {"type": "text", "text": " off"}]});
    let message = |message: serde_json::Value| {
        let body = json!({"choices": [{"message": message}]}).to_string();
        http(200, &["content-type: application/json"], &body)
    };
    let stream = |events: &[String]| [STREAM, &events.concat()].concat().into_bytes();
    let done = event("[DONE]");
    let both = json!({"content": "on off", "reasoning_content": "Hm."});
    let alone = json!({"content": "", "reasoning_content": "on off"});
    for (name, answer) in [
        ("parts", stream(&[delta(parts.clone()), finish("stop")])),
        (
            "thoughts",
            stream(&[
                thought("reasoning_content"),
                piece("on off"),
                finish("stop"),
            ]),
        ),
        (
            "reasoning",
            stream(&[thought("reasoning"), piece("on off"), finish("stop")]),
        ),
        (
            "all thought",
            stream(&[delta(alone.clone()), finish("stop")]),
        ),
        ("no reason to end", stream(&[piece("on off"), done])),
        ("parts at once", message(parts)),
        ("thoughts at once", message(both)),
        ("all thought at once", message(alone)),
    ] {
        let server = Server::new(vec![say(answer)]);
        let (answer, _) = complete(&client(&server)).await;
        let answer = answer.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(
            (answer.text.as_str(), answer.finish),
            ("on off", Finish::Stop),
            "{name}"
        );
        assert_eq!(server.connections(), 1, "{name}");
    }
}
