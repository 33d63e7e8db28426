//! What a live run tells as Parquet.

use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, Instant};

use hearth::outputs::Stream;
use parquet::file::reader::{FileReader, SerializedFileReader};

use super::killed::signal;
use super::network::free_port;
use super::program::{Folder, end, hearth, start, write};
use super::run::answered;

const SIMULATE: &str =
    "simulate --homes 6 --days 30 --seed 8 --anomalies 0.02 --shifts schedule --out sim";

/// How long all of it may take.
const PATIENCE: Duration = Duration::from_secs(180);

/// Streams whose lines name their home.
fn streams() -> Vec<&'static str> {
    let all = Stream::ALL.into_iter();
    let all = all.filter(|stream| !matches!(stream, Stream::Late | Stream::Rejected));
    all.map(Stream::name).collect()
}

/// The rows of a stream's files.
fn rows(tables: &Path, stream: &str) -> i64 {
    let files = fs::read_dir(tables).unwrap().map(|file| file.unwrap());
    let name = format!("{stream}-");
    let files = files.filter(|file| file.file_name().to_string_lossy().starts_with(&name));
    let rows = files.map(|file| {
        let file = SerializedFileReader::new(File::open(file.path()).unwrap()).unwrap();
        file.metadata().file_metadata().num_rows()
    });
    rows.sum()
}

/// Every line, of whatever stream, is a row, and what it says fits its columns; also where the run was killed on the way.
#[test]
fn every_line_of_a_run_is_a_row() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    hearth(dir, SIMULATE).fine();
    let log = fs::read_to_string(dir.join("sim/events.jsonl")).unwrap();
    let fine = r#"{"home":"h-1","alarm":"2001-01-01T00:00:00Z","fine":true}"#;
    let erased = r#"{"home":"h-2","erase":{"to":"2025-01-10T00:00:00Z"}}"#;
    write(dir, "log.jsonl", format!("{log}{fine}\n{erased}\n"));
    let (port, all) = (free_port(), streams());
    let named = all.join(",");
    // What changed is found, and adapted to: nobody declares it.
    let command = format!(
        "run log.jsonl --catalog sim/catalog.json --out live --on-drift adapt --alarm-budget 1/7d --epoch-interval 20ms \
         --checkpoint-every 50ms --parquet tables --parquet-streams {named} --parquet-roll 64KiB --listen 127.0.0.1:{port}"
    );
    let mut child = start(dir, &command);
    std::thread::sleep(Duration::from_millis(1_500));
    child.kill().unwrap();
    end(child);
    let live = Folder(dir.join("live"));
    let tables = dir.join("tables");
    let lines = |stream: &str| live.text(stream).unwrap_or_default().lines().count() as i64;
    let is_whole = |stream: &&str| lines(stream) > 0 && rows(&tables, stream) == lines(stream);
    let began = Instant::now();
    let patiently = |waits: &dyn Fn() -> bool| {
        while waits() {
            assert!(began.elapsed() < PATIENCE, "it comes to nothing");
            std::thread::sleep(Duration::from_millis(100));
        }
    };
    let is_ready = || answered(port, "GET", "/readyz", "").starts_with("HTTP/1.1 200");
    // A busy disk may take longer over the last files than a run's end may: the next run writes them.
    loop {
        assert!(began.elapsed() < PATIENCE, "files stay away");
        let child = start(dir, &command);
        patiently(&|| !is_ready());
        patiently(&|| all.iter().any(|stream| lines(stream) == 0));
        // Files come while there is more to come.
        patiently(&|| rows(&tables, "scores") == 0);
        assert!(signal(&child, "-INT"));
        end(child).fine();
        if all.iter().all(is_whole) {
            break;
        }
    }
}
