//! The configuration: one struct whose fields are flags, environment variables and keys of `hearth.toml` at once.
//!
//! Each option is declared in one place, a field of [`Config`]: its doc comment, flag, variable, default and check.
//! A [`File`]'s values are handed to the command line as the flags' defaults, so the precedence
//! flag > environment > file > default, the parsing and the refusals are clap's for all three; [`describe`] prints
//! what came of it.

mod ask;
mod budget;
mod checkpoints;
mod choices;
mod describe;
mod error;
mod file;
#[cfg(test)]
mod fuzz;
mod home_assistant;
mod inbox;
mod interval;
mod kafka;
mod keys;
mod llm;
mod money;
mod mqtt;
mod parquet;
mod roll;
mod shown;
mod size;
mod span;
mod streams;
mod webhook;

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::builder::Resettable;
use clap::{Args, FromArgMatches};
use jiff::tz::TimeZone;

use shown::shown;

pub use crate::models::Preset;
pub use ask::AskAfter;
pub use budget::AlarmBudget;
pub use checkpoints::Checkpointing;
pub use choices::{
    CassetteMode, Checker, Format, LogFormat, LogLevel, Naming, OnDrift, Packing, Scores,
    Synthesizer, Writes,
};
pub use describe::describe;
pub use error::UsageError;
pub(crate) use error::refuse_alone;
pub use file::{File, check_environment, unknown_variables};
pub use home_assistant::{ContextEntities, ContextKind, HomeAssistantOptions, Hub};
pub use inbox::{InboxKeep, InboxOptions};
pub use interval::Interval;
pub use kafka::{Cluster, KafkaFrom, KafkaOptions, Sasl, TopicUrl, Topics};
pub use keys::{Key, Keys};
pub use llm::LlmConfig;
pub use money::{Money, Price};
pub use mqtt::{Broker, Level, MqttOptions, Place, Route, Routes, Shape};
pub use parquet::ParquetOptions;
pub use roll::Roll;
pub(crate) use shown::discreet;
pub use size::Size;
pub use span::Span;
pub use streams::StreamNames;
pub use webhook::{WebhookOptions, WebhookUrl};

