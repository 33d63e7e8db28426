//! The JSON schemas of answers: they hold a model to a catalog's vocabulary. Every property is required, for servers that know no
//! others.

use hearth_operators::words::{Catalog, HOURS, WEEKDAYS};
use serde_json::{Value, json};

use super::edits::{EVERYTHING, FARTHEST, MAX_EDITS};

/// Actions above which a schema does not list them: servers bound the size of a schema.
const LISTED: usize = 400;

/// An answer of sequences: lists of behaviours of this catalog's vocabulary.
pub fn sequences(catalog: &Catalog) -> Value {
    let behavior = |device: Value, actions: Value| {
        json!({
            "type": "object",
            "properties": {
                "weekday": {"type": "string", "enum": WEEKDAYS},
                "hours": {"type": "string", "enum": HOURS},
                "device": device,
                "action": actions,
            },
            "required": ["weekday", "hours", "device", "action"],
            "additionalProperties": false,
        })
    };
    let behavior = if catalog.actions() > LISTED {
        let any = json!({"type": "string"});
        behavior(any.clone(), any)
    } else {
        let devices = catalog.devices().iter().filter(|d| !d.actions.is_empty());
        let each = devices.map(|device| {
            let actions: Vec<&str> = device.actions.iter().map(|a| a.name.as_str()).collect();
            behavior(
                json!({"type": "string", "enum": [device.name]}),
                json!({"type": "string", "enum": actions}),
            )
        });
        json!({"anyOf": each.collect::<Vec<_>>()})
    };
    json!({
        "type": "object",
        "properties": {
            "sequences": {"type": "array", "items": {"type": "array", "items": behavior}},
        },
        "required": ["sequences"],
        "additionalProperties": false,
    })
}

/// An answer of edits in this catalog's vocabulary.
pub fn edits(catalog: &Catalog) -> Value {
    let list = |items: Value, longest: usize| json!({"type": "array", "items": items, "maxItems": longest});
    let (device, action) = names(catalog);
    json!({
        "type": "object",
        "properties": {"edits": list(json!({"anyOf": kinds_of_edits()}), MAX_EDITS)},
        "required": ["edits"],
        "additionalProperties": false,
        "$defs": {
            "device": device,
            "action": action,
            "hours": list(json!({"type": "string", "enum": HOURS}), HOURS.len()),
            "weekdays": list(json!({"type": "string", "enum": WEEKDAYS}), WEEKDAYS.len()),
        },
    })
}

/// A device and an action by name; of a catalog that is too large to be listed, any text.
fn names(catalog: &Catalog) -> (Value, Value) {
    if catalog.actions() > LISTED {
        return (json!({"type": "string"}), json!({"type": "string"}));
    }
    let devices = catalog.devices().iter().filter(|d| !d.actions.is_empty());
    let devices: Vec<&str> = devices.map(|device| device.name.as_str()).collect();
    let actions: Vec<String> = catalog.action_ids().map(|a| catalog.full_name(a)).collect();
    (
        json!({"type": "string", "enum": devices}),
        json!({"type": "string", "enum": actions}),
    )
}

/// The kinds of edits with their fields.
fn kinds_of_edits() -> [Value; 4] {
    let defined = |name: &str| json!({"$ref": format!("#/$defs/{name}")});
    let any_of = |kinds: &[Value]| json!({"anyOf": kinds});
    let (device, action, hours) = (defined("device"), defined("action"), defined("hours"));
    let everything = json!({"type": "string", "enum": [EVERYTHING]});
    let buckets: Vec<i64> = (-FARTHEST..=FARTHEST).filter(|&by| by != 0).collect();
    [
        kind_of_edit(
            "drop",
            &[("what", any_of(&[device.clone(), action.clone()]))],
        ),
        kind_of_edit(
            "replace",
            &[
                ("action", action.clone()),
                ("by", action.clone()),
                ("hours", hours.clone()),
            ],
        ),
        kind_of_edit(
            "add",
            &[
                ("action", action.clone()),
                ("hours", hours.clone()),
                ("weekdays", defined("weekdays")),
                ("share", json!({"type": "number"})),
                ("after", any_of(&[action.clone(), json!({"type": "null"})])),
            ],
        ),
        kind_of_edit(
            "move",
            &[
                ("what", any_of(&[everything, device, action])),
                ("hours", hours),
                ("by", json!({"type": "integer", "enum": buckets})),
            ],
        ),
    ]
}

fn kind_of_edit(kind: &str, fields: &[(&str, Value)]) -> Value {
    let mut properties = json!({"edit": {"type": "string", "enum": [kind]}});
    let mut required = vec!["edit"];
    for (name, value) in fields {
        properties[name] = value.clone();
        required.push(name);
    }
    json!({
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}
