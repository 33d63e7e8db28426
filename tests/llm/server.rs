//! Other people's servers, started for a test.

#![allow(dead_code, reason = "not all tests use all of it")]

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// A server that runs. It stops when this is dropped.
pub struct Server {
    pub url: String,
    process: Child,
    /// It serves as long as this is open.
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
}

impl Server {
    /// Starts `llama`, `llmock`, `s3` or `rclone`. `None` where it cannot be had, and then it says so.
    pub fn start(name: &str, options: &[&str]) -> Option<Self> {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/llm/serve.py");
        let process = Command::new("python3")
            .arg(script)
            .arg(name)
            .args(options)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        let mut process = match process {
            Ok(process) => process,
            Err(error) => {
                eprintln!("SKIPPED: {name} needs python3, which does not start: {error}");
                return None;
            }
        };
        let stdin = process.stdin.take();
        let mut stdout = BufReader::new(process.stdout.take().unwrap());
        let mut url = String::new();
        stdout.read_line(&mut url).unwrap();
        if url.is_empty() {
            let status = process.wait().unwrap();
            assert_eq!(status.code(), Some(77), "{name} does not start");
            eprintln!("SKIPPED: {name} cannot be installed here");
            return None;
        }
        Some(Server {
            url: url.trim().to_owned(),
            process,
            stdin,
            stdout,
        })
    }

    /// Kills it, and starts it again.
    pub fn restart(&mut self) {
        writeln!(self.stdin.as_ref().unwrap(), "again").unwrap();
        let mut url = String::new();
        self.stdout.read_line(&mut url).unwrap();
        assert_eq!(url.trim(), self.url);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stdin.take());
        let _ = self.process.wait();
    }
}