/// Every option of a replay that has a default.
#[derive(Args, Clone, Debug)]
pub struct Config {
    /// Worker threads of the dataflow, and where there are several, as many that read logs of text; outputs do not depend on their number
    #[arg(
        long,
        env = "HEARTH_WORKERS",
        value_name = "NUMBER",
        default_value = "1",
        value_parser = workers
    )]
    pub workers: NonZeroUsize,

    /// Event time by which an event may come late and still be sorted in; what comes later goes to `late`
    #[arg(
        long,
        env = "HEARTH_LATENESS",
        value_name = "DURATION",
        default_value = "24h"
    )]
    pub lateness: Span,

    /// What a home did longer ago than this is forgotten, as if it were erased, an eighth of it at a time; none: for ever
    #[arg(long, env = "HEARTH_KEEP", value_name = "DURATION")]
    pub keep: Option<Span>,

    /// A longer pause than this starts a new segment (Δt_max)
    #[arg(
        long,
        env = "HEARTH_MAX_GAP",
        value_name = "DURATION",
        default_value = "9h"
    )]
    pub max_gap: Span,

    /// An event further than this after its segment's start begins a new one (T_max)
    #[arg(
        long,
        env = "HEARTH_MAX_SPAN",
        value_name = "DURATION",
        default_value = "24h"
    )]
    pub max_span: Span,

    /// An event further ahead of its home's newest than --lateness waits for a second one to follow within this; further ahead than
    /// this, it is rejected if none does
    #[arg(
        long,
        env = "HEARTH_MAX_JUMP",
        value_name = "DURATION",
        default_value = "30d"
    )]
    pub max_jump: Span,

    /// Which closing actions stay in the current segment whatever the clock says
    #[arg(long, env = "HEARTH_CHECKER", default_value = "paired")]
    pub checker: Checker,

    /// Zone of the homes (IANA name, such as Europe/Berlin): every instant is local time there, whatever offset it carries.
    /// Without it the carried offset counts, UTC where there is none
    #[arg(long, env = "HEARTH_TIMEZONE", value_name = "NAME", value_parser = zone)]
    pub timezone: Option<TimeZone>,

    /// What the fields of an event are called in the logs, where not home, time, device, action, id: home=home_id,time=ts. A log
    /// without a column of homes has home= (each file is a home, named like it)
    #[arg(
        long,
        env = "HEARTH_COLUMNS",
        value_name = "FIELD=COLUMN,...",
        default_value = ""
    )]
    pub columns: Keys,

    /// Events that are ingested as one epoch: outputs change at most once an epoch
    #[arg(
        long,
        env = "HEARTH_EPOCH_EVENTS",
        value_name = "NUMBER",
        default_value = "1000"
    )]
    pub epoch_events: NonZeroUsize,

    /// An epoch closes at the latest so long after its first event came, by the clock: `auto` is 1s where the log is standard
    /// input or a pipe, and off for files, whose epochs then do not depend on how quickly they are read
    #[arg(
        long,
        env = "HEARTH_EPOCH_INTERVAL",
        value_name = "DURATION",
        default_value = "auto"
    )]
    pub epoch_interval: Interval,

    /// Successors of each action that a request's hints name
    #[arg(long, env = "HEARTH_TOP_K", value_name = "NUMBER", default_value = "5")]
    pub top_k: NonZeroUsize,

    /// Cosine similarity above which a segment is represented by an earlier one (α, between 0 and 1)
    #[arg(long, env = "HEARTH_SIMILARITY", value_name = "ALPHA", default_value = "0.9", value_parser = similarity)]
    pub similarity: f32,

    /// Representatives that a weekday of a home's regime may have (up to 30 make one request): α follows from it, not from
    /// --similarity
    #[arg(long, env = "HEARTH_REPRESENTATIVES", value_name = "NUMBER")]
    pub representatives: Option<NonZeroUsize>,

    /// Behaviours (in distinct segments) that are waited for before the models that all homes start from are trained
    #[arg(
        long,
        env = "HEARTH_WARM_UP",
        value_name = "NUMBER",
        default_value = "2000"
    )]
    pub warm_up: NonZeroUsize,

    /// Event time that these must span, so that each weekday and hour is known
    #[arg(
        long,
        env = "HEARTH_WARM_UP_SPAN",
        value_name = "DURATION",
        default_value = "7d"
    )]
    pub warm_up_span: Span,

    /// Who answers the synthesis requests
    #[arg(long, env = "HEARTH_SYNTHESIZER", default_value = "embedded")]
    pub synthesizer: Synthesizer,

    /// A knowledge table for the embedded synthesizer, beside the built-in one
    #[arg(long, env = "HEARTH_KNOWLEDGE", value_name = "FILE")]
    pub knowledge: Option<PathBuf>,

    /// Sizes of the models
    #[arg(long, env = "HEARTH_PRESET", default_value = "small")]
    pub preset: Preset,

    /// Seed of everything random: same log, configuration and seed give the same outputs
    #[arg(
        long,
        env = "HEARTH_SEED",
        value_name = "NUMBER",
        default_value = "2024"
    )]
    pub seed: u64,

    /// Threads that train models beside the dataflow; by default one a core. Outputs do not depend on their number
    #[arg(long, env = "HEARTH_THREADS", value_name = "NUMBER", default_value_t = cores())]
    pub threads: NonZeroUsize,

    /// How many alarms a person wants to see of a home, in how much event time
    #[arg(
        long,
        env = "HEARTH_ALARM_BUDGET",
        value_name = "ALARMS/DURATION",
        default_value = "1/30d"
    )]
    pub alarm_budget: AlarmBudget,

    /// When behaviours are scored and alarms raised (preset `small`)
    #[arg(long, env = "HEARTH_SCORES", default_value = "aligned")]
    pub scores: Scores,

    /// Memory of homes' models above which those that were asked for longest ago are packed until they are asked again.
    /// Outputs do not depend on it
    #[arg(
        long,
        env = "HEARTH_MODEL_MEMORY",
        value_name = "SIZE",
        default_value = "1GiB"
    )]
    pub model_memory: Size,

    /// What is done about shifts that nobody declared
    #[arg(long, env = "HEARTH_ON_DRIFT", default_value = "note")]
    pub on_drift: OnDrift,

    /// When it is asked what a declared shift brings: `final`, once nothing that comes late can change what lies before it (--lateness
    /// and up to --max-span), or once the home's newest event is so far behind it, of what is known by then. With --on-drift adapt it is always the first
    #[arg(
        long,
        env = "HEARTH_ASK_AFTER",
        value_name = "DURATION|final",
        default_value = "final"
    )]
    pub ask_after: AskAfter,

    /// Segments after a shift on which a home's new models and the ones before are compared; the better ones stay
    #[arg(
        long,
        env = "HEARTH_TRIAL",
        value_name = "SEGMENTS",
        default_value = "7"
    )]
    pub trial: NonZeroUsize,

    /// How often a run keeps what it goes on from when it was killed or stopped: the same command then goes on
    /// there. Keeping takes a twentieth of the time at most; off: never
    #[arg(
        long,
        env = "HEARTH_CHECKPOINT_EVERY",
        value_name = "DURATION",
        default_value = "10s"
    )]
    pub checkpoint_every: Checkpointing,

    /// Memory of the whole process above which no more is read until there is less; a run that then waits for nothing ends, and
    /// the same command with more goes on with it; none: as much as the system gives
    #[arg(long, env = "HEARTH_MAX_MEMORY", value_name = "SIZE")]
    pub max_memory: Option<Size>,

    /// Where it keeps that, one run at a time: a folder, or s3://bucket/prefix, which the variables AWS_ACCESS_KEY_ID,
    /// AWS_SECRET_ACCESS_KEY, AWS_REGION and, for others than Amazon, AWS_ENDPOINT say how to reach; none: `state` in the output folder
    #[arg(long, env = "HEARTH_STATE", value_name = "DIR|URL")]
    pub state: Option<String>,

    /// Which files of the output folder are packed
    #[arg(long, env = "HEARTH_OUTPUT_PACKING", default_value = "auto")]
    pub output_packing: Packing,

    /// How long a file of the output folder grows: up to a size, or to the end of an hour, day or the like (in UTC), whichever is first. At the
    /// next checkpoint it gets its other name, `scores-<first byte>-<last byte>.jsonl`, and is yours to move away once three more are taken;
    /// none: each stream is one file
    #[arg(long, env = "HEARTH_OUTPUT_ROLL", value_name = "SIZE,SPAN")]
    pub output_roll: Option<Roll>,

    /// How much is said on standard error while it runs
    #[arg(long, env = "HEARTH_LOG_LEVEL", default_value = "info")]
    pub log_level: LogLevel,

    /// As what: text for people, or JSON a line, with time and level
    #[arg(long, env = "HEARTH_LOG_FORMAT", default_value = "text")]
    pub log_format: LogFormat,

    /// Fail at the first rejected line, instead of writing it to `rejected`
    #[arg(
        long,
        env = "HEARTH_STRICT",
        value_name = "BOOL",
        default_value = "false",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true",
        action = clap::ArgAction::Set,
        value_parser = clap::builder::BoolishValueParser::new(),
    )]
    pub strict: bool,

    /// Language models.
    #[command(flatten, next_help_heading = "Language models")]
    pub llm: LlmConfig,
}

