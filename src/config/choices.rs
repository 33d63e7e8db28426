//! Options whose values are words: each a choice between a few.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// Which closing actions the split leaves in the current segment (its semantic checker).
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Checker {
    /// A closing action whose still-open counterpart, of the same device, lies in the segment
    Paired,
    /// Any closing action
    Closing,
    /// None
    Off,
}

/// What is done about shifts that nobody declared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnDrift {
    /// Nobody looks for them
    Ignore,
    /// They are written to `drifts`, with what differs
    Note,
    /// The same, and each ends its home's regime as one that is declared does
    Adapt,
}

/// When what happens is scored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scores {
    /// Once its segment can only change by what comes late: the same in every replay
    Aligned,
    /// At once, by what is known then, and again once its segment can only change by what comes late
    Eager,
}

/// Who answers synthesis requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Synthesizer {
    /// The one inside: no network, no key, deterministic by seed
    Embedded,
    /// A language model behind an OpenAI-compatible server, given with --llm-url and --llm-model
    Openai,
    /// Recorded answers alone: no connection is made
    Cassette,
    /// A model file, given with --llm-gguf, run inside Hearth
    Gguf,
    /// What a model file, given with --llm-gguf, holds likelier in the new context than in the old; it is asked for no answer
    Contrast,
    /// The one inside, weighed by what --llm-gguf holds likelier; where the one inside cannot read a context, as contrast
    Blend,
    /// Nobody: the replay stops at the requests
    None,
}

/// What a language model is asked to write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Writes {
    /// Sequences for the new context, asked for once a weekday of a shift: as in the paper
    #[default]
    Sequences,
    /// A few edits of the home's whole past, asked for once a shift
    Edits,
}

/// The forms of an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// By schema where the server knows it, else as in the paper
    #[default]
    Auto,
    /// By schema (`response_format` of type `json_schema`)
    Schema,
    /// As in the paper, in words alone: <seq [[…]] seq>
    Paper,
}

/// Which names a language model is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Naming {
    /// Those made of public words (rooms, kinds of devices, what they do); numbered ones stand for the others
    #[default]
    Public,
    /// Those of the catalog as they are; choose it where no person named the devices
    Catalog,
}

/// What a cassette is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum CassetteMode {
    /// Ask for everything anew, and keep it
    Record,
    /// Ask for nothing: what is not recorded fails
    Replay,
    /// Ask for what is not recorded, and keep it
    Auto,
}

/// What a run says of itself, by its weight.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogLevel {
    /// What ends it
    Error,
    /// What somebody should look after
    Warn,
    /// How it goes
    #[default]
    Info,
    /// More than that, with the names of homes
    Debug,
}

/// What a run says of itself, as what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// Sentences
    #[default]
    Text,
    /// An object a line
    Json,
}

/// Whether the files of an output folder are packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Packing {
    /// Those that grow beyond 512 MiB, by zstd: `.jsonl.zst`, to be read by zstdcat
    Auto,
    /// None: JSON Lines
    None,
    /// All, by zstd
    Zstd,
}
