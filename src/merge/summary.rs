//! The summaries of several processes in one.

use serde_json::{Map, Value};

/// What is the run's own, and the same in each part.
const SAME: [&str; 2] = ["version", "seed"];

/// What all did at the same time.
const LONGEST: [&str; 4] = [
    "seconds",
    "ingest_seconds",
    "still_seconds_median",
    "still_seconds_most",
];

/// What says that it is a part.
const OF_PARTS: [&str; 2] = ["part", "run"];

/// The summary of the whole: what each counted, summed up.
pub fn merge(parts: &[Value]) -> Value {
    let mut whole = Value::Null;
    for part in parts {
        add(&mut whole, "", part);
    }
    let events = whole["events"]["in"].as_f64().unwrap_or(0.0);
    let seconds = whole["seconds"].as_f64().unwrap_or(0.0);
    if let Some(whole) = whole.as_object_mut() {
        let rate = if seconds > 0.0 { events / seconds } else { 0.0 };
        whole.insert("events_per_second".to_owned(), rate.into());
        for key in OF_PARTS {
            // The order of the others stays.
            whole.shift_remove(key);
        }
    }
    whole
}

/// Whether every line of the input is accounted for.
pub fn is_balanced(whole: &Value) -> bool {
    let Some(events) = whole["events"].as_object() else {
        return false;
    };
    let all = events.values().filter_map(Value::as_i64).sum::<i64>();
    // Of a live run: those that wait for others which confirm them.
    let waiting = whole["undone"]["lines"].as_i64().unwrap_or(0);
    events["in"]
        .as_i64()
        .is_some_and(|read| all + waiting == 2 * read)
}

fn add(to: &mut Value, key: &str, from: &Value) {
    match (&mut *to, from) {
        (Value::Null, from) => *to = from.clone(),
        (Value::Object(to), Value::Object(from)) => add_each(to, from),
        // What is noted by several is noted once.
        (Value::Array(to), Value::Array(from)) => {
            for one in from {
                if !to.contains(one) {
                    to.push(one.clone());
                }
            }
        }
        (Value::Number(a), Value::Number(b)) if !SAME.contains(&key) => {
            *to = if LONGEST.contains(&key) {
                f64::max(a.as_f64().unwrap_or(0.0), b.as_f64().unwrap_or(0.0)).into()
            } else if let (Some(a), Some(b)) = (a.as_i64(), b.as_i64()) {
                (a + b).into()
            } else {
                (a.as_f64().unwrap_or(0.0) + b.as_f64().unwrap_or(0.0)).into()
            };
        }
        _ => {}
    }
}

fn add_each(to: &mut Map<String, Value>, from: &Map<String, Value>) {
    for (key, value) in from {
        add(to.entry(key.clone()).or_insert(Value::Null), key, value);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn counts_are_summed_and_times_are_not() {
        let part = |events: u64, seconds: f64, note: &str| {
            json!({
                "version": "1", "seed": 7, "workers": 1, "events": {"in": events}, "verdicts": {"retain": {"1": events}},
                "segments": -1, "notes": ["both", note], "seconds": seconds, "events_per_second": 1.0,
                "part": {"process": 0}, "lines": {"segments": 2},
            })
        };
        let whole = merge(&[part(100, 4.0, "one"), part(20, 5.0, "other")]);
        let expected = json!({
            "version": "1", "seed": 7, "workers": 2, "events": {"in": 120}, "verdicts": {"retain": {"1": 120}},
            "segments": -2, "notes": ["both", "one", "other"], "seconds": 5.0, "events_per_second": 24.0,
            "lines": {"segments": 4},
        });
        assert_eq!(whole, expected);
    }

    #[test]
    fn what_only_one_counted_counts() {
        let parts = [json!({"deleted": {}}), json!({"deleted": {"2": 3}})];
        assert_eq!(merge(&parts)["deleted"], json!({"2": 3}));
    }
}
