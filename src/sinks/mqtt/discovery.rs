//! Home Assistant's discovery: a home is a device, and what is told of it its entities.

use serde_json::{Value, json};

use super::topics::Topics;
use crate::mqtt::MAKER;

/// An entity of each home.
struct Entity {
    component: &'static str,
    name: &'static str,
    /// Its part of ids; never changed, for Home Assistant knows it by that.
    id: &'static str,
    icon: &'static str,
    fields: fn(&dyn Fn(&str) -> String) -> Value,
}

const ENTITIES: [Entity; 6] = [
    Entity {
        component: "event",
        name: "Alarm",
        id: "alarm",
        icon: "mdi:home-alert",
        fields: |topic| {
            json!({
                "state_topic": topic("alarm/event"),
                "event_types": ["alarm", "withdrawn"],
            })
        },
    },
    Entity {
        component: "binary_sensor",
        name: "Unusual behavior",
        id: "unusual",
        icon: "",
        fields: |topic| {
            json!({
                "state_topic": topic("alarm/state"),
                "json_attributes_topic": topic("alarm/attributes"),
                "device_class": "problem",
            })
        },
    },
    Entity {
        component: "button",
        name: "This was fine",
        id: "fine",
        icon: "mdi:check",
        fields: |topic| json!({"command_topic": topic("alarm/fine"), "payload_press": "newest"}),
    },
    Entity {
        component: "sensor",
        name: "Next action",
        id: "next",
        icon: "mdi:crystal-ball",
        fields: |topic| {
            json!({
                "state_topic": topic("next"),
                "value_template": "{{ value_json.action }}",
                "json_attributes_topic": topic("next"),
            })
        },
    },
    Entity {
        component: "sensor",
        name: "Life changed",
        id: "drift",
        icon: "mdi:calendar-alert",
        fields: |topic| {
            json!({
                "state_topic": topic("drift"),
                "value_template": "{{ value_json.time }}",
                "json_attributes_topic": topic("drift"),
                "device_class": "timestamp",
            })
        },
    },
    Entity {
        component: "sensor",
        name: "Foreseen actions",
        id: "learning",
        icon: "mdi:school",
        fields: |topic| {
            json!({
                "state_topic": topic("learning"),
                "value_template": "{{ value_json.foreseen }}",
                "json_attributes_topic": topic("learning"),
                "unit_of_measurement": "%",
                "state_class": "measurement",
            })
        },
    },
];

/// Topics with what declares a home's entities there; none, where nobody is to be told.
pub(super) fn configs(topics: &Topics, home: &str) -> Vec<(String, String)> {
    let configs = ENTITIES.iter().filter_map(|entity| {
        let topic = topics.config(home, entity.component, entity.id)?;
        let mut config = (entity.fields)(&|what| topics.of(home, what));
        let id = topics.id(home);
        config["name"] = entity.name.into();
        config["unique_id"] = format!("{id}_{}", entity.id).into();
        config["availability_topic"] = topics.status().into();
        if !entity.icon.is_empty() {
            config["icon"] = entity.icon.into();
        }
        config["device"] = json!({
            "identifiers": [id],
            "name": format!("Hearth {home}"),
            "manufacturer": MAKER,
            "model": "Behavior of a home",
            "sw_version": env!("CARGO_PKG_VERSION"),
        });
        config["origin"] = json!({"name": "Hearth", "sw_version": env!("CARGO_PKG_VERSION")});
        Some((topic, config.to_string()))
    });
    configs.collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn entities_have_ids_of_their_own_that_stay() {
        let topics = Topics::new("hearth", Some("homeassistant"));
        let mut ids = BTreeSet::new();
        for home in ["h-1", "a/b"] {
            for (topic, config) in configs(&topics, home) {
                let config: Value = serde_json::from_str(&config).unwrap();
                assert!(topic.starts_with("homeassistant/") && topic.ends_with("/config"));
                assert_eq!(config["availability_topic"], "hearth/status");
                ids.insert(config["unique_id"].as_str().unwrap().to_owned());
            }
        }
        assert_eq!(ids.len(), 2 * ENTITIES.len());
        assert!(ids.contains("hearth_h-1_alarm"), "{ids:?}");
        assert!(configs(&Topics::new("hearth", None), "h").is_empty());
    }
}
