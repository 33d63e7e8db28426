//! Home Assistant's `mqtt_statestream`: below its base a topic a domain, entity and attribute.

use super::said::{Message, Said, is_measured, text, word};
use crate::sources::is_household;

/// Reads a message; `topic` is what follows the base.
///
/// # Errors
/// What is wrong with its payload.
pub(super) fn read<'a>(topic: &'a str, payload: &[u8]) -> Result<Message<'a>, String> {
    let mut levels = topic.split('/');
    let (Some(domain), Some(entity), Some("state"), None) =
        (levels.next(), levels.next(), levels.next(), levels.next())
    else {
        // Its attributes.
        return Ok(Message::default());
    };
    if !is_household(domain) {
        return Ok(Message::default());
    }
    let text = text(payload)?;
    let device = format!("{domain}.{entity}").into();
    Ok(match word(text) {
        gone if matches!(&*gone, "" | "unknown" | "unavailable") => Said::Away(device).into(),
        measured if is_measured(&measured) => Message::default(),
        state => Said::State {
            device,
            part: "".into(),
            state: state.into_owned().into(),
        }
        .into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_of_the_household_are_told_apart_from_attributes_and_measured_values() {
        let state = |topic: &str, payload: &str| {
            let message = read(topic, payload.as_bytes()).unwrap();
            match message.said.first() {
                Some(Said::State { device, state, .. }) => Some(format!("{device} {state}")),
                Some(Said::Away(device)) => Some(format!("{device} away")),
                _ => None,
            }
        };
        let told = Some("light.hall on".to_owned());
        assert_eq!(state("light/hall/state", "on"), told);
        assert_eq!(state("light/hall/state", "\"on\""), told);
        assert_eq!(
            state("light/hall/state", "unavailable"),
            Some("light.hall away".into())
        );
        for (topic, payload) in [
            ("light/hall/brightness", "120"),
            ("light/hall/friendly_name", "\"Hall\""),
            ("light/hall/last_changed", "2026-01-01T00:00:00+00:00"),
            ("sensor/power/state", "on"),
            ("climate/hall/state", "21.5"),
            ("status", "online"),
        ] {
            assert_eq!(state(topic, payload), None, "{topic}");
        }
    }
}
