//! Frames that Home Assistant 2024.3.3 said.

use hearth_operators::words::Time;
use serde_json::Value;

use super::super::frames::{Frame, Report, aside, changed, frame, history, state};
use super::super::reader::{Fate, Reader};
use super::shown;
use crate::config::ContextEntities;

/// What it said: who it is, that it tells events, its configuration, registry and states, a stream of nothing, its history, and what
/// happened then.
pub(super) const RECORDED: &str = include_str!("recorded.jsonl");

/// A time after all that.
pub(super) const LATER: Time = Time(1_800_000_000 * Time::SECOND);

pub(super) fn reader() -> Reader {
    let contexts: ContextEntities = "input_select.season=season".parse().unwrap();
    Reader::new("home".into(), contexts)
}

/// Whatever a frame reports, by whichever of the ways in which it may be meant.
pub(super) fn reports(frame: &Frame) -> Vec<Result<Report, String>> {
    match frame {
        Frame::Event(_, event) if event.get("event_type").is_some() => vec![changed(event)],
        Frame::Answer(_, Ok(Value::Array(states)))
            if states.iter().any(|s| s["state"].is_string()) =>
        {
            states.iter().map(state).collect()
        }
        Frame::Answer(_, Ok(answer @ Value::Object(_))) if answer.get("time_zone").is_none() => {
            match history(answer) {
                Ok(reports) => reports.into_iter().map(Ok).collect(),
                Err(why) => vec![Err(why)],
            }
        }
        _ => Vec::new(),
    }
}

#[test]
fn what_the_real_one_said_is_understood() {
    let mut reader = reader();
    let (mut past, mut live) = (Vec::new(), Vec::new());
    for line in RECORDED.lines() {
        let frame = frame(line).unwrap();
        if let Frame::Answer(3, Ok(registry)) = &frame {
            assert_eq!(aside(registry, registry).count(), 0);
        }
        let reports = reports(&frame).into_iter().map(Result::unwrap);
        match frame {
            Frame::Event(..) => live.extend(reports),
            _ => past.extend(reports),
        }
    }
    assert!(
        past.len() > 20 && live.len() == 5,
        "{} {}",
        past.len(),
        live.len()
    );
    past.sort_by_key(|report| report.updated);
    for report in past.iter().chain(&live) {
        let fate = reader.take(report, LATER);
        assert!(!matches!(fate, Fate::Refused(_)), "{report:?} {fate:?}");
    }
    let (lines, _) = reader.flush().unwrap();
    let lines: Vec<String> = lines.iter().map(|line| shown(line)).collect();
    let of = |device: &str| lines.iter().filter(|line| line.starts_with(device)).count();
    // Switched three times before, twice while it was heard.
    assert_eq!(of("input_boolean.hall_light"), 5);
    assert_eq!(of("input_boolean.kitchen_light"), 3);
    assert_eq!(of("binary_sensor.door"), 3);
    assert_eq!(of("input_boolean.television"), 2);
    assert_eq!(
        of("\"season\" winter spring") + of("\"season\" spring summer"),
        2
    );
    assert_eq!(lines.len(), 5 + 3 + 3 + 3 + 2 + 2, "{lines:?}");
    // Told again, nothing of it counts again.
    for report in past.iter().chain(&live) {
        assert_ne!(reader.take(report, LATER), Fate::Taken);
    }
}
