//! A ledger's journal: JSON Lines, one for each reservation and its end.
//!
//! ```text
//! {"op":"open","version":1,"at":"2026-03-01T09:30:00Z"}
//! {"op":"reserve","id":0,"home":"h-3","ceiling":{"input":9120,"output":4096},"money":"0.003825"}
//! {"op":"settle","id":0,"usage":{"input":2801,"output":911},"money":"0.00096675"}
//! {"op":"reserve","id":1,"home":"h-3","ceiling":{"input":9120,"output":4096},"money":"0.003825"}
//! {"op":"release","id":1}
//! ```
//!
//! A reservation that has no end when the next `open` comes, or the file ends, stays spent. So a line may be lost from the end
//! of the file at any time and the journal says too much, never too little; only a reservation must not be lost, which is
//! why it is on the disk before its call goes out.

use std::fs::TryLockError;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::super::Usage;
use super::accounts::{Accounts, Open};
use crate::config::Money;
use crate::disk::{Disk, File, Open as To};

const VERSION: u32 = 1;
/// No line is longer: most of one is a home's name.
const LONGEST: u64 = 1 << 20;

/// Why a journal cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The file cannot be made, read or written.
    #[error("cannot use the journal of spending `{}`: {error}", path.display())]
    Io {
        /// The journal.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// Two runs on one budget would each spend what is left.
    #[error("the journal of spending `{}` is in use by another run: wait for its end, or name another journal", .0.display())]
    InUse(PathBuf),
    /// The file says something that no ledger wrote.
    #[error(
        "{}:{line}: not a line of a journal of spending ({why}). What was spent cannot be told from it: repair the line, or \
         name another journal", path.display()
    )]
    Garbage {
        /// The journal.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// What is wrong with it.
        why: String,
    },
}

/// A line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub(super) enum Line {
    /// A run begins: who spent before is dead.
    Open { version: u32, at: String },
    /// Money is set aside.
    Reserve {
        id: u64,
        home: String,
        ceiling: Usage,
        money: Money,
    },
    /// An attempt was answered. No usage: the server did not tell.
    Settle {
        id: u64,
        usage: Option<Usage>,
        money: Money,
    },
    /// An attempt cost nothing.
    Release { id: u64 },
}

/// What an existing journal tells of runs that did not end well.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Attempts of unknown end, spent in full.
    pub unaccounted: Vec<Open>,
    /// Whether the last line was written in part only, and was cut off. It spoke of no call that went out.
    pub torn: bool,
}

/// The file, locked for as long as this lives.
pub(super) struct Journal {
    path: PathBuf,
    /// To be synced where nobody waits for the ledger meanwhile.
    pub file: Arc<File>,
}

impl Journal {
    /// Opens or makes the file, and enters what it holds into the accounts.
    pub fn open(
        disk: &Disk,
        path: &Path,
        accounts: &mut Accounts,
    ) -> Result<(Self, Found), JournalError> {
        let io = |error| JournalError::Io {
            path: path.to_owned(),
            error,
        };
        let file = disk.open(path, To::Append).map_err(io)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(JournalError::InUse(path.to_owned())),
            Err(TryLockError::Error(error)) => return Err(io(error)),
        }
        let found = read(&file, path, accounts)?;
        let mut journal = Journal {
            path: path.to_owned(),
            file: Arc::new(file),
        };
        journal.write(&Line::Open {
            version: VERSION,
            at: jiff::Timestamp::now().to_string(),
        })?;
        journal.file.sync().map_err(io)?;
        // A file that is new is there after a crash only if its folder is synced too.
        let folder = path.parent().unwrap_or(Path::new(""));
        disk.sync_folder(folder).map_err(io)?;
        Ok((journal, found))
    }

    /// Appends a line. It is safe from the end of this process; from that of the machine, once the file is synced.
    pub fn write(&mut self, line: &Line) -> Result<(), JournalError> {
        let mut text = serde_json::to_vec(line).map_err(|error| self.error(error.into()))?;
        text.push(b'\n');
        if text.len() as u64 > LONGEST {
            return Err(self.error(io::Error::other("a home's name is too long")));
        }
        (&*self.file)
            .write_all(&text)
            .map_err(|error| self.error(error))
    }

    pub fn error(&self, error: io::Error) -> JournalError {
        JournalError::Io {
            path: self.path.clone(),
            error,
        }
    }
}

/// Enters a journal's lines into the accounts, and cuts off a torn last one.
fn read(file: &File, path: &Path, accounts: &mut Accounts) -> Result<Found, JournalError> {
    let mut found = Found::default();
    let mut lines = BufReader::new(file);
    let (mut number, mut whole) = (0, 0);
    let mut text = Vec::new();
    loop {
        text.clear();
        number += 1;
        let garbage = |why| JournalError::Garbage {
            path: path.to_owned(),
            line: number,
            why,
        };
        let io = |error| JournalError::Io {
            path: path.to_owned(),
            error,
        };
        let mut line = lines.by_ref().take(LONGEST);
        let length = line.read_until(b'\n', &mut text).map_err(io)? as u64;
        if length == 0 {
            break;
        }
        if length == LONGEST {
            return Err(garbage("it is too long".to_owned()));
        }
        // A power failure may leave later lines without earlier ones, and zeros between; what was synced has none before it.
        if text.last() != Some(&b'\n') || number > 1 && text.contains(&0) {
            // Cutting is for our own lines: a first one must at least begin as they do.
            let begin = b"{\"op\":\"open\"";
            if number == 1 && !text.iter().zip(begin).all(|(a, b)| a == b) {
                return Err(garbage("it does not begin as a journal does".to_owned()));
            }
            found.torn = true;
            file.set_length(whole).map_err(io)?;
            break;
        }
        let line = serde_json::from_slice(&text).map_err(|error| garbage(error.to_string()))?;
        if number == 1 && !matches!(line, Line::Open { .. }) {
            return Err(garbage("it does not begin as a journal does".to_owned()));
        }
        found
            .unaccounted
            .extend(enter(line, accounts).map_err(garbage)?);
        whole += length;
    }
    found.unaccounted.extend(accounts.lose_all());
    Ok(found)
}

/// Enters a line; gives the attempts that it makes unaccounted.
fn enter(line: Line, accounts: &mut Accounts) -> Result<Vec<Open>, String> {
    match line {
        Line::Open { version, .. } if version != VERSION => Err(format!(
            "version {version} of the journal; this Hearth knows version {VERSION}"
        )),
        Line::Open { .. } => Ok(accounts.lose_all()),
        Line::Reserve {
            id,
            home,
            ceiling,
            money,
        } => {
            let open = Open {
                home,
                ceiling,
                money,
            };
            accounts.reserve(id, open).map(|()| Vec::new())
        }
        Line::Settle { id, usage, money } => accounts.settle(id, usage, money).map(|()| Vec::new()),
        Line::Release { id } => accounts.release(id).map(|()| Vec::new()),
    }
}
