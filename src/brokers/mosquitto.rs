//! A real broker of MQTT.

use std::io::Write as _;
use std::net::{Ipv4Addr, TcpStream as Stream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::network::free_port;

/// How long a broker may take to come.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where it may be.
const PLACES: [&str; 4] = [
    "/usr/sbin",
    "/usr/local/sbin",
    "/usr/bin",
    "/opt/homebrew/sbin",
];

/// A mosquitto that keeps what it has when it is killed.
pub(super) struct Mosquitto {
    folder: tempfile::TempDir,
    program: PathBuf,
    process: Child,
    pub port: u16,
}

impl Mosquitto {
    /// Starts one; none, said aloud, where it is not installed.
    pub fn start() -> Option<Self> {
        let places = PLACES
            .iter()
            .map(|place| Path::new(place).join("mosquitto"));
        let Some(program) = places.into_iter().find(|path| path.is_file()) else {
            eprintln!("SKIPPED: no mosquitto here (Debian: apt-get install mosquitto)");
            return None;
        };
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        let mut conf = std::fs::File::create(folder.path().join("conf")).unwrap();
        writeln!(
            conf,
            "listener {port} 127.0.0.1\nallow_anonymous true\nuser root\nlog_dest none\npersistence true\n\
             persistence_location {}/\nautosave_on_changes true\nautosave_interval 1\nmax_queued_messages 0",
            folder.path().display()
        )
        .unwrap();
        let process = begin(&program, folder.path());
        let broker = Mosquitto {
            folder,
            program,
            process,
            port,
        };
        broker.wait();
        Some(broker)
    }

    /// Kills it without a word, and starts it again.
    pub fn kill_and_start(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        self.process = begin(&self.program, self.folder.path());
        self.wait();
    }

    fn wait(&self) {
        let start = Instant::now();
        while Stream::connect((Ipv4Addr::LOCALHOST, self.port)).is_err() {
            assert!(start.elapsed() < PATIENCE, "mosquitto does not come");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn begin(program: &Path, folder: &Path) -> Child {
    let mut command = Command::new(program);
    command.arg("-c").arg(folder.join("conf"));
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().unwrap()
}
