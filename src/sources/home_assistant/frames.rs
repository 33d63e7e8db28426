//! What Home Assistant says on its websocket, frame by frame.

use std::collections::BTreeSet;

use hearth_operators::words::Time;
use jiff::tz::TimeZone;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::mqtt::MAKER;
use crate::sources::{LONGEST_NAME, instant};

/// A frame.
#[derive(Debug, PartialEq)]
pub(super) enum Frame {
    /// It wants to know who this is.
    AuthRequired,
    /// It knows who this is.
    AuthOk,
    /// It does not know the token.
    AuthInvalid(String),
    /// It answers a command, or says why not.
    Answer(u64, Result<Value, Refusal>),
    /// Something that a command asked to be told.
    Event(u64, Value),
    /// It lives.
    Pong,
}

/// Why a command is not answered.
#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(super) struct Refusal {
    /// In one word.
    pub code: String,
    /// In words.
    pub message: String,
}

/// What an entity is said to be in.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Report {
    pub entity: String,
    /// None: it is gone.
    pub state: Option<String>,
    /// Since when it is in that state.
    pub changed: Time,
    /// When it was said.
    pub updated: Time,
    /// What kind of sensor or switch it is, where that is said.
    pub class: Option<String>,
}

#[derive(Deserialize)]
struct Envelope {
    r#type: String,
    id: Option<u64>,
    success: Option<bool>,
    result: Option<Value>,
    error: Option<Refusal>,
    event: Option<Value>,
    message: Option<String>,
}

/// Reads a frame.
///
/// # Errors
/// It is none that Home Assistant says.
pub(super) fn frame(text: &str) -> Result<Frame, String> {
    let envelope: Envelope =
        serde_json::from_str(text).map_err(|error| format!("no message of it: {error}"))?;
    let id = envelope.id.ok_or("a message without an id");
    Ok(match envelope.r#type.as_str() {
        "auth_required" => Frame::AuthRequired,
        "auth_ok" => Frame::AuthOk,
        "auth_invalid" => Frame::AuthInvalid(envelope.message.unwrap_or_default()),
        "pong" => Frame::Pong,
        "result" => Frame::Answer(
            id?,
            match envelope.success {
                Some(true) => Ok(envelope.result.unwrap_or_default()),
                _ => Err(envelope.error.unwrap_or_default()),
            },
        ),
        "event" => Frame::Event(id?, envelope.event.ok_or("an event that says nothing")?),
        _ => return Err("a message of a type that is not known".to_owned()),
    })
}

/// Reads the event that an entity changed.
///
/// # Errors
/// It is no such event, and why.
pub(super) fn changed(event: &Value) -> Result<Report, String> {
    let data = &event["data"];
    match data.get("new_state") {
        Some(Value::Null) => {
            let at = time(event, "time_fired")?;
            Ok(Report {
                entity: entity(&data["entity_id"])?,
                state: None,
                changed: at,
                updated: at,
                class: None,
            })
        }
        Some(state) => self::state(state),
        None => Err("an event of no state".to_owned()),
    }
}

/// Reads a state as it is told in full.
///
/// # Errors
/// It is none, and why.
pub(super) fn state(state: &Value) -> Result<Report, String> {
    let Value::String(word) = &state["state"] else {
        return Err("a state that is no text".to_owned());
    };
    let class = state["attributes"].get("device_class");
    Ok(Report {
        entity: entity(&state["entity_id"])?,
        state: Some(word.clone()),
        changed: time(state, "last_changed")?,
        updated: time(state, "last_updated")?,
        class: class.and_then(Value::as_str).map(str::to_owned),
    })
}

/// Reads an answer of the history: of each entity its states, with short keys.
///
/// # Errors
/// It is none, and why.
pub(super) fn history(answer: &Value) -> Result<Vec<Report>, String> {
    let Value::Object(entities) = answer else {
        return Err("a history that is no object".to_owned());
    };
    let mut reports = Vec::new();
    for (entity, states) in entities {
        let entity = self::entity(&Value::String(entity.clone()))?;
        let Value::Array(states) = states else {
            return Err("a history whose states are no list".to_owned());
        };
        for state in states {
            let Value::String(word) = &state["s"] else {
                return Err("a state of a history that is no text".to_owned());
            };
            let updated = seconds(&state["lu"])?;
            reports.push(Report {
                entity: entity.clone(),
                state: Some(word.clone()),
                changed: state.get("lc").map_or(Ok(updated), seconds)?,
                updated,
                class: None,
            });
        }
    }
    Ok(reports)
}

/// The entities that the registry says are not for people to look at, settings, diagnoses, and what somebody has hidden; and those of
/// devices that Hearth tells of: what it finds is nothing that happens in the house.
pub(super) fn aside<'a>(registry: &'a Value, devices: &'a Value) -> impl Iterator<Item = &'a str> {
    let ours = entries(devices).filter(|device| {
        let maker = device.get("manufacturer").and_then(Value::as_str);
        maker == Some(MAKER)
    });
    let ours: BTreeSet<&str> = ours
        .filter_map(|device| device.get("id")?.as_str())
        .collect();
    let said = |entry: &Map<String, Value>, key: &str| entry.get(key).is_some_and(|v| !v.is_null());
    let aside = entries(registry).filter(move |entry| {
        let device = entry.get("device_id").and_then(Value::as_str);
        said(entry, "entity_category")
            || said(entry, "hidden_by")
            || device.is_some_and(|device| ours.contains(device))
    });
    aside.filter_map(|entry| entry.get("entity_id")?.as_str())
}

