//! Why checkpoints cannot be used.

use std::io;

use crate::codec::Unusable;

/// Why checkpoints cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// Their place cannot be read or written.
    #[error("checkpoint {path}: {source}")]
    File {
        /// Where.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// One of them, or what it rests on, is not sound.
    #[error("checkpoint {path} {why}")]
    Unusable {
        /// Which.
        path: String,
        /// Why.
        why: Unusable,
    },
    /// It is of another run.
    #[error(
        "{path} holds checkpoints of another run: {} differ; run as before to go on with it, or --fresh to begin anew",
        .differences.join(", ")
    )]
    Another {
        /// Where.
        path: String,
        /// In what.
        differences: Vec<String>,
    },
}
