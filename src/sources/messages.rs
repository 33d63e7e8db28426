//! Messages of brokers that are events as JSON, as a log has them: one, several lines of them, or a list. Contexts and feedback come
//! the same way.

use jiff::tz::TimeZone;
use serde_json::{Map, Value};

use super::files::{LONGEST_NAME, instant};
use super::states::At;
use crate::inbox::LONGEST_LINE;
use crate::time;

/// The lines that a message is. `home` is of whom it is where it does not say; `at` when, where it does not say when.
///
/// # Errors
/// What is wrong with its payload: then nothing of it counts.
pub(crate) fn lines(home: Option<&str>, payload: &[u8], at: At) -> Result<Vec<String>, String> {
    let text = text(payload)?;
    let mut lines = Vec::new();
    let values = serde_json::Deserializer::from_str(text).into_iter::<Value>();
    for value in values {
        let value = value.map_err(|error| format!("the payload is no JSON: {error}"))?;
        match value {
            Value::Array(values) => {
                for value in values {
                    lines.push(line(home, value, at)?);
                }
            }
            value => lines.push(line(home, value, at)?),
        }
    }
    if lines.is_empty() {
        return Err("the payload is empty".to_owned());
    }
    match lines.iter().any(|line| line.len() > LONGEST_LINE) {
        true => Err("the event is longer than a line may be".to_owned()),
        false => Ok(lines),
    }
}

/// A payload as text.
pub(super) fn text(payload: &[u8]) -> Result<&str, String> {
    std::str::from_utf8(payload).map_err(|_| "the payload is no UTF-8".to_owned())
}

/// The line of an event, context or feedback.
fn line(home: Option<&str>, value: Value, at: At) -> Result<String, String> {
    let Value::Object(mut fields) = value else {
        return Err("an event is a JSON object".to_owned());
    };
    if let Some(home) = home.filter(|_| !fields.contains_key("home")) {
        fields.insert("home".to_owned(), home.into());
    }
    name(&fields, "home")?;
    match fields.get("id") {
        None | Some(Value::Null | Value::Bool(_) | Value::Number(_)) => {}
        Some(Value::String(id)) if id.len() <= LONGEST_NAME && !id.contains('\0') => {}
        Some(_) => {
            return Err(format!(
                "field `id` is no text of at most {LONGEST_NAME} bytes"
            ));
        }
    }
    if fields.contains_key("erase") {
        return Err("nothing is erased by a broker, which does not say who asks".to_owned());
    }
    if fields.contains_key("mark") {
        return Err("`mark` is no field of an event".to_owned());
    }
    if fields.contains_key("kind") {
        for field in ["kind", "from", "to"] {
            name(&fields, field)?;
        }
    } else if fields.contains_key("mode") {
        name(&fields, "mode")?;
    } else if fields.contains_key("alarm") {
        name(&fields, "alarm")?;
        return Ok(Value::Object(fields).to_string());
    } else {
        name(&fields, "action")?;
        if fields.contains_key("device") {
            name(&fields, "device")?;
        } else if !fields["action"].as_str().is_some_and(|a| a.contains(':')) {
            return Err("an event names no device".to_owned());
        }
    }
    match fields.get("time") {
        None => {
            let at = time::format(at.0, at.1);
            fields.insert("time".to_owned(), at.into());
        }
        Some(Value::String(text)) => {
            instant(text, &TimeZone::UTC)?;
        }
        Some(_) => return Err("field `time` is no text".to_owned()),
    }
    Ok(Value::Object(fields).to_string())
}

/// A field that is a name.
fn name(fields: &Map<String, Value>, field: &str) -> Result<(), String> {
    match fields.get(field) {
        Some(Value::String(text)) if text.contains('\0') => {
            Err(format!("field `{field}` holds a NUL byte"))
        }
        Some(Value::String(text)) if !text.is_empty() && text.len() <= LONGEST_NAME => Ok(()),
        Some(Value::String(_)) => Err(format!(
            "field `{field}` is empty, or longer than {LONGEST_NAME} bytes"
        )),
        Some(_) => Err(format!("field `{field}` is no text")),
        None => Err(format!("field `{field}` is missing")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hearth_operators::words::Time;

    fn read(payload: &str) -> Result<Vec<String>, String> {
        lines(Some("mine"), payload.as_bytes(), (Time(0), 60))
    }

    #[test]
    fn what_an_event_does_not_say_is_added() {
        let whole =
            r#"{"home":"h","time":"2026-01-01T00:00:00Z","device":"Light","action":"on","id":"1"}"#;
        assert_eq!(read(whole).unwrap(), [whole]);
        let several = "{\"device\":\"Light\",\"action\":\"on\"}\n[{\"action\":\"Light:off\"}]";
        let told = read(several).unwrap();
        assert_eq!(
            told,
            [
                r#"{"device":"Light","action":"on","home":"mine","time":"1970-01-01T01:00:00+01:00"}"#,
                r#"{"action":"Light:off","home":"mine","time":"1970-01-01T01:00:00+01:00"}"#,
            ]
        );
        let fine = r#"{"home":"h","alarm":"2026-01-01T00:00:00Z","fine":true}"#;
        assert_eq!(read(fine).unwrap(), [fine]);
    }

    #[test]
    fn what_is_no_event_is_refused_whole() {
        for (payload, word) in [
            ("", "empty"),
            ("7", "JSON object"),
            ("{", "no JSON"),
            (r#"{"device":"Light"}"#, "`action` is missing"),
            (r#"{"action":"on"}"#, "no device"),
            (r#"{"device":"Light","action":5}"#, "no text"),
            (
                r#"{"device":"L","action":"on","time":"soon"}"#,
                "impossible time",
            ),
            (r#"{"home":"h","erase":{}}"#, "erased"),
            (
                r#"{"mark":{"source":"x","at":"y"},"action":"L:on"}"#,
                "`mark`",
            ),
            (r#"{"kind":"season"}"#, "`from` is missing"),
            (r#"{"action":"L:on","id":["a"]}"#, "`id` is no text"),
            (r#"{"action":"L:o\u0000n"}"#, "NUL"),
        ] {
            let error = read(payload).unwrap_err();
            assert!(error.contains(word), "{payload}: {error}");
        }
    }
}
