//! What `hearth replay` takes.

use std::path::PathBuf;

use clap::Args;

use crate::config::{Config, UsageError};

/// Run behaviour logs through the dataflow: from events to adapted models
///
/// Reads one or more event logs as one, in the order given, and writes one JSON Lines file a stream into the output
/// folder: segments, transitions, representatives, requests, verdicts, adaptations, scores, late, rejected; and
/// summary.json. The same logs, configuration and seed give the same lines, for any number of workers.
///
/// An event is {"home":"h-17","time":"2022-08-04T18:30:00+02:00","device":"Light","action":"switch on"} on a line of
/// its own, optionally with an "id"; or CSV with that header; or Parquet with those columns.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Examples:
  hearth replay events.jsonl --out out
  hearth replay 2022.csv.gz 2023.csv.gz --catalog catalog.json --contexts contexts.jsonl --out out --workers 4
  zcat events.jsonl.gz | hearth replay - --out out --lateness 2h
  HEARTH_SYNTHESIZER=none hearth replay events.jsonl --out out
  hearth replay events.jsonl --out out --synthesizer openai --llm-url http://127.0.0.1:8080/v1 --llm-model smollm2
  hearth replay events.jsonl --out out --synthesizer openai --llm-model gpt-4o --llm-price-input 2.50 \
      --llm-price-output 10 --llm-budget 5 --dry-run
  hearth replay events.jsonl --out out --synthesizer openai --llm-url http://127.0.0.1:8080/v1 --llm-model qwen3 \
      --llm-writes edits

Durations are written like 90s, 10m, 9h, 2days or 1day 12h. Every option of the Configuration is also a key of
hearth.toml and an environment variable; a flag precedes the environment, that precedes the file.")]
pub struct ReplayArgs {
    /// Event logs: JSON Lines or CSV, plain, .gz or .zst; packed (.hlog); Parquet; folders of these; - is the standard input
    #[arg(required = true, value_name = "LOG")]
    pub logs: Vec<PathBuf>,

    /// Declared changes of context, JSON Lines: {"home","time","kind","from","to"}, home "*" for all; none: no shift
    #[arg(long, value_name = "FILE")]
    pub contexts: Option<PathBuf>,

    /// What was said of alarms, JSON Lines: {"home","alarm","fine":true}; counts behind the log. Such lines may also stand in a log
    #[arg(long, value_name = "FILE")]
    pub feedback: Option<PathBuf>,

    /// What is to be forgotten, JSON Lines: {"home","erase":{"from","to","device"}}; counts behind the log. Such lines may also
    /// stand in a log
    #[arg(long, value_name = "FILE")]
    pub erasures: Option<PathBuf>,

    /// Devices and their actions, JSON; none: inferred from the logs
    #[arg(long, value_name = "FILE")]
    pub catalog: Option<PathBuf>,

    /// What differs between homes, JSON Lines: {"home","timezone","cohort","catalog"}, all but home optional
    #[arg(long, value_name = "FILE")]
    pub homes: Option<PathBuf>,

    /// Output folder; created where needed. One that holds an earlier output is overwritten, any other that is not
    /// empty is refused
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,

    /// Begin anew, where an earlier run was stopped that could be gone on with
    #[arg(long)]
    pub fresh: bool,

    /// At the end, leave only what stands of collections, and no line of erased events in any file
    #[arg(long)]
    pub compact: bool,

    /// Ask no language model: run up to the requests, and say how many there are, of how many tokens, and what they would cost
    #[arg(long)]
    pub dry_run: bool,

    /// As --dry-run, and print each call that would leave the house, byte for byte
    #[arg(long)]
    pub explain: bool,

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
}

/// Which process of a cluster a run is.
#[derive(Args, Clone, Debug, Default)]
pub struct ClusterArgs {
    /// Share the run with other processes, here or on other machines: a file with a line host:port for each of them. Each is
    /// given the same command but for --process and --out (of a live run, also --listen and its sources); hearth merge makes their
    /// outputs one
    #[arg(long, value_name = "FILE", requires = "process")]
    pub hosts: Option<PathBuf>,

    /// Which line of --hosts this process is, from 0
    #[arg(long, value_name = "NUMBER", requires = "hosts")]
    pub process: Option<usize>,
}

impl ReplayArgs {
    /// Whether every file that is named can be opened, so that nothing is begun in vain.
    ///
    /// # Errors
    /// The first that cannot.
    pub fn check(&self) -> Result<(), UsageError> {
        let logs = self.logs.iter().map(|log| ("log", log));
        let contexts = self.contexts.iter().map(|file| ("contexts", file));
        let feedback = self.feedback.iter().map(|file| ("feedback", file));
        let erasures = self.erasures.iter().map(|file| ("erasures", file));
        let catalog = self.catalog.iter().map(|file| ("catalog", file));
        let knowledge = self.config.knowledge.iter().map(|file| ("knowledge", file));
        let gguf = self
            .config
            .llm
            .llm_gguf
            .iter()
            .map(|file| ("model file", file));
        let told = feedback.chain(erasures);
        let files = logs.chain(contexts).chain(told).chain(catalog);
        let files = files.chain(knowledge);
        for (what, path) in files.chain(gguf) {
            if what == "log" && path.as_os_str() == "-" {
                continue;
            }
            // A pipe can be opened once: whoever writes into it would see it closed.
            let opened = std::fs::metadata(path).and_then(|data| match data.is_file() {
                true => std::fs::File::open(path).map(|_| data),
                false => Ok(data),
            });
            let problem = match opened {
                Ok(data) if data.is_dir() && what != "log" => "it is a folder".to_owned(),
                Ok(_) => continue,
                Err(error) => error.to_string(),
            };
            return Err(UsageError(format!(
                "cannot read the {what} {}: {problem}",
                path.display()
            )));
        }
        Ok(())
    }
}
