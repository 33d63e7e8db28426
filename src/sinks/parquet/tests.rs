//! What is in the files is what lines say, whoever is killed.

use std::fmt::Write as _;
use std::num::NonZeroUsize;

use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;
use serde_json::{Value, json};

use super::*;
use crate::config::options_of;
use crate::inbox::{Inbox, InboxWriter, Keeps};
use crate::outputs::Content;
use crate::sinks::{Place, Positions};
use crate::stop::Stop;

/// The n-th score, with what some lines lack.
fn score(n: usize) -> String {
    let mut line = json!({
        "epoch": n,
        "home": format!("h-{}", n % 3),
        "time": format!("2025-03-{:02}T07:00:00.25+0{}:00", 1 + n % 28, n % 4),
        "action": "Light \"é\":on",
        "score": (!n.is_multiple_of(5)).then_some(n as f64 / 8.0),
        "threshold": null,
        "anomaly": n.is_multiple_of(2),
        "predictions": [{"action": "Light:off", "probability": 0.1}],
        "versions": {"detector": 1, "predictor": n},
    });
    if n.is_multiple_of(7) {
        line["open"] = true.into();
        line["next"] = json!([]);
    }
    line.to_string()
}

/// A line's keys and values as a row has them, by the words of the documentation.
fn expected(line: &str) -> String {
    let line: Value = serde_json::from_str(line).unwrap();
    let mut row = String::new();
    for (key, content) in Stream::Scores.columns() {
        let value = match (content, &line[*key]) {
            (Content::Truth, Value::Null) => "false".to_owned(),
            (Content::Time, Value::String(time)) => {
                let time: jiff::Timestamp = time.parse().unwrap();
                time.as_microsecond().to_string()
            }
            (Content::Number, Value::Number(number)) => number.as_f64().unwrap().to_string(),
            (_, Value::String(text)) => text.clone(),
            (_, value) => value.to_string(),
        };
        writeln!(row, "{key}: {value}").unwrap();
    }
    let hours: i64 = line["time"].as_str().unwrap()[23..25].parse().unwrap();
    writeln!(row, "offset: {}", hours * 60).unwrap();
    row
}

/// The rows of all files, by name.
fn rows(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|end| end == "parquet"));
    paths.sort();
    let mut all = Vec::new();
    for path in paths {
        let file = std::fs::File::open(&path).unwrap();
        for row in SerializedFileReader::new(file)
            .unwrap()
            .get_row_iter(None)
            .unwrap()
        {
            let row = row.unwrap();
            let value = |(key, field): (&String, &Field)| match field {
                Field::Null => format!("{key}: null\n"),
                Field::Str(text) => format!("{key}: {text}\n"),
                Field::TimestampMicros(time) => format!("{key}: {time}\n"),
                Field::Double(number) => format!("{key}: {number}\n"),
                other => format!("{key}: {other}\n"),
            };
            all.push(row.get_column_iter().map(value).collect());
        }
    }
    all
}

/// A run that writes scores into `folder`/tables.
struct Run {
    desk: Desk,
    writer: InboxWriter,
    task: tokio::task::JoinHandle<Result<()>>,
}

impl Run {
    fn start(folder: &Path, roll: &str, began: u64) -> Self {
        let (inbox, writer) = Inbox::open(&Disk::real(), folder, Keeps::default()).unwrap();
        let desk = Desk::new(inbox, folder, NonZeroUsize::MIN, Stop::default());
        let options = options_of(&[
            &format!("--parquet={}", folder.join("tables").display()),
            "--parquet-streams=scores",
            &format!("--parquet-roll={roll}"),
        ]);
        desk.feed.begin(&at(began));
        let task = tokio::spawn(run(options, desk.clone()).unwrap());
        Run { desk, writer, task }
    }

    async fn leave(self, killed: bool) {
        if killed {
            self.task.abort();
            let _ = self.task.await;
        } else {
            self.desk.feed.end();
            self.task.await.unwrap().unwrap();
        }
        drop(self.desk);
        tokio::task::spawn_blocking(|| self.writer.join())
            .await
            .unwrap();
    }
}

fn at(bytes: u64) -> Positions {
    Positions::from([(Stream::Scores, Place::plain(bytes))])
}

#[tokio::test(flavor = "multi_thread")]
async fn each_line_is_in_one_file_once_though_the_run_is_killed() {
    for roll in ["2KiB", "1KiB,1s", "1h"] {
        let folder = tempfile::tempdir().unwrap();
        let (dir, tables) = (folder.path(), folder.path().join("tables"));
        let (mut lines, mut bytes) = (Vec::new(), 0);
        let mut log = std::fs::File::create(Stream::Scores.path(dir)).unwrap();
        for round in 0..12 {
            let run = Run::start(dir, roll, bytes);
            for _ in 0..5 {
                for _ in 0..round {
                    let line = score(lines.len());
                    bytes += line.len() as u64 + 1;
                    std::io::Write::write_all(&mut log, format!("{line}\n").as_bytes()).unwrap();
                    lines.push(line);
                }
                run.desk.feed.cut(&at(bytes));
                tokio::time::sleep(Duration::from_millis(3 * (round % 4))).await;
            }
            run.leave(round % 3 > 0).await;
            // As a kill leaves it that comes before what was written is remembered.
            std::fs::write(tables.join(".hearth.scores.part"), "PAR1").unwrap();
            let unremembered = format!("scores-{bytes:015}.parquet");
            std::fs::write(tables.join(unremembered), "PAR1").unwrap();
        }
        Run::start(dir, roll, bytes).leave(false).await;
        let expected: Vec<String> = lines.iter().map(|line| expected(line)).collect();
        assert!(rows(&tables) == expected, "{roll}");

        // The outputs are made anew: so are the tables.
        std::fs::write(Stream::Scores.path(dir), format!("{}\n", score(1))).unwrap();
        let bytes = score(1).len() as u64 + 1;
        Run::start(dir, roll, bytes).leave(false).await;
        assert!(rows(&tables) == expected[1..2], "{roll}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_run_at_a_time_writes_and_a_line_of_another_form_is_an_error() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let run = Run::start(one.path(), "1KiB", 0);
    let tables = other.path().join("tables");
    std::os::unix::fs::symlink(one.path().join("tables"), &tables).unwrap();
    let refused = lock(&Disk::real(), &tables).err().unwrap().to_string();
    assert!(refused.contains("--parquet"), "{refused}");

    for line in [
        r#"{"home":"h","nobody":1}"#,
        r#"{"home":"h","epoch":"x"}"#,
        r#"{"home":"h","time":"today"}"#,
    ] {
        assert!(rows::row(Stream::Scores.columns(), line).is_err(), "{line}");
    }
    run.leave(false).await;
}
