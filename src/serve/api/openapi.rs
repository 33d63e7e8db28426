//! The description of the API for programs, made of what the router is made of.

use axum::response::Response;
use serde_json::{Map, Value, json};

use super::{Endpoint, endpoints, json as answer};

/// `GET /api/openapi.json`.
pub(super) async fn document() -> Response {
    answer(described(&endpoints()).to_string())
}

fn described(endpoints: &[Endpoint]) -> Value {
    let mut paths = Map::new();
    for endpoint in endpoints {
        let method = match endpoint.sent {
            Some(_) => "post",
            None => "get",
        };
        paths.insert(
            endpoint.path.to_owned(),
            json!({ method: operation(endpoint) }),
        );
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Hearth",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "A live run: what it knows of homes, and the way in. Lines have the keys of the output files.",
        },
        "security": [{}, { "token": [] }],
        "paths": paths,
        "components": {
            "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } },
            "schemas": schemas(),
        },
    })
}

/// Why lines are not taken in, or not all of them.
const REFUSED: [(&str, &str); 4] = [
    (
        "400",
        "The body cannot be read to its end; what is told as accepted is accepted",
    ),
    ("408", "The body comes too slowly"),
    ("413", "The body is too long"),
    (
        "503",
        "The run is ending, or the inbox cannot be written: send it again later",
    ),
];

fn operation(endpoint: &Endpoint) -> Value {
    let mut parameters: Vec<Value> = endpoint.query.iter().map(|name| query(name)).collect();
    if endpoint.path.contains("{home}") {
        parameters.push(json!({
            "name": "home", "in": "path", "required": true, "schema": { "type": "string" }
        }));
    }
    let kind = match endpoint.answer {
        "AlarmEvent" => "text/event-stream",
        _ => "application/json",
    };
    let schema = |name: &str| json!({ "$ref": format!("#/components/schemas/{name}") });
    let error = |what: &str| json!({ "description": what, "content": { "application/json": { "schema": schema("Error") } } });
    let mut responses = json!({
        "200": { "description": "So it is", "content": { kind: { "schema": schema(endpoint.answer) } } },
        "401": error("The token is missing or wrong"),
        "429": error("Too many requests, or too many wrong tokens"),
    });
    let mut operation = Map::new();
    operation.insert("summary".into(), endpoint.summary.into());
    if endpoint.path.contains("{home}") {
        responses["404"] = error("Nothing is known of this home");
    }
    match endpoint.answer {
        "Model" => responses["503"] = error("It cannot be had now: ask again later"),
        "Rescaled" => {
            responses["400"] = error("It is no number of workers that makes sense");
            responses["503"] = error("It has not come to it yet");
        }
        "Taken" => {
            for (status, what) in REFUSED {
                responses[status] = json!({
                    "description": what, "content": { "application/json": { "schema": schema("Taken") } }
                });
            }
        }
        _ => {}
    }
    if let Some(sent) = endpoint.sent {
        let kind = match endpoint.answer {
            "Taken" => "application/x-ndjson",
            _ => "application/json",
        };
        operation.insert(
            "requestBody".into(),
            json!({ "required": true, "content": { kind: { "schema": schema(sent) } } }),
        );
    }
    operation.insert("parameters".into(), parameters.into());
    operation.insert("responses".into(), responses);
    operation.into()
}

fn query(name: &str) -> Value {
    let (kind, what) = match name {
        "limit" => ("integer", "How many at most, up to 1000"),
        "wait" => (
            "string",
            "How long to wait for what becomes of the events, such as 5s, up to 60s",
        ),
        "after" => (
            "string",
            "What it goes on behind: the last name of a list, or the id of an event",
        ),
        _ => ("string", "What names hold"),
    };
    json!({ "name": name, "in": "query", "description": what, "schema": { "type": kind } })
}

/// An object with keys of types; `name?` may be missing, `name:` may be null.
fn object(keys: &[(&str, &str)]) -> Value {
    let (mut properties, mut required) = (Map::new(), Vec::new());
    for (key, kind) in keys {
        let name = key.trim_end_matches(['?', ':']);
        let mut schema = schema(kind);
        if key.ends_with(':') {
            schema = json!({ "anyOf": [schema, { "type": "null" }] });
        }
        properties.insert(name.to_owned(), schema);
        if !key.ends_with('?') {
            required.push(name.to_owned());
        }
    }
    json!({ "type": "object", "properties": properties, "required": required })
}

