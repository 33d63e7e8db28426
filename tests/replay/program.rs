//! Runs the program, and reads what it left in an output folder.

use std::ffi::OsStr;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// The files of an output folder, without `.jsonl`.
pub const STREAMS: [&str; 10] = [
    "segments",
    "transitions",
    "representatives",
    "requests",
    "verdicts",
    "adaptations",
    "scores",
    "alarms",
    "late",
    "rejected",
];

/// The cheapest models: what they say does not matter where this is used.
pub const HARDLY_TRAINED: &str = "--warm-up 1 --warm-up-span 1s";

/// How long a process may take to begin.
const PATIENCE: Duration = Duration::from_secs(60);

/// How a run ended.
pub struct Ended {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Ended {
    /// Insists on success.
    pub fn fine(self) -> Self {
        assert_eq!(self.code, Some(0), "{}", self.stderr);
        self
    }
}

/// Waits until a process heeds Ctrl-C, by which it would only die before.
pub fn heeds(child: &Child) {
    let status = format!("/proc/{}/status", child.id());
    let caught = || {
        let status = std::fs::read_to_string(&status).ok()?;
        let mask = status
            .lines()
            .find_map(|line| line.strip_prefix("SigCgt:"))?;
        u64::from_str_radix(mask.trim(), 16).ok()
    };
    // Signal 2. Of systems that do not say it, nothing is known; one that has ended heeds nothing.
    let began = Instant::now();
    while caught().is_some_and(|mask| mask & (1 << 1) == 0) && began.elapsed() < PATIENCE {
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Starts `hearth` in `dir` with arguments that blanks separate, without the caller's own `HEARTH_*` variables.
pub fn start(dir: &Path, arguments: &str) -> Child {
    start_with(dir, arguments, &[])
}

/// The same with variables of its own.
pub fn start_with(dir: &Path, arguments: &str, variables: &[(&str, &str)]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hearth"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("HEARTH_") {
            command.env_remove(name);
        }
    }
    // Runs that are beside each other would all want the usual port.
    command.env("HEARTH_LISTEN", "off");
    command.envs(variables.iter().copied());
    command.current_dir(dir).args(arguments.split_whitespace());
    command.stdin(Stdio::piped());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

/// Waits for the end of a run.
pub fn end(child: Child) -> Ended {
    let output = child.wait_with_output().unwrap();
    Ended {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Runs `hearth` to its end with this standard input.
pub fn hearth_reading(dir: &Path, arguments: &str, input: &[u8]) -> Ended {
    let mut child = start(dir, arguments);
    // The program may end without reading, which is its right.
    let _ = child.stdin.take().unwrap().write_all(input);
    end(child)
}

/// Runs `hearth` to its end with an empty standard input.
pub fn hearth(dir: &Path, arguments: &str) -> Ended {
    hearth_reading(dir, arguments, b"")
}

/// An output folder.
pub struct Folder(pub PathBuf);

impl Folder {
    /// The lines of a stream, sorted: their order within an epoch depends on the workers' timing.
    pub fn lines(&self, stream: &str) -> Vec<String> {
        let text = self.text(stream).unwrap();
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort_unstable();
        lines
    }

    /// The files of a stream, one behind the other.
    pub fn text(&self, stream: &str) -> std::io::Result<String> {
        let sealed = format!("{stream}-");
        let files = std::fs::read_dir(&self.0)?.map(|file| file.unwrap().path());
        let is_sealed = |path: &PathBuf| {
            let name = path.file_name().unwrap().to_string_lossy();
            name.starts_with(&sealed)
        };
        let mut files: Vec<PathBuf> = files.filter(is_sealed).collect();
        files.sort();
        files.push(self.0.join(stream).with_extension("jsonl"));
        files.iter().map(std::fs::read_to_string).collect()
    }

    /// The same as JSON.
    pub fn values(&self, stream: &str) -> Vec<Value> {
        let lines = self.lines(stream);
        let parse = |line: &String| serde_json::from_str(line).unwrap();
        lines.iter().map(parse).collect()
    }

    /// `summary.json`.
    pub fn summary(&self) -> Value {
        let text = std::fs::read_to_string(self.0.join("summary.json")).unwrap();
        serde_json::from_str(&text).unwrap()
    }

    /// `source` and `reason` of each refused line of a stream.
    pub fn refused(&self, stream: &str) -> Vec<(String, String)> {
        let values = self.values(stream);
        let pair = |line: &Value| (text(&line["source"]), text(&line["reason"]));
        values.iter().map(pair).collect()
    }

    /// The five numbers of the accounting: in, applied, duplicate, late, rejected.
    pub fn accounting(&self) -> [u64; 5] {
        let summary = self.summary();
        let numbers = ["in", "applied", "duplicate", "late", "rejected"];
        numbers.map(|name| summary["events"][name].as_u64().unwrap())
    }

    /// Behaviours in the segments that hold at the end.
    pub fn behaviors(&self) -> i64 {
        let segments = self.values("segments");
        let count = |s: &Value| s["diff"].as_i64().unwrap() * length(&s["behaviors"]);
        segments.iter().map(count).sum()
    }
}

/// A JSON text as a text.
pub fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

fn length(value: &Value) -> i64 {
    value.as_array().unwrap().len() as i64
}

/// Insists that two outputs have the same lines in these streams.
pub fn same_lines(one: &Folder, other: &Folder, streams: &[&str]) {
    for stream in streams {
        let (one, other) = (one.lines(stream), other.lines(stream));
        let differ = one.iter().zip(&other).find(|(one, other)| one != other);
        assert_eq!(differ, None, "{stream}");
        assert_eq!(one.len(), other.len(), "lines of {stream}");
    }
}

/// Writes a file of `dir`.
pub fn write(dir: &Path, name: impl AsRef<OsStr>, bytes: impl AsRef<[u8]>) {
    std::fs::write(dir.join(name.as_ref()), bytes).unwrap();
}
