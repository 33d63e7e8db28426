//! What a model can propose: the kinds of edits, and the JSON schema that holds it to them.

use std::collections::BTreeSet;

use hearth_operators::words::{ActionId, Catalog, DeviceId, HOURS, Hours, WEEKDAYS, Weekday};
use serde_json::{Value, json};

use crate::synthesizers::llm::prompt::LISTED;

/// Edits of a reply that are taken: what a shift changes is a few habits, and a model that repeats itself must end.
pub const MAX_EDITS: usize = 24;

/// What moves all behaviours, in a reply.
pub(super) const EVERYTHING: &str = "everything";

/// At most so many three-hour buckets does anything move; eight are a day.
pub(super) const FARTHEST: i64 = 7;

/// One edit of a home's past.
#[derive(Clone, Debug, PartialEq)]
pub enum Proposal {
    /// It is not done any more, and what only closed it neither.
    Drop {
        /// A device or an action.
        what: Target,
    },
    /// Another action takes an action's place, and what closes it that of what closed the first.
    Replace {
        /// What ends.
        action: ActionId,
        /// What begins.
        by: ActionId,
        /// Where: an occurrence at other hours stays.
        hours: BTreeSet<Hours>,
    },
    /// An action begins, closed later in the sequence where the catalog knows how.
    Add {
        /// What begins.
        action: ActionId,
        /// Beside behaviours of these hours.
        hours: BTreeSet<Hours>,
        /// Beside behaviours of these days.
        weekdays: BTreeSet<Weekday>,
        /// In how many of the sequences that have such a place and do not have the action: above 0, at most 1.
        share: f64,
        /// Right after which action; `None`: after any.
        after: Option<ActionId>,
    },
    /// It is done at another time; what closes it moves with it.
    Move {
        /// What moves.
        what: Target,
        /// What of it: occurrences at other hours stay.
        hours: BTreeSet<Hours>,
        /// Three-hour buckets, later or (below 0) earlier; never 0.
        by: i64,
    },
}

/// What a proposal is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// All behaviours.
    Everything,
    /// All actions of a device.
    Device(DeviceId),
    /// One action.
    Action(ActionId),
}

impl Target {
    /// Whether an action is meant.
    pub fn covers(self, catalog: &Catalog, action: ActionId) -> bool {
        match self {
            Target::Everything => true,
            Target::Device(device) => catalog.device_of(action) == device,
            Target::Action(one) => action == one,
        }
    }

    /// The actions that are meant.
    pub fn actions(self, catalog: &Catalog) -> BTreeSet<ActionId> {
        let all = catalog.action_ids();
        all.filter(|&action| self.covers(catalog, action)).collect()
    }
}

/// The JSON schema of a reply: edits in this catalog's vocabulary. Every property is required, for servers that know no others.
pub fn schema(catalog: &Catalog) -> Value {
    let devices = catalog.devices().iter().filter(|d| !d.actions.is_empty());
    let devices: Vec<&str> = devices.map(|device| device.name.as_str()).collect();
    let actions: Vec<String> = catalog.action_ids().map(|a| catalog.full_name(a)).collect();
    let (device, action) = if catalog.actions() > LISTED {
        (json!({"type": "string"}), json!({"type": "string"}))
    } else {
        (
            json!({"type": "string", "enum": devices}),
            json!({"type": "string", "enum": actions}),
        )
    };
    let named = |name: &str| json!({"$ref": format!("#/$defs/{name}")});
    let one_of = |kinds: &[Value]| json!({"anyOf": kinds});
    let everything = json!({"type": "string", "enum": [EVERYTHING]});
    let edit = |kind: &str, fields: &[(&str, Value)]| {
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
    };
    let (device_name, action_name) = (named("device"), named("action"));
    let hours = named("hours");
    let buckets: Vec<i64> = (-FARTHEST..=FARTHEST).filter(|&by| by != 0).collect();
    let edits = [
        edit(
            "drop",
            &[("what", one_of(&[device_name.clone(), action_name.clone()]))],
        ),
        edit(
            "replace",
            &[
                ("action", action_name.clone()),
                ("by", action_name.clone()),
                ("hours", hours.clone()),
            ],
        ),
        edit(
            "add",
            &[
                ("action", action_name.clone()),
                ("hours", hours.clone()),
                ("weekdays", named("weekdays")),
                ("share", json!({"type": "number"})),
                (
                    "after",
                    one_of(&[action_name.clone(), json!({"type": "null"})]),
                ),
            ],
        ),
        edit(
            "move",
            &[
                ("what", one_of(&[everything, device_name, action_name])),
                ("hours", hours),
                ("by", json!({"type": "integer", "enum": buckets})),
            ],
        ),
    ];
    let list =
        |items: Value, most: usize| json!({"type": "array", "items": items, "maxItems": most});
    json!({
        "type": "object",
        "properties": {"edits": list(one_of(&edits), MAX_EDITS)},
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