fn schema(kind: &str) -> Value {
    if let Some(of) = kind.strip_prefix("list ") {
        return json!({ "type": "array", "items": schema(of) });
    }
    match kind {
        "string" | "integer" | "number" | "boolean" | "object" => json!({ "type": kind }),
        "time" => json!({ "type": "string", "format": "date-time" }),
        name => json!({ "$ref": format!("#/components/schemas/{name}") }),
    }
}

/// Every schema by its name, with its keys.
const OBJECTS: [(&str, &[(&str, &str)]); 40] = [
    ("Error", &[("error", "string")]),
    (
        "Taken",
        &[
            ("accepted", "integer"),
            ("rejected", "list Refused"),
            ("rejected_lines", "integer"),
            ("fates?", "Fates"),
            ("error?", "string"),
        ],
    ),
    ("Refused", &[("line", "integer"), ("reason", "string")]),
    (
        "Fates",
        &[
            ("applied", "integer"),
            ("duplicate", "integer"),
            ("late", "integer"),
            ("rejected", "integer"),
            ("pending", "integer"),
            ("refused", "list NotApplied"),
        ],
    ),
    (
        "NotApplied",
        &[
            ("line", "integer"),
            ("fate", "string"),
            ("reason", "string"),
        ],
    ),
    (
        "Event",
        &[
            ("home", "string"),
            ("time", "time"),
            ("device?", "string"),
            ("action", "string"),
            ("id?", "string"),
        ],
    ),
    (
        "Context",
        &[
            ("home", "string"),
            ("time", "time"),
            ("kind?", "string"),
            ("from?", "string"),
            ("to?", "string"),
            ("mode?", "string"),
        ],
    ),
    (
        "Feedback",
        &[("home", "string"), ("alarm", "time"), ("fine", "boolean")],
    ),
    ("Erasure", &[("home", "string"), ("erase", "Erase")]),
    (
        "Erase",
        &[("from?", "time"), ("to?", "time"), ("device?", "string")],
    ),
    ("Workers", &[("workers", "integer")]),
    (
        "Rescaled",
        &[("workers", "integer"), ("stood_ms", "number")],
    ),
    (
        "Summary",
        &[
            ("version", "string"),
            ("caught_up", "boolean"),
            ("workers", "integer"),
            ("epoch", "integer"),
            ("homes", "integer"),
            ("homes_with_lines", "integer"),
            ("bytes", "integer"),
            ("lines", "integer"),
            ("missed_lines", "integer"),
        ],
    ),
    ("Homes", &[("homes", "list Glance"), ("after:", "string")]),
    (
        "Glance",
        &[
            ("home", "string"),
            ("newest:", "time"),
            ("alarm:", "LastAlarm"),
            ("drift:", "time"),
        ],
    ),
    ("LastAlarm", &[("end", "time"), ("severity", "integer")]),
    (
        "Home",
        &[
            ("home", "string"),
            ("newest:", "time"),
            ("alarm:", "LastAlarm"),
            ("drift:", "time"),
            ("segments_kept", "integer"),
            ("alarms_kept", "integer"),
            ("drifts_kept", "integer"),
            ("transitions_kept", "integer"),
            ("scores_kept", "integer"),
        ],
    ),
    (
        "Behavior",
        &[("time", "time"), ("device", "string"), ("action", "string")],
    ),
    (
        "Segments",
        &[("home", "string"), ("segments", "list Segment")],
    ),
    (
        "Segment",
        &[
            ("epoch", "integer"),
            ("diff", "integer"),
            ("home", "string"),
            ("start", "time"),
            ("end", "time"),
            ("behaviors", "list Behavior"),
        ],
    ),
    (
        "Graph",
        &[("home", "string"), ("transitions", "list Transition")],
    ),
    (
        "Transition",
        &[("from", "string"), ("to", "string"), ("count", "integer")],
    ),
    (
        "HomeAlarms",
        &[
            ("home", "string"),
            ("alarms", "list Alarm"),
            ("feedback", "list Said"),
        ],
    ),
    ("Alarms", &[("alarms", "list Alarm")]),
    (
        "Alarm",
        &[
            ("epoch", "integer"),
            ("diff", "integer"),
            ("alarm", "time"),
            ("home", "string"),
            ("start", "time"),
            ("end", "time"),
            ("behaviors", "list Behavior"),
            ("score:", "number"),
            ("threshold:", "number"),
            ("once_in_days:", "number"),
            ("severity", "integer"),
            ("reasons", "list Reason"),
        ],
    ),
    (
        "Reason",
        &[
            ("behavior", "string"),
            ("time", "time"),
            ("why", "string"),
            ("expected:", "string"),
            ("seen", "integer"),
            ("times", "integer"),
        ],
    ),
    (
        "Said",
        &[
            ("epoch", "integer"),
            ("home", "string"),
            ("alarm", "time"),
            ("applied", "boolean"),
            ("reason?", "string"),
            ("source", "string"),
        ],
    ),
    (
        "Predictions",
        &[("home", "string"), ("predictions", "list Score")],
    ),
    (
        "Score",
        &[
            ("epoch", "integer"),
            ("home", "string"),
            ("time", "time"),
            ("action", "string"),
            ("score:", "number"),
            ("threshold:", "number"),
            ("anomaly", "boolean"),
            ("predictions", "list Prediction"),
            ("versions", "object"),
        ],
    ),
    (
        "Model",
        &[
            ("home", "string"),
            ("cohort:", "string"),
            ("behaviors", "integer"),
            ("kept", "integer"),
            ("since:", "time"),
            ("until:", "time"),
            ("context:", "LivesIn"),
            ("alarms", "Standing"),
            ("actions", "list Habit"),
        ],
    ),
    (
        "LivesIn",
        &[("kind", "string"), ("to", "string"), ("since", "time")],
    ),
    (
        "Standing",
        &[
            ("threshold:", "number"),
            ("raised", "integer"),
            ("left:", "number"),
            ("budget", "string"),
        ],
    ),
    (
        "Habit",
        &[
            ("action", "string"),
            ("times", "integer"),
            ("hours", "list integer"),
            ("next", "list Next"),
        ],
    ),
    ("Next", &[("action", "string"), ("times", "integer")]),
    (
        "Prediction",
        &[("action", "string"), ("probability:", "number")],
    ),
    (
        "Versions",
        &[
            ("home", "string"),
            ("adaptations", "list object"),
            ("drifts", "list object"),
            ("versions:", "object"),
            ("shifts", "list Shift"),
        ],
    ),
    (
        "Shift",
        &[
            ("kind", "string"),
            ("from", "string"),
            ("to", "string"),
            ("time", "time"),
            ("requests", "integer"),
            ("retained", "integer"),
            ("deleted", "integer"),
            ("before", "object"),
            ("synthetic", "object"),
            ("after", "object"),
        ],
    ),
    ("Requests", &[("requests", "list Request")]),
    (
        "Request",
        &[
            ("request", "string"),
            ("home", "string"),
            ("epoch", "integer"),
            ("shift", "object"),
            ("weekday", "string"),
            ("representatives", "integer"),
            ("retained", "integer"),
            ("deleted", "integer"),
        ],
    ),
    (
        "AlarmEvent",
        &[("id", "string"), ("event", "string"), ("data", "string")],
    ),
];

