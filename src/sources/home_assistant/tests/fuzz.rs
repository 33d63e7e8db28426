//! Frames that nobody says: they never end the run, nor spoil the inbox.

use hearth_operators::words::Time;
use serde_json::Value;

use super::super::frames::{Frame, aside, frame};
use super::super::reader::Fate;
use super::frames::{LATER, RECORDED, reader, reports};
use crate::fuzz::{fuzz, reasons};
use crate::inbox::LONGEST_LINE;

#[test]
fn home_assistant_frames() {
    let seeds: Vec<&[u8]> = RECORDED.lines().map(str::as_bytes).collect();
    let words = [
        "\"state\":",
        "\"last_updated\":",
        "\"entity_id\":",
        "\"lu\":",
        "unavailable",
    ];
    let (mut reader, mut number) = (reader(), 0_i64);
    fuzz(&seeds, &words, |bytes| {
        number += 1;
        // What is no UTF-8 ends the connection below this.
        let frame = match frame(&String::from_utf8_lossy(bytes)) {
            Ok(frame) => frame,
            Err(why) => return reasons([why.as_str()]),
        };
        if let Frame::Answer(_, Ok(registry)) = &frame {
            let _ = aside(registry, registry).count();
        }
        let mut said = Vec::new();
        for report in reports(&frame) {
            match report.map(|report| reader.take(&report, LATER)) {
                Ok(Fate::Refused(why)) | Err(why) => said.push(why),
                Ok(fate) => said.push(format!("{fate:?}")),
            }
        }
        if number % 10 == 0 {
            reader.settle(Time(LATER.0 / 1000 * (number % 1000)));
            for line in reader.flush().into_iter().flat_map(|(lines, _)| lines) {
                assert!(line.len() <= LONGEST_LINE && !line.contains('\n'));
                let line: Value = serde_json::from_str(&line).unwrap();
                assert!(line["home"].is_string(), "{line}");
            }
        }
        reasons(said.iter().map(String::as_str))
    });
}
