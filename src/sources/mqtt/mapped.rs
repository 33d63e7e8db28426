//! Messages of any other shape: where the action stands is said by the route.

use std::borrow::Cow;

use serde_json::Value;

use super::said::{Message, Said, state, text, word};

/// Reads a message of a device, whose action stands at `pointer`, as a state or as something that happens.
///
/// # Errors
/// What is wrong with its payload.
pub(super) fn read<'a>(
    device: &'a str,
    pointer: &str,
    pressed: bool,
    payload: &[u8],
) -> Result<Message<'a>, String> {
    let text = text(payload)?;
    let value: Value = match serde_json::from_str(text) {
        Ok(value) => value,
        // A word alone.
        Err(_) if pointer.is_empty() => Value::String(word(text).into_owned()),
        Err(error) => return Err(format!("the payload is no JSON: {error}")),
    };
    let Some(value) = value.pointer(pointer) else {
        return Err(format!("the payload has nothing at {pointer}"));
    };
    let Some(word) = state(value, true) else {
        return Ok(Message::default());
    };
    let device = Cow::Borrowed(device);
    let word = word.into_owned().into();
    Ok(match pressed {
        true => Said::Press {
            device,
            action: word,
        },
        false => Said::State {
            device,
            part: "".into(),
            state: word,
        },
    }
    .into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_action_stands_where_the_route_says() {
        let read = |pointer, payload: &str| read("door", pointer, false, payload.as_bytes());
        let state = |state: &'static str| Said::State {
            device: "door".into(),
            part: "".into(),
            state: state.into(),
        };
        assert_eq!(read("", "open").unwrap(), state("open").into());
        assert_eq!(read("", "\"open\"").unwrap(), state("open").into());
        assert_eq!(read("/a/0", r#"{"a":[1]}"#).unwrap(), state("1").into());
        assert_eq!(read("/a", r#"{"a":true}"#).unwrap(), state("on").into());
        assert_eq!(read("/a", r#"{"a":20.5}"#).unwrap(), Message::default());
        for (pointer, payload, word) in [("/a", "open", "no JSON"), ("/a", "{}", "nothing at /a")] {
            let error = read(pointer, payload).unwrap_err();
            assert!(error.contains(word), "{error}");
        }
    }
}
