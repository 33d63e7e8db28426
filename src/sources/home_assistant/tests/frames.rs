//! Frames that Home Assistant 2024.3.3 said, and frames that nobody says.

use hearth_operators::words::Time;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;

use super::super::frames::{Frame, Report, aside, changed, frame, history, state};
use super::super::reader::{Fate, Reader};
use super::shown;
use crate::config::ContextEntities;
use crate::inbox::LONGEST_LINE;

/// What it said: who it is, that it tells events, its configuration, registry and states, a stream of nothing, its history, and what
/// happened then.
const RECORDED: &str = include_str!("recorded.jsonl");

/// A time after all that.
const LATER: Time = Time(1_800_000_000 * Time::SECOND);

fn reader() -> Reader {
    let contexts: ContextEntities = "input_select.season=season".parse().unwrap();
    Reader::new("home".into(), contexts)
}

/// Whatever a frame reports, by whichever of the ways in which it may be meant.
fn reports(frame: &Frame) -> Vec<Result<Report, String>> {
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
            assert_eq!(aside(registry).count(), 0);
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

/// How many mutated frames are tried: enough for a test; more by the environment.
fn mutations() -> usize {
    let more = std::env::var("HEARTH_MUTATIONS").ok();
    more.and_then(|n| n.parse().ok()).unwrap_or(10_000)
}

/// A frame with a few bytes otherwise. What is no UTF-8 ends the connection below this.
fn mutated(frame: &str, random: &mut ChaCha8Rng) -> String {
    let mut text = frame.as_bytes().to_vec();
    for _ in 0..random.random_range(0..4) {
        let at = random.random_range(0..=text.len());
        match random.random_range(0..4) {
            0 => text.truncate(at),
            1 => text.insert(at, random.random()),
            2 => text.extend_from_within(at..),
            _ => {
                if let Some(byte) = text.get_mut(at) {
                    *byte = random.random();
                }
            }
        }
    }
    String::from_utf8_lossy(&text).into_owned()
}

#[test]
fn mutated_frames_never_end_the_run_nor_spoil_the_inbox() {
    let seeds: Vec<&str> = RECORDED.lines().collect();
    let mut random = ChaCha8Rng::seed_from_u64(14);
    let (mut reader, mut refused, mut taken) = (reader(), 0, 0);
    for _ in 0..mutations() {
        let text = mutated(seeds[random.random_range(0..seeds.len())], &mut random);
        let frame = match frame(&text) {
            Ok(frame) => frame,
            Err(why) => {
                assert!(!why.is_empty());
                refused += 1;
                continue;
            }
        };
        if let Frame::Answer(_, Ok(registry)) = &frame {
            let _ = aside(registry).count();
        }
        for report in reports(&frame) {
            match report.map(|report| reader.take(&report, LATER)) {
                Ok(Fate::Refused(why)) | Err(why) => {
                    assert!(!why.is_empty());
                    refused += 1;
                }
                Ok(fate) => taken += usize::from(fate == Fate::Taken),
            }
        }
        if random.random_bool(0.1) {
            reader.settle(Time(random.random_range(0..LATER.0)));
            for line in reader.flush().into_iter().flat_map(|(lines, _)| lines) {
                assert!(line.len() <= LONGEST_LINE && !line.contains('\n'));
                let line: Value = serde_json::from_str(&line).unwrap();
                assert!(line["home"].is_string(), "{line}");
            }
        }
    }
    assert!(refused > mutations() / 10 && taken > 0, "{refused} {taken}");
}
