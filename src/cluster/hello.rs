//! The first words on a link: who calls, and of which run it is.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use serde::{Deserialize, Serialize};

/// What a link begins with: other programs that reach the port are told apart from ours.
const MARK: &str = "hearth cluster 1";

/// The longest first word.
const LONGEST: u64 = 1 << 20;

/// Who a process is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    mark: String,
    version: String,
    /// Which process it is, from 0.
    pub process: usize,
    /// How many there are.
    pub processes: usize,
    /// Workers of each.
    pub workers: usize,
    /// What the run is of, each with a name that a person understands.
    pub traits: Vec<(String, String)>,
    /// Whether it is a live run, whose inbox the first process shares with the others.
    #[serde(default)]
    pub(super) live: bool,
    /// What the link is for.
    pub(super) link: Kind,
}

/// What a link is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Kind {
    /// What flows between workers.
    Data,
    /// What processes say to each other.
    Words,
    /// The inbox of a live run, which the first process has.
    Inbox,
}

/// What is answered.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Answer {
    Welcome,
    /// It cannot be of the same run: why.
    Refused(String),
}

impl Hello {
    /// Of a process of a run that is of `traits`.
    pub fn new(
        process: usize,
        processes: usize,
        workers: usize,
        traits: Vec<(String, String)>,
    ) -> Self {
        Hello {
            mark: MARK.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            process,
            processes,
            workers,
            traits,
            live: false,
            link: Kind::Words,
        }
    }

    /// The same of a live run.
    #[must_use]
    pub fn of_live_run(self) -> Self {
        Hello { live: true, ..self }
    }

    /// Whether a process has such a link to another.
    pub(super) fn has(&self, link: Kind, other: usize) -> bool {
        match link {
            Kind::Data | Kind::Words => true,
            Kind::Inbox => self.live && (self.process == 0) != (other == 0),
        }
    }

    /// The same on another link.
    pub(super) fn on(&self, link: Kind) -> Self {
        Hello {
            link,
            ..self.clone()
        }
    }

    /// Why a process that says this cannot be of the same cluster; `None`: it can.
    pub(super) fn refuses(&self, other: &Hello) -> Option<String> {
        if other.version != self.version {
            let (other, own) = (&other.version, &self.version);
            return Some(format!("Hearth is {other} there and {own} here"));
        }
        if other.live != self.live {
            let command = |hello: &Hello| if hello.live { "run" } else { "replay" };
            let (other, own) = (command(other), command(self));
            return Some(format!("it is hearth {other} there and hearth {own} here"));
        }
        if !self.has(other.link, other.process) {
            return Some("a link is for what is not shared".to_owned());
        }
        if other.processes != self.processes || other.process >= self.processes {
            let (other, own) = (other.processes, self.processes);
            return Some(format!("the hosts are {other} there and {own} here"));
        }
        if other.process == self.process {
            return Some(format!("both are process {}", self.process));
        }
        let mut differ: Vec<&str> = Vec::new();
        if other.workers != self.workers {
            differ.push("--workers");
        }
        let here = |of: &(String, String)| !self.traits.contains(of);
        let there = |of: &(String, String)| !other.traits.iter().any(|(name, _)| *name == of.0);
        let changed = other.traits.iter().filter(|of| here(of));
        let missing = self.traits.iter().filter(|of| there(of));
        differ.extend(changed.chain(missing).map(|(name, _)| name.as_str()));
        let what = differ.join(", ");
        (!differ.is_empty()).then(|| format!("they are given other values of {what}"))
    }
}

/// Says something on a new link.
pub(super) fn say<T: Serialize>(mut socket: &TcpStream, what: &T) -> io::Result<()> {
    let mut line = serde_json::to_vec(what)?;
    line.push(b'\n');
    socket.write_all(&line)
}

/// Hears what is said on a new link, and takes no byte that follows; `None`: it is nothing of ours.
pub(super) fn hear<T: for<'de> Deserialize<'de>>(socket: impl Read) -> io::Result<Option<T>> {
    let mut line = Vec::new();
    // A byte at a time, so that what follows stays in the socket.
    let mut one = BufReader::with_capacity(1, socket.take(LONGEST));
    one.read_until(b'\n', &mut line)?;
    Ok(serde_json::from_slice(&line).ok())
}

impl Hello {
    /// Whether it is one.
    pub(super) fn is_ours(&self) -> bool {
        self.mark == MARK
    }
}
