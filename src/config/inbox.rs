//! How much of a live run's inbox is kept.

use std::fmt;
use std::str::FromStr;

use clap::Args;

use super::Size;

/// How much of an inbox is kept once no checkpoint needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InboxKeep {
    /// All of it.
    All,
    /// So much at least, the newest.
    Newest(Size),
}

impl FromStr for InboxKeep {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.trim() {
            "all" => Ok(InboxKeep::All),
            size => match size.parse() {
                Ok(size) => Ok(InboxKeep::Newest(size)),
                Err(reason) => Err(format!("{reason}; or all")),
            },
        }
    }
}

impl fmt::Display for InboxKeep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            InboxKeep::All => f.write_str("all"),
            InboxKeep::Newest(size) => size.fmt(f),
        }
    }
}

/// The inbox of a live run.
#[derive(Args, Clone, Debug)]
pub struct InboxOptions {
    /// How much of the inbox stays once no checkpoint needs it: the newest so many bytes, and up to an eighth more; what is older
    /// goes, and can be replayed no more. all: nothing goes
    #[arg(
        long,
        env = "HEARTH_INBOX_KEEP",
        value_name = "SIZE|all",
        default_value = "1GiB"
    )]
    pub inbox_keep: InboxKeep,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_a_size_or_all() {
        for text in ["all", "1GiB", "64KiB"] {
            assert_eq!(text.parse::<InboxKeep>().unwrap().to_string(), text);
        }
        let reason = "30d".parse::<InboxKeep>().unwrap_err();
        assert!(reason.ends_with("or all"), "{reason}");
    }
}
