//! What ends a command before it did anything.

/// The command was called in a way that cannot work; nothing was done. The program ends with code 2.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct UsageError(pub String);