fn entries(registry: &Value) -> impl Iterator<Item = &Map<String, Value>> {
    let entries = registry.as_array().map_or(&[][..], Vec::as_slice);
    entries.iter().filter_map(Value::as_object)
}

/// An entity's name: domain and object.
fn entity(value: &Value) -> Result<String, String> {
    let name = value.as_str().unwrap_or_default();
    let is = |part: &str| !part.is_empty() && !part.contains(char::is_control);
    let parts = name.split_once('.');
    match parts.is_some_and(|(domain, object)| is(domain) && is(object)) {
        true if name.len() <= LONGEST_NAME / 2 => Ok(name.to_owned()),
        _ => Err("a state of something that is no entity".to_owned()),
    }
}

fn time(of: &Value, key: &str) -> Result<Time, String> {
    let text = of[key].as_str().unwrap_or_default();
    match instant(text, &TimeZone::UTC) {
        Ok((time, _)) => Ok(time),
        Err(why) => Err(format!("`{key}` is no time: {why}")),
    }
}

/// Seconds since 1970, with a fraction.
fn seconds(value: &Value) -> Result<Time, String> {
    let impossible = || "a history with an impossible time".to_owned();
    // Microseconds of these centuries are exact in a float.
    let seconds = value
        .as_f64()
        .filter(|s| (0.0..7_258_118_400.0).contains(s));
    let seconds = seconds.ok_or_else(impossible)?;
    Ok(Time((seconds * Time::SECOND as f64).round() as i64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn frames_are_told_apart() {
        let read = |text: &str| frame(text).unwrap();
        assert_eq!(
            read(r#"{"type":"auth_required","ha_version":"2024.3.3"}"#),
            Frame::AuthRequired
        );
        let refused = r#"{"type":"auth_invalid","message":"Invalid access token or password"}"#;
        assert!(matches!(read(refused), Frame::AuthInvalid(_)));
        assert_eq!(
            read(r#"{"id":3,"type":"result","success":true,"result":null}"#),
            Frame::Answer(3, Ok(Value::Null))
        );
        let refused = r#"{"id":3,"type":"result","success":false,"error":{"code":"unknown_command","message":"x"}}"#;
        let Frame::Answer(3, Err(refusal)) = read(refused) else {
            panic!("{refused}");
        };
        assert_eq!(refusal.code, "unknown_command");
        for text in ["", "[]", "{}", r#"{"type":"result"}"#, r#"{"type":"x"}"#] {
            assert!(frame(text).is_err(), "{text}");
        }
    }

    #[test]
    fn history_and_events_tell_the_same_time() {
        let state = json!({
            "entity_id": "light.bed", "state": "on", "attributes": {},
            "last_changed": "2026-11-23T17:39:43.995022+00:00", "last_updated": "2026-11-23T17:39:45.209731+00:00",
        });
        let told = changed(&json!({"data": {"new_state": state}})).unwrap();
        let kept =
            json!({"light.bed": [{"s": "on", "lu": 1795455585.209731, "lc": 1795455583.995022}]});
        assert_eq!(history(&kept).unwrap(), [told]);
    }

    #[test]
    fn what_is_gone_is_gone_since_it_was_said() {
        let event = json!({
            "data": {"entity_id": "light.bed", "new_state": null}, "time_fired": "2026-11-23T17:39:43+00:00",
        });
        let report = changed(&event).unwrap();
        assert_eq!((report.state, report.entity.as_str()), (None, "light.bed"));
        assert!(changed(&json!({"data": {"entity_id": "light.bed"}})).is_err());
        assert!(changed(&json!({"data": {"entity_id": "light", "new_state": null}})).is_err());
    }

    #[test]
    fn settings_diagnoses_and_what_is_hidden_stand_aside() {
        let registry = json!([
            {"entity_id": "light.a", "entity_category": null, "hidden_by": null},
            {"entity_id": "switch.led", "entity_category": "config"},
            {"entity_id": "light.b", "hidden_by": "integration", "device_id": "1"},
            {"entity_id": "binary_sensor.hearth_home_unusual_behavior", "device_id": "2"},
            {"entity_id": "light.c", "device_id": "1"},
            7,
        ]);
        let devices =
            json!([{"id": "1", "manufacturer": "Acme"}, {"id": "2", "manufacturer": "Hearth"}, 7]);
        let own = "binary_sensor.hearth_home_unusual_behavior";
        let all: Vec<&str> = aside(&registry, &devices).collect();
        assert_eq!(all, ["switch.led", "light.b", own]);
        // Where it is not said which devices there are.
        let all: Vec<&str> = aside(&registry, &Value::Null).collect();
        assert_eq!(all, ["switch.led", "light.b"]);
    }
}
