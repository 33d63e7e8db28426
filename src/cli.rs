//! The command line: what each command takes, and how a run ends.
//!
//! Exit codes: 0 fine, 1 failed, 2 called in a way that cannot work (nothing was done).

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{ArgMatches, Args, CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::bench::{self, BenchArgs};
use crate::config::{Config, File, UsageError, check_environment, describe};
use crate::experiment::{self, ExperimentArgs};
use crate::import::{self, ImportArgs};
use crate::pack::{self, PackArgs};
use crate::replay;
use crate::show::{self, ShowArgs};
use crate::simulate::{self, SimulateArgs};
use crate::sinks::SinkError;
use crate::synthesizers::llm::Templates;

/// Hearth keeps the smart-home models of many households fitted while life changes
///
/// Behaviour events flow through a timely dataflow that incrementally maintains each home's segments, behaviour graph
/// and representatives. When a home's context changes (season, schedule, occupancy), Hearth asks a synthesizer for
/// behaviour of the new context, filters what comes back, and adapts that home's anomaly detector and behaviour
/// predictor.
#[derive(Parser, Debug)]
#[command(
    name = "hearth",
    version,
    after_help = "Examples:
  hearth replay datasets/sample/events.jsonl.gz --contexts datasets/sample/contexts.jsonl --out out
  hearth show out
  hearth config --workers 2 > hearth.toml

Exit codes: 0 fine, 1 failed, 2 usage or configuration (nothing was done).
Each command explains itself: hearth replay --help"
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands; each is described where its arguments are, which is also what its help page says.
#[derive(Subcommand, Debug)]
#[allow(
    missing_docs,
    reason = "a comment here would replace the arguments' own on the help page"
)]
pub enum Command {
    Replay(Box<ReplayArgs>),
    Simulate(SimulateArgs),
    Import(ImportArgs),
    Pack(PackArgs),
    Bench(BenchArgs),
    Show(ShowArgs),
    Experiment(ExperimentArgs),
    Config(Box<ConfigArgs>),
    Templates(TemplatesArgs),
}

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
    /// Event logs: JSON Lines or CSV, plain, .gz or .zst; packed (.hlog); Parquet; - is the standard input
    #[arg(required = true, value_name = "LOG")]
    pub logs: Vec<PathBuf>,

    /// Declared changes of context, JSON Lines: {"home","time","kind","from","to"}, home "*" for all; none: no shift
    #[arg(long, value_name = "FILE")]
    pub contexts: Option<PathBuf>,

    /// Devices and their actions, JSON; none: those of each home are inferred from the logs
    #[arg(long, value_name = "FILE")]
    pub catalog: Option<PathBuf>,

    /// What differs between homes, JSON Lines: {"home","timezone","cohort","catalog"}, all but home optional
    #[arg(long, value_name = "FILE")]
    pub homes: Option<PathBuf>,

    /// Output folder; created where needed. One that holds an earlier output is overwritten, any other that is not
    /// empty is refused
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,

    /// Ask no language model: run up to the requests, and say how many there are, of how many tokens, and what they would cost
    #[arg(long)]
    pub dry_run: bool,

    /// As --dry-run, and print each call that would leave the house, byte for byte
    #[arg(long)]
    pub explain: bool,

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

