//! A real model behind a real server.

use futures_util::future::join_all;
use hearth::synthesizers::llm::{CallError, Finish, Key};
use serde_json::Value;

use super::*;

const KEY: &str = "sk-hearth-test-0123456789";

/// The client with a key that lies in a file, as a user's does.
fn client_with(server: &Server, key: &str) -> Client {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    std::fs::write(&path, key).unwrap();
    let options = options(server);
    let key = Key::find(Some(&path), None, &options.endpoint).unwrap();
    Client::new(Options { key, ..options }).unwrap()
}

#[tokio::test]
async fn a_model_answers_by_schema_and_in_words() {
    let Some(server) = Server::start("llama", &["--api-key", KEY]) else {
        return;
    };
    let client = client_with(&server, KEY);

    let by_schema = [Format::Auto, Format::Schema].map(|format| call(0, format));
    for answer in join_all(by_schema.iter().map(|call| client.complete(call, &Rich))).await {
        let answer = answer.unwrap();
        let said: Value = serde_json::from_str(&answer.text).unwrap();
        assert!(
            ["Light", "Heater"].contains(&said["device"].as_str().unwrap()),
            "{said}"
        );
        assert_eq!(
            (answer.finish, answer.format),
            (Finish::Stop, Format::Schema)
        );
    }

    let answer = client
        .complete(&call(0, Format::Paper), &Rich)
        .await
        .unwrap();
    let usage = answer.usage.unwrap();
    assert!(!answer.text.is_empty());
    assert_eq!(answer.format, Format::Paper);
    assert!(
        usage.input > 10 && (1..=24).contains(&usage.output),
        "{usage:?}"
    );

    let mut short = call(0, Format::Paper);
    short.max_tokens = 1;
    let answer = client.complete(&short, &Rich).await.unwrap();
    assert_eq!(
        (answer.finish, answer.usage.unwrap().output),
        (Finish::Length, 1)
    );

    let mut long = call(0, Format::Paper);
    long.user = "on off ".repeat(10_000);
    let error = client.complete(&long, &Rich).await.unwrap_err();
    assert!(
        matches!(&error, CallError::Failed(why) if why.contains("HTTP 400")),
        "{error}"
    );

    let stranger = client_with(&server, "sk-hearth-test-9876543210");
    let error = stranger
        .complete(&call(0, Format::Auto), &Rich)
        .await
        .unwrap_err();
    assert!(
        matches!(&error, CallError::Refused(why) if why.contains("HTTP 401")),
        "{error}"
    );

    drop(server);
    let error = client
        .complete(&call(0, Format::Auto), &Rich)
        .await
        .unwrap_err();
    assert!(
        matches!(&error, CallError::Failed(why) if why.contains("no connection")),
        "{error}"
    );
}
