//! The same events in any format, packing and number of files are the same log.

use std::io::Write;
use std::path::Path;

use serde_json::Value;

use super::program::{Folder, HARDLY_TRAINED, hearth, hearth_reading, same_lines, text, write};

/// Epochs are batches of lines, so files may end within one.
const OPTIONS: &str = "--epoch-events 64 --synthesizer none";

fn csv(events: &[&str]) -> String {
    let mut out = String::from("id,home,time,device,action\n");
    for event in events {
        let event: Value = serde_json::from_str(event).unwrap();
        let fields = ["id", "home", "time", "device", "action"];
        let fields = fields.map(|field| text(&event[field]).replace('"', "\"\""));
        out.push_str(&format!("\"{}\"\r\n", fields.join("\",\"")));
    }
    out
}

fn gzip(bytes: &str) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &str) -> Vec<u8> {
    zstd::encode_all(bytes.as_bytes(), 3).unwrap()
}

fn replay(dir: &Path, logs: &str, out: &str, catalog: &str, input: &[u8]) -> Folder {
    let command = format!("replay {logs} --out {out} {catalog} {OPTIONS} {HARDLY_TRAINED}");
    hearth_reading(dir, &command, input).fine();
    Folder(dir.join(out))
}

#[test]
fn format_packing_and_number_of_files_change_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let simulate = "simulate --homes 2 --days 4 --seed 7 --reorder 0.2 --duplicates 0.05 --ids";
    hearth(dir, &format!("{simulate} --out sim")).fine();
    let jsonl = std::fs::read_to_string(dir.join("sim/events.jsonl")).unwrap();
    let events: Vec<&str> = jsonl.lines().collect();
    let (head, tail) = events.split_at(events.len() / 3);
    let (start, rest) = (head.join("\n"), tail.join("\n"));
    write(dir, "plain.jsonl", &jsonl);
    write(dir, "plain.csv", csv(&events));
    write(dir, "packed.jsonl.gz", gzip(&jsonl));
    write(dir, "packed.csv.zst", zstd(&csv(&events)));
    write(dir, "head.jsonl.zst", zstd(&start));
    write(dir, "tail.csv.gz", gzip(&csv(tail)));
    hearth(dir, "pack plain.csv --out packed.parquet").fine();
    let parquet = std::fs::read(dir.join("packed.parquet")).unwrap();
    for format in ["csv", "hlog", "parquet"] {
        hearth(dir, &format!("{simulate} --out {format} --format {format}")).fine();
    }

    let given = "--catalog sim/catalog.json";
    let expected = replay(dir, "plain.jsonl", "expected", given, b"");
    assert!(expected.lines("segments").len() > 5);
    let [read, applied, duplicate, ..] = expected.accounting();
    assert_eq!((read, applied + duplicate), (events.len() as u64, read));
    let streams = ["segments", "transitions", "representatives"];
    let stdin = csv(&events);
    for (logs, input) in [
        ("plain.csv", &b""[..]),
        ("packed.jsonl.gz", b""),
        ("packed.csv.zst", b""),
        ("head.jsonl.zst tail.csv.gz", b""),
        ("packed.parquet", b""),
        ("csv/events.csv", b""),
        ("hlog/events.hlog", b""),
        ("parquet/events.parquet", b""),
        ("-", &parquet),
        ("-", jsonl.as_bytes()),
        ("-", &zstd(&stdin)),
        ("head.jsonl.zst -", rest.as_bytes()),
    ] {
        let output = replay(dir, logs, "out", given, input);
        assert_eq!(output.accounting(), expected.accounting(), "{logs}");
        same_lines(&expected, &output, &streams);
    }

    // Without a catalog the log is read twice, standard input from a copy.
    let expected = replay(dir, "plain.jsonl", "inferred", "", b"");
    assert_eq!(expected.accounting()[0], events.len() as u64);
    for (logs, input) in [
        ("-", stdin.as_bytes()),
        ("head.jsonl.zst -", rest.as_bytes()),
    ] {
        let output = replay(dir, logs, "out", "", input);
        same_lines(&expected, &output, &streams);
    }
}
