//! Other people's servers, started for a test.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdin, Command, Stdio};

/// A server that runs. It stops when this is dropped.
pub struct Server {
    pub url: String,
    process: Child,
    /// It serves as long as this is open.
    stdin: Option<ChildStdin>,
}

impl Server {
    /// Starts `llama` or `llmock`. `None` where it cannot be had, and then it says so.
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
        let stdout = process.stdout.take().unwrap();
        let mut url = String::new();
        BufReader::new(stdout).read_line(&mut url).unwrap();
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
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stdin.take());
        let _ = self.process.wait();
    }
}