fn schemas() -> Map<String, Value> {
    let mut schemas: Map<String, Value> = OBJECTS
        .iter()
        .map(|(name, keys)| ((*name).to_owned(), object(keys)))
        .collect();
    schemas.insert("OpenApi".to_owned(), json!({ "type": "object" }));
    schemas
}

/// For tests: what an answer lacks, or has that its schema does not know.
#[cfg(test)]
pub(in crate::serve) fn differs(name: &str, value: &Value) -> Option<String> {
    let keys = OBJECTS.iter().find(|(known, _)| *known == name)?.1;
    let Some(object) = value.as_object() else {
        return Some(format!("{name} is no object: {value}"));
    };
    for key in object.keys() {
        if !keys
            .iter()
            .any(|(known, _)| known.trim_end_matches(['?', ':']) == key)
        {
            return Some(format!("{name} has {key}"));
        }
    }
    for (key, kind) in keys {
        let (bare, kind) = (
            key.trim_end_matches(['?', ':']),
            kind.strip_prefix("list ").unwrap_or(kind),
        );
        let parts = match object.get(bare) {
            None if key.ends_with('?') => continue,
            Some(Value::Null) if key.ends_with(':') => continue,
            None => return Some(format!("{name} lacks {bare}")),
            Some(Value::Array(parts)) => parts.clone(),
            Some(part) => vec![part.clone()],
        };
        if let Some(found) = parts.iter().find_map(|part| differs(kind, part)) {
            return Some(found);
        }
    }
    None
}
