//! Configuration files of bytes that nobody meant.

use std::path::Path;

use super::{File, options};
use crate::fuzz::{fuzz, reasons};

#[test]
fn configurations() {
    let seed = br#"# of a home
workers = 2
seed = 0x10
epoch_events = 10_000
max_gap = "9h"
similarity = 0.8
strict = true
timezone = "Europe/Berlin"
columns = "home=home_id,time=ts"
alarm_budget = "1/7d"
checker = 'paired'
llm_model = """m"""
mqtt = "mqtts://broker:8883"
mqtt_in = "state:zigbee2mqtt/{device}"
webhook = "https://example.org/hook"
parquet_roll = "64MiB,1d"
kafka_in = "kafka://broker:9092/topic"
home_assistant = "http://hub:8123"
state = "s3://bucket/prefix"
"#;
    let words = [
        "llm_budget = \"0.5\"\n",
        "max_memory = \"512MB\"\n",
        "checkpoint_every = \"auto\"\n",
        "keep = \"90d\"\n",
        "1979-05-27T07:32:00Z",
        "[table]\n",
        "\"none\"",
        "inf",
        "0b1",
        "\"\"\"",
        " = ",
    ];
    fuzz(&[seed], &words, |bytes| {
        let Ok(text) = std::str::from_utf8(bytes) else {
            return String::new();
        };
        match File::parse(Path::new("hearth.toml"), text) {
            Ok(file) => {
                // What the file was believed to say, each command takes.
                let command = file.apply(options());
                command.try_get_matches_from(["hearth"]).unwrap();
                let keys: Vec<&str> = file.values.keys().map(String::as_str).collect();
                let places = keys.iter().map(|key| file.place(key).unwrap());
                let lines = 1 + text.matches('\n').count();
                for place in places {
                    let line: usize = place["hearth.toml:".len()..].parse().unwrap();
                    assert!((1..=lines).contains(&line), "{place} of {lines} lines");
                }
                keys.join(" ")
            }
            Err(error) => {
                let error = error.to_string();
                let line = error.strip_prefix("hearth.toml:").unwrap();
                assert!(line.starts_with(|c: char| c.is_ascii_digit()), "{error}");
                reasons([error.as_str()])
            }
        }
    });
}
