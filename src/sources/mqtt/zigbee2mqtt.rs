//! Zigbee2MQTT: a topic a device, whose messages are all that is known of it, as JSON.

use hearth_operators::words::Time;
use jiff::tz::TimeZone;
use serde_json::Value;

use super::said::{Message, Said, state, text, word};
use crate::sources::{OF_THE_DEVICE, PRESSED, instant};

/// Reads a message; `topic` is what follows the base.
///
/// # Errors
/// What is wrong with its payload.
pub(super) fn read<'a>(topic: &'a str, payload: &[u8]) -> Result<Message<'a>, String> {
    let text = text(payload)?;
    let value: Option<Value> = match text.trim_start().starts_with('{') {
        true => Some(
            serde_json::from_str(text)
                .map_err(|error| format!("the payload is no JSON: {error}"))?,
        ),
        false => None,
    };
    let said = |wanted: &str| match &value {
        Some(value) => value["state"].as_str() == Some(wanted),
        None => word(text) == wanted,
    };
    if let Some(of) = topic.strip_prefix("bridge/") {
        return Ok(match of == "state" && said("online") {
            true => Said::Began.into(),
            false => Message::default(),
        });
    }
    let (device, last) = topic.rsplit_once('/').unwrap_or(("", topic));
    match last {
        "availability" if said("offline") => return Ok(Said::Away(device.into()).into()),
        // Orders to devices, which answer with a state.
        "availability" | "set" | "get" => return Ok(Message::default()),
        _ if topic.contains("/set/") => return Ok(Message::default()),
        _ => {}
    }
    let Some(Value::Object(properties)) = &value else {
        // Where it is told to say each property in a topic of its own.
        let (device, part) = match device {
            "" => (topic, ""),
            device => (device, last),
        };
        let value = match word(text) {
            known if known == "true" || known == "false" => Value::Bool(known == "true"),
            known => Value::String(known.into_owned()),
        };
        return Ok(Message {
            said: property(device, part, &value).into_iter().collect(),
            time: None,
        });
    };
    let said = properties.iter();
    let said = said.filter_map(|(name, value)| property(topic, name, value));
    Ok(Message {
        said: said.collect(),
        time: properties.get("last_seen").and_then(time),
    })
}

fn property<'a>(device: &'a str, name: &str, value: &Value) -> Option<Said<'a>> {
    if OF_THE_DEVICE.contains(&name) {
        return None;
    }
    let device = device.into();
    if PRESSED.contains(&name) {
        let action = value.as_str().filter(|action| !action.is_empty())?;
        let action = action.to_owned().into();
        return Some(Said::Press { device, action });
    }
    let state = match (name, value) {
        // A contact that is there is closed.
        ("contact", Value::Bool(true)) => "closed".into(),
        ("contact", Value::Bool(false)) => "open".into(),
        _ => state(value, false)?.into_owned().into(),
    };
    let part = match name {
        "state" | "contact" => "",
        other => other,
    };
    Some(Said::State {
        device,
        part: part.to_owned().into(),
        state,
    })
}

/// When the device was heard: RFC 3339, or milliseconds since 1970.
fn time(value: &Value) -> Option<Time> {
    match value {
        Value::String(text) => instant(text, &TimeZone::UTC).ok().map(|(time, _)| time),
        Value::Number(number) => Some(Time(number.as_i64()?.checked_mul(1_000)?)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn states(topic: &str, payload: &str) -> Vec<String> {
        let message = read(topic, payload.as_bytes()).unwrap();
        let told = |said: Said| match said {
            Said::State {
                device,
                part,
                state,
            } => format!("{device}|{part}|{state}"),
            Said::Press { device, action } => format!("{device}!{action}"),
            other => format!("{other:?}"),
        };
        message.said.into_iter().map(told).collect()
    }

    #[test]
    fn what_happens_in_the_house_is_told_apart_from_what_is_measured() {
        let door = r#"{"contact":false,"battery":97,"linkquality":80,"last_seen":"2026-01-01T00:00:00Z","tamper":false}"#;
        assert_eq!(states("hall/door", door), ["hall/door||open"]);
        let lamp = r#"{"state":"ON","brightness":120,"color":{"x":0.1},"child_lock":"LOCK","power":"12.5"}"#;
        assert_eq!(states("lamp", lamp), ["lamp||ON", "lamp|child_lock|LOCK"]);
        assert_eq!(
            states("motion", r#"{"occupancy":true,"illuminance":3}"#),
            ["motion|occupancy|on"]
        );
        assert_eq!(
            states("button", r#"{"action":"single","click":""}"#),
            ["button!single"]
        );
        assert_eq!(states("lamp/state", "OFF"), ["lamp||OFF"]);
        assert_eq!(states("motion/occupancy", "true"), ["motion|occupancy|on"]);
        for (topic, payload) in [
            ("lamp/set", r#"{"state":"OFF"}"#),
            ("lamp/set/state", "OFF"),
            ("lamp/availability", r#"{"state":"online"}"#),
            ("bridge/info", "{}"),
            ("bridge/state", "offline"),
            ("lamp", ""),
        ] {
            assert!(states(topic, payload).is_empty(), "{topic} {payload}");
        }
        assert_eq!(states("lamp/availability", "offline"), ["Away(\"lamp\")"]);
        let online = r#"{"state":"online"}"#;
        assert_eq!(states("bridge/state", online), ["Began"]);
    }

    #[test]
    fn a_device_s_own_clock_counts() {
        let time = |seen: &str| {
            let payload = format!(r#"{{"state":"ON","last_seen":{seen}}}"#);
            read("lamp", payload.as_bytes()).unwrap().time
        };
        let expected = Some(Time(1_767_225_600 * Time::SECOND));
        assert_eq!(time(r#""2026-01-01T00:00:00Z""#), expected);
        assert_eq!(time(r#""2026-01-01T01:00:00+01:00""#), expected);
        assert_eq!(time("1767225600000"), expected);
        assert_eq!(time("\"N/A\""), None);
        assert_eq!(time("9999999999999999999"), None);
    }
}
