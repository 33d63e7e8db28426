//! The real parts: Home Assistant, a broker, Hearth, and the network between them.

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, TcpStream as Stream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::network::free_port;

/// How long anything may take, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(240);

/// A Home Assistant that runs. It is stopped as by its user when this is dropped.
pub struct HomeAssistant {
    pub folder: PathBuf,
    pub port: u16,
    mqtt: Option<u16>,
    process: Option<(Child, ChildStdin)>,
}

impl HomeAssistant {
    /// Starts one. `None` where it cannot be had, and then it says so.
    pub fn start(folder: &Path, mqtt: Option<u16>) -> Option<Self> {
        let mut hub = HomeAssistant {
            folder: folder.to_owned(),
            port: free_port(),
            mqtt,
            process: None,
        };
        hub.begin().then_some(hub)
    }

    /// Starts it anew.
    pub fn begin(&mut self) -> bool {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/home_assistant/serve.py");
        let mut command = Command::new("python3");
        command
            .arg(script)
            .arg(&self.folder)
            .arg(self.port.to_string());
        command.args(self.mqtt.map(|port| port.to_string()));
        let process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let Ok(mut process) = process else {
            eprintln!("SKIPPED: Home Assistant needs python3");
            return false;
        };
        let mut said = String::new();
        let stdout = process.stdout.take().unwrap();
        BufReader::new(stdout).read_line(&mut said).unwrap();
        if said.trim() != "up" {
            let status = process.wait().unwrap();
            assert_eq!(status.code(), Some(77), "Home Assistant does not start");
            eprintln!("SKIPPED: Home Assistant cannot be installed here");
            return false;
        }
        let stdin = process.stdin.take().unwrap();
        self.process = Some((process, stdin));
        true
    }

    /// Stops it as its user does.
    pub fn stop(&mut self) {
        if let Some((mut process, stdin)) = self.process.take() {
            drop(stdin);
            let _ = process.wait();
        }
    }

    /// The file with the token.
    pub fn token(&self) -> PathBuf {
        self.folder.join("token")
    }

    /// Calls a service on an entity.
    pub async fn call(&self, service: &str, entity: &str, more: Value) {
        let mut data = json!({"entity_id": entity});
        data.as_object_mut()
            .unwrap()
            .extend(more.as_object().cloned().unwrap_or_default());
        let url = format!("http://127.0.0.1:{}/api/services/{service}", self.port);
        let request = reqwest::Client::new().post(url).bearer_auth(self.secret());
        let answer = request.body(data.to_string()).send().await.unwrap();
        assert!(
            answer.status().is_success(),
            "{service}: {}",
            answer.status()
        );
    }

    /// The state of an entity, where there is one.
    pub async fn state(&self, entity: &str) -> Option<Value> {
        let url = format!("http://127.0.0.1:{}/api/states/{entity}", self.port);
        let request = reqwest::Client::new().get(url).bearer_auth(self.secret());
        let answer = request.send().await.ok()?.bytes().await.ok()?;
        let state: Value = serde_json::from_slice(&answer).ok()?;
        state.get("state").is_some().then_some(state)
    }

    fn secret(&self) -> String {
        std::fs::read_to_string(self.token()).unwrap()
    }
}

impl Drop for HomeAssistant {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A live run of the program.
pub struct Hearth(Child);

impl Hearth {
    /// Begins, or goes on.
    pub fn start(arguments: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hearth"));
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("HEARTH_") {
                command.env_remove(name);
            }
        }
        command.args(["run", "--listen", "off"]).args(arguments);
        Hearth(command.stdout(Stdio::null()).spawn().unwrap())
    }

    /// Kills it without a word.
    pub fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }

    /// Ends it as by Ctrl-C.
    pub fn end(mut self) {
        let id = self.0.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-INT", &id])
                .status()
                .unwrap()
                .success()
        );
        assert!(self.0.wait().unwrap().success());
    }
}

impl Drop for Hearth {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A broker.
pub struct Mosquitto {
    pub port: u16,
    process: Child,
}

impl Mosquitto {
    /// Starts one. `None` where it is not installed, and then it says so.
    pub fn start() -> Option<Self> {
        let port = free_port();
        let places = [
            "/usr/sbin/mosquitto",
            "/usr/local/sbin/mosquitto",
            "/usr/bin/mosquitto",
        ];
        let Some(program) = places.into_iter().find(|place| Path::new(place).is_file()) else {
            eprintln!("SKIPPED: no mosquitto here (Debian: apt-get install mosquitto)");
            return None;
        };
        let mut command = Command::new(program);
        command.args(["-p", &port.to_string()]);
        let process = command.stdout(Stdio::null()).stderr(Stdio::null());
        let process = process.spawn().unwrap();
        let start = Instant::now();
        while Stream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            assert!(start.elapsed() < PATIENCE, "mosquitto does not come");
            std::thread::sleep(Duration::from_millis(10));
        }
        Some(Mosquitto { port, process })
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Waits until something holds.
pub async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let start = Instant::now();
    while !holds().await {
        assert!(start.elapsed() < PATIENCE, "{what}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
