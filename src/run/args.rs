//! What `hearth run` takes.

use std::path::PathBuf;

use clap::{Args, Command};

use crate::config::{
    Checkpointing, Config, HomeAssistantOptions, InboxOptions, KafkaOptions, MqttOptions,
    ParquetOptions, UsageError, WebhookOptions,
};
use crate::outputs::inbox_path;
use crate::replay::{ClusterArgs, ReplayArgs};
use crate::serve::ServeArgs;

/// Run the dataflow on what comes in, until Ctrl-C
///
/// Whatever comes in is a line of inbox.jsonl in the output folder, on the disk, before its sender is told that it came; the
/// dataflow reads that log while it grows, and writes the files that `hearth replay` writes, each line as soon as its epoch
/// closes. Killed at any moment, the same command goes on; the outputs are those of a replay of the inbox. Where
/// that is long it lies in inbox-*.jsonl and inbox.jsonl, and what no checkpoint needs any more is dropped (--inbox-keep).
///
/// Without --catalog a device, an action or a home that was never met is learnt within about a second, and nothing is rejected for
/// being new.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Examples:
  hearth run --demo
  hearth run /var/log/home/events.jsonl --out live
  hearth run incoming/ --out live --homes homes.jsonl
  hearth run --out live --catalog catalog.json --epoch-interval 5ms
  hearth run --out live --mqtt mqtt://localhost --mqtt-in zigbee2mqtt:zigbee2mqtt --timezone Europe/Berlin
  hearth run --out live --home-assistant ws://homeassistant.local:8123 --home-assistant-token-file token
  hearth run --out live --kafka-in kafka://localhost:9092/events --kafka-out 'kafka://localhost:9092/hearth.{stream}'
  hearth run --out live --webhook https://example.org/hearth --webhook-secret-file secret
  hearth run --out live --parquet tables --parquet-roll 10m
  hearth run --out live-0 --catalog catalog.json --hosts hosts --process 0
  hearth replay live/inbox*.jsonl --out again

Every option of the Configuration is also a key of hearth.toml and an environment variable; a flag precedes the environment, that
precedes the file.")]
pub struct RunArgs {
    /// Files that are followed: JSON Lines or CSV, appended to, rotated or truncated; or folders into which such files come
    #[arg(value_name = "LOG")]
    pub logs: Vec<PathBuf>,

    /// Show what it does: simulated homes whose days pass in seconds
    #[arg(long)]
    pub demo: bool,

    /// Declared changes of context, as for replay; they may also come in live
    #[arg(long, value_name = "FILE")]
    pub contexts: Option<PathBuf>,

    /// Devices and their actions, JSON: anything else is rejected; none: learnt from what comes
    #[arg(long, value_name = "FILE")]
    pub catalog: Option<PathBuf>,

    /// What differs between homes, JSON Lines: {"home","timezone","cohort","catalog"}, all but home optional
    #[arg(long, value_name = "FILE")]
    pub homes: Option<PathBuf>,

    /// Output folder, with the inbox; created where needed. Of a demo: `hearth-demo`, if nothing else is said
    #[arg(
        long,
        value_name = "DIR",
        required = false,
        required_unless_present = "demo",
        default_value_if("demo", "true", "hearth-demo")
    )]
    pub out: PathBuf,

    /// Other processes that share the run.
    #[command(flatten)]
    pub cluster: ClusterArgs,

    /// Configuration file; none: hearth.toml of the current folder, where there is one
    #[arg(
        long = "config",
        env = "HEARTH_CONFIG",
        value_name = "FILE",
        hide_env_values = true
    )]
    pub file: Option<PathBuf>,

    /// Everything that has a default.
    #[command(flatten, next_help_heading = "Configuration")]
    pub config: Config,

    /// What is kept of what came in.
    #[command(flatten, next_help_heading = "Inbox")]
    pub inbox: InboxOptions,

    /// The page, the API and the measures.
    #[command(flatten, next_help_heading = "HTTP")]
    pub serve: ServeArgs,

    /// What comes and goes by an MQTT broker.
    #[command(flatten, next_help_heading = "MQTT")]
    pub mqtt: MqttOptions,

    /// What comes from Home Assistant's websocket.
    #[command(flatten, next_help_heading = "Home Assistant")]
    pub home_assistant: HomeAssistantOptions,

    /// What comes and goes by Kafka.
    #[command(flatten, next_help_heading = "Kafka")]
    pub kafka: KafkaOptions,

    /// Whom a message is posted to.
    #[command(flatten, next_help_heading = "Webhook")]
    pub webhook: WebhookOptions,

    /// Tables for other programs.
    #[command(flatten, next_help_heading = "Parquet")]
    pub parquet: ParquetOptions,
}

impl RunArgs {
    /// The command with the defaults of a live run.
    pub fn defaults(command: Command) -> Command {
        let command = command.mut_arg("epoch_interval", |option| option.default_value("100ms"));
        command.mut_arg("scores", |option| option.default_value("eager"))
    }

    /// The replay of the inbox that it is.
    ///
    /// # Errors
    /// It would be one that cannot go on.
    pub fn replay(&self) -> Result<ReplayArgs, UsageError> {
        if self.demo && self.cluster.hosts.is_some() {
            return Err(UsageError(
                "a demo has one process: --demo is for a run without --hosts".to_owned(),
            ));
        }
        if self.config.checkpoint_every == Checkpointing::Off {
            return Err(UsageError(
                "a live run keeps what it goes on from: --checkpoint-every cannot be off"
                    .to_owned(),
            ));
        }
        Ok(ReplayArgs {
            logs: vec![inbox_path(&self.out)],
            contexts: self.contexts.clone(),
            feedback: None,
            erasures: None,
            catalog: self.catalog.clone(),
            homes: self.homes.clone(),
            out: self.out.clone(),
            fresh: false,
            compact: false,
            dry_run: false,
            explain: false,
            cluster: self.cluster.clone(),
            file: self.file.clone(),
            config: self.config.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use clap::FromArgMatches;

    use super::*;

    #[test]
    fn a_demo_needs_no_folder() {
        let parse = |arguments: &[&str]| {
            let command = RunArgs::augment_args(Command::new("run"));
            let matches = command.try_get_matches_from([&["run"], arguments].concat())?;
            RunArgs::from_arg_matches(&matches)
        };
        let out = |arguments: &[&str]| parse(arguments).unwrap().out;
        assert_eq!(out(&["--demo"]), PathBuf::from("hearth-demo"));
        assert_eq!(out(&["--demo", "--out", "x"]), PathBuf::from("x"));
        let missing = parse(&[]).unwrap_err().to_string();
        assert!(missing.contains("--out"), "{missing}");
    }
}