impl Default for Config {
    /// What holds without flags, environment and file.
    fn default() -> Self {
        let command = options();
        let matches = command.get_matches_from(["hearth"]);
        Config::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
    }
}

pub(crate) fn zone(name: &str) -> Result<TimeZone, String> {
    TimeZone::get(name)
        .map_err(|_| format!("`{name}` is no time zone; write an IANA name like Europe/Berlin"))
}

/// More threads than any machine of this kind has cores.
const MOST_WORKERS: usize = 512;

pub(crate) fn workers(text: &str) -> Result<NonZeroUsize, String> {
    let number = text.parse::<NonZeroUsize>();
    let number = number.map_err(|_| format!("`{text}` is no number above zero"))?;
    match number.get() <= MOST_WORKERS {
        true => Ok(number),
        false => Err(format!(
            "`{text}` workers are more than {MOST_WORKERS}; one a core is most that helps"
        )),
    }
}

fn similarity(text: &str) -> Result<f32, String> {
    match text.parse::<f32>() {
        Ok(alpha) if alpha > 0.0 && alpha < 1.0 => Ok(alpha),
        _ => Err(format!(
            "`{text}` is no number between 0 and 1, both excluded"
        )),
    }
}

fn cores() -> NonZeroUsize {
    std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
}

/// The options alone.
fn all_options() -> clap::Command {
    let replay = Config::augment_args(clap::Command::new("hearth"));
    let hub = HomeAssistantOptions::augment_args(replay);
    let mqtt = MqttOptions::augment_args(hub);
    let webhook = WebhookOptions::augment_args(KafkaOptions::augment_args(mqtt));
    InboxOptions::augment_args(ParquetOptions::augment_args(webhook))
}

