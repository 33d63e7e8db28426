//! Messages of bytes that nobody meant: they never end the run, nor spoil the inbox.

use hearth_operators::words::Time;

use super::tests::{at, given, reader};
use super::*;
use crate::fuzz::{fuzz, reasons};
use crate::inbox::LONGEST_LINE;

/// Which topic a message is of, its first byte says.
#[test]
fn mqtt_payloads() {
    let topics = [
        "z/lamp",
        "z/lamp/availability",
        "ss/light/hall/state",
        "e",
        "s/door",
        "p/h/bell",
    ];
    let seeds: [&[u8]; 7] = [
        br#"0{"state":"ON","last_seen":1767225600000,"color":{"x":1},"action":"single"}"#,
        br#"1{"state":"offline"}"#,
        b"2on",
        br#"3[{"home":"h","time":"2026-01-01T00:00:00Z","device":"Light","action":"on"}]"#,
        br#"3{"kind":"season","from":"winter","to":"summer","home":"*","time":"2026-06-01T00:00:00Z"}"#,
        br#"4{"a":["open"]}"#,
        b"5ring",
    ];
    let words = [
        "\"state\":",
        "\"last_seen\":",
        "\"contact\":",
        "unavailable",
        "\"mark\":",
    ];
    let mut reader = reader(
        "zigbee2mqtt:z statestream:ss events:e state:s/{device}=/a/0 press:p/{home}/{device}",
    );
    let mut number = 0_u16;
    fuzz(&seeds, &words, |bytes| {
        let (first, payload) = bytes.split_first().unwrap_or((&0, &[]));
        number = number.wrapping_add(1);
        let message = Given {
            payload,
            retained: number.is_multiple_of(11),
            again: number.is_multiple_of(13),
            number: number % 50,
            ..given(topics[*first as usize % topics.len()], "")
        };
        let fate = reader.take(message, at(1_800_000_000));
        reader.settle(Time(i64::from(number) << 40));
        if number.is_multiple_of(5) {
            for line in reader.flush().into_iter().flat_map(|(lines, _)| lines) {
                assert!(line.len() <= LONGEST_LINE && !line.contains('\n'));
                let line: serde_json::Value = serde_json::from_str(&line).unwrap();
                assert!(line["home"].is_string(), "{line}");
            }
        }
        match fate {
            Fate::Refused(why) => reasons([why.as_str()]),
            fate => format!("{fate:?}"),
        }
    });
}
