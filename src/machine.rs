//! The machine on which something was measured, and the versions of what was.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;

use serde::Serialize;

/// The machine, as far as the system tells.
#[derive(Clone, Debug, Serialize)]
pub struct Machine {
    /// The processor's name.
    pub cpu: String,
    /// How many threads it runs at a time.
    pub cores: usize,
    /// Bytes of memory.
    pub memory_bytes: u64,
    /// Operating system and architecture.
    pub system: String,
    /// Load average over the last minute, before the first run.
    pub load: f64,
}

impl Machine {
    /// This one, now.
    pub fn here() -> Self {
        let read = |file| fs::read_to_string(file).unwrap_or_default();
        let after = |text: &str, key: &str| {
            let line = text.lines().find(|line| line.starts_with(key));
            let value = line.and_then(|line| line.split_once(':'));
            value.map(|(_, value)| value.trim().to_owned())
        };
        let memory = after(&read("/proc/meminfo"), "MemTotal");
        let memory = memory.and_then(|kib| kib.split(' ').next()?.parse::<u64>().ok());
        let load = read("/proc/loadavg");
        Machine {
            cpu: after(&read("/proc/cpuinfo"), "model name").unwrap_or_else(|| "unknown".into()),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            memory_bytes: memory.unwrap_or(0) * 1024,
            system: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
            load: load
                .split(' ')
                .next()
                .and_then(|l| l.parse().ok())
                .unwrap_or(0.0),
        }
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Machine {
            cpu,
            cores,
            memory_bytes,
            system,
            load,
        } = self;
        let memory = memory_bytes >> 30;
        write!(
            f,
            "{cpu}, {cores} cores, {memory} GiB, {system}; load {load} before the runs"
        )
    }
}

/// The versions of Hearth and of what carries its dataflow.
pub fn versions() -> BTreeMap<&'static str, String> {
    let mut versions = BTreeMap::from([("hearth", env!("CARGO_PKG_VERSION").to_owned())]);
    let lock = include_str!("../Cargo.lock");
    for name in ["timely", "differential-dataflow"] {
        let found = lock.split("[[package]]").find_map(|package| {
            let rest = package
                .trim_start()
                .strip_prefix(&format!("name = \"{name}\"\n"))?;
            rest.strip_prefix("version = \"")?.split('"').next()
        });
        versions.insert(name, found.unwrap_or("unknown").to_owned());
    }
    versions
}