impl ReplayArgs {
    /// Whether every file that is named can be opened, so that nothing is begun in vain.
    ///
    /// # Errors
    /// The first that cannot.
    pub fn check(&self) -> Result<(), UsageError> {
        let logs = self.logs.iter().map(|log| ("log", log));
        let contexts = self.contexts.iter().map(|file| ("contexts", file));
        let catalog = self.catalog.iter().map(|file| ("catalog", file));
        let knowledge = self.config.knowledge.iter().map(|file| ("knowledge", file));
        let gguf = self
            .config
            .llm
            .llm_gguf
            .iter()
            .map(|file| ("model file", file));
        let homes = self.homes.iter().map(|file| ("homes file", file));
        let files = logs.chain(contexts).chain(catalog).chain(homes);
        let files = files.chain(knowledge);
        for (what, path) in files.chain(gguf) {
            if what == "log" && path.as_os_str() == "-" {
                continue;
            }
            let opened = std::fs::File::open(path).and_then(|file| file.metadata());
            let problem = match opened {
                Ok(data) if data.is_dir() => "it is a folder".to_owned(),
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

/// Print the effective configuration, as a hearth.toml with comments
///
/// Shows each key with its meaning, its default, its value and where the value came from. What is printed reads back
/// to the same configuration, so it is also the way to begin a hearth.toml.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Examples:
  hearth config
  hearth config --max-gap 6h --workers 4 > hearth.toml
  HEARTH_SEED=7 hearth config --config house.toml")]
pub struct ConfigArgs {
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

/// Write the built-in texts of prompts, to be changed and given back
///
/// system.txt and user.txt are the two messages of a request to a language model, templates in Jinja's notation that
/// know the words scene, sequences, count, hints and devices; schema.txt and paper.txt, taken as they are, say how to
/// answer, to a server that takes a JSON schema and to one that does not. Where a model writes edits, edits-system.txt and
/// edits-user.txt are the messages, which know the words scene, habits and successors, and edits-answer.txt says how to
/// answer. A replay reads them with --llm-templates.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Examples:
  hearth templates --out prompts
  hearth replay events.jsonl --out out --synthesizer openai --llm-templates prompts --explain")]
pub struct TemplatesArgs {
    /// Folder to write them into; files that are there already are kept, and refused
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
}

/// Commands that take the configuration.
const CONFIGURED: [&str; 2] = ["replay", "config"];

/// Runs the command that the arguments name (the first is the program's name), and tells the user what went wrong.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let outcome = parse(&arguments).and_then(|(cli, matches, file)| dispatch(cli, &matches, &file));
    let Err(error) = outcome else {
        return ExitCode::SUCCESS;
    };
    if let Some(refusal) = error.downcast_ref::<clap::Error>() {
        // Also the way in which `--help` and `--version` are printed; a closed pipe is no reason to complain.
        let _ = refusal.print();
        return ExitCode::from(u8::try_from(refusal.exit_code()).unwrap_or(2));
    }
    let pipe_closed = |cause: &(dyn std::error::Error + 'static)| {
        cause
            .downcast_ref::<io::Error>()
            .is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
    };
    if error.chain().any(pipe_closed) {
        return ExitCode::SUCCESS;
    }
    let _ = writeln!(io::stderr(), "hearth: {}", sentence(&error));
    ExitCode::from(exit_code(&error))
}

fn dispatch(cli: Cli, matches: &ArgMatches, file: &File) -> anyhow::Result<()> {
    match cli.command {
        Command::Replay(arguments) => {
            arguments.check()?;
            replay::run(&arguments)
        }
        Command::Simulate(arguments) => simulate::run(&arguments),
        Command::Import(arguments) => import::run(&arguments),
        Command::Bench(arguments) => bench::run(&arguments),
        Command::Pack(arguments) => pack::run(&arguments),
        Command::Show(arguments) => show::run(&arguments),
        Command::Experiment(arguments) => experiment::run(&arguments),
        Command::Config(_) => {
            let (_, matches) = matches.subcommand().unwrap_or(("", matches));
            let text = describe(matches, file);
            Ok(io::stdout().write_all(text.as_bytes())?)
        }
        Command::Templates(TemplatesArgs { out }) => Templates::write(&out).map_err(|error| {
            UsageError(format!(
                "cannot write templates into {}: {error}",
                out.display()
            ))
            .into()
        }),
    }
}

/// Reads the arguments twice: first to learn which configuration file is meant, then with its values as defaults.
fn parse(arguments: &[OsString]) -> anyhow::Result<(Cli, ArgMatches, File)> {
    let mut command = command();
    let mut matches = match command.clone().try_get_matches_from(arguments) {
        Ok(matches) => matches,
        Err(error) => {
            if matches!(
                error.kind(),
                ErrorKind::ValueValidation | ErrorKind::InvalidValue
            ) {
                // Clap would name the flag, which the user never wrote.
                check_environment()?;
            }
            return Err(error.into());
        }
    };
    let mut file = File::default();
    if let Some((name, chosen)) = matches.subcommand()
        && CONFIGURED.contains(&name)
    {
        let path = chosen.get_one::<PathBuf>("file");
        file = File::read(path.map(PathBuf::as_path))?;
        let name = name.to_owned();
        command = command.mut_subcommand(name, |command| file.apply(command));
        matches = command.try_get_matches_from(arguments)?;
    }
    Ok((Cli::from_arg_matches(&matches)?, matches, file))
}

/// The whole command. The values of environment variables are not for help pages.
fn command() -> clap::Command {
    let mut command = Cli::command();
    let hidden =
        |command: clap::Command| command.mut_args(|argument| argument.hide_env_values(true));
    for name in CONFIGURED {
        command = command.mut_subcommand(name, hidden);
    }
    command.mut_subcommand("experiment", |command| {
        command.mut_subcommand("honest", hidden)
    })
}

/// The error and its causes as one sentence; causes that it already contains are not repeated.
fn sentence(error: &anyhow::Error) -> String {
    let mut text = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !text.contains(&cause) {
            text.push_str(": ");
            text.push_str(&cause);
        }
    }
    text
}

/// 2 for what was refused before any work, else 1.
fn exit_code(error: &anyhow::Error) -> u8 {
    let refused = |cause: &(dyn std::error::Error + 'static)| {
        cause.is::<UsageError>()
            || matches!(
                cause.downcast_ref(),
                Some(SinkError::Occupied(_) | SinkError::Create { .. })
            )
    };
    if error.chain().any(refused) { 2 } else { 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_is_consistent() {
        command().debug_assert();
    }

    #[test]
    fn causes_are_told_once() {
        let source = io::Error::other("disk full");
        let path = PathBuf::from("out");
        let error = anyhow::Error::from(SinkError::Write { path, source }).context("replay");
        let text = sentence(&error);
        assert_eq!(text.matches("disk full").count(), 1, "{text}");
        assert_eq!(exit_code(&error), 1);
        let error = anyhow::Error::from(SinkError::Occupied("out".into()));
        assert_eq!(exit_code(&error), 2);
    }
}