/// The options alone, as a command that looks at no environment.
fn options() -> clap::Command {
    all_options().mut_args(|option| option.env(Resettable::Reset))
}

/// Some of the options that a command line gives.
#[cfg(test)]
pub(crate) fn options_of<T: FromArgMatches>(arguments: &[&str]) -> T {
    let matches = options().get_matches_from([&["hearth"], arguments].concat());
    T::from_arg_matches(&matches).unwrap()
}

/// What is wrong with `value` as the value of option `key`, as one sentence without a full stop.
fn check(key: &str, value: &str) -> Result<(), String> {
    let flag = format!("--{}={value}", key.replace('_', "-"));
    let Err(error) = options().try_get_matches_from(["hearth", &flag]) else {
        return Ok(());
    };
    use clap::error::{ContextKind, ContextValue};
    if let Some(reason) = std::error::Error::source(&error) {
        let reason = reason.to_string();
        return Err(if reason.contains('`') {
            reason
        } else {
            format!("`{}`: {reason}", shown(value))
        });
    }
    Err(match error.get(ContextKind::ValidValue) {
        Some(ContextValue::Strings(words)) if !words.is_empty() => {
            format!("`{}` is none of {}", shown(value), words.join(", "))
        }
        _ => format!("`{}` is no value of it", shown(value)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use hearth_operators::words::Time;

    #[test]
    fn defaults_are_those_of_the_design() {
        let config = Config::default();
        assert_eq!(config.workers.get(), 1);
        assert_eq!(config.lateness.micros(), 24 * Time::HOUR);
        assert_eq!(config.max_gap.micros(), 9 * Time::HOUR);
        assert_eq!(config.max_jump.micros(), 30 * Time::DAY);
        assert_eq!(config.checker, Checker::Paired);
        assert_eq!(config.scores, Scores::Aligned);
        assert_eq!(config.epoch_events.get(), 1_000);
        assert_eq!(config.max_span.micros(), 24 * Time::HOUR);
        assert_eq!(config.top_k.get(), 5);
        assert_eq!(config.similarity, 0.9);
        assert_eq!(config.knowledge, None);
        assert!(!config.strict);
    }

    #[test]
    fn senseless_values_are_refused_with_a_reason() {
        for (key, value, word) in [
            ("max_gap", "0s", "above zero"),
            ("max_gap", "-9h", "no duration"),
            ("max_gap", "5ns", "above zero"),
            ("max_gap", "900years", "too long"),
            ("max_gap", "99999999999999999999h", "no duration"),
            ("similarity", "1", "between 0 and 1"),
            ("similarity", "0", "between 0 and 1"),
            ("similarity", "NaN", "between 0 and 1"),
            ("representatives", "0", "`0`"),
            ("workers", "0", "`0`"),
            ("workers", "many", "`many`"),
            ("checker", "strict", "paired, closing, off"),
            ("timezone", "Mars/Olympus", "IANA"),
            ("strict", "perhaps", "`perhaps`"),
        ] {
            let reason = check(key, value).unwrap_err();
            assert!(reason.contains(word), "{key} = {value}: {reason}");
        }
        assert_eq!(check("max_gap", "1day 30m"), Ok(()));
        assert_eq!(check("strict", "yes"), Ok(()));
    }
}
