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
use crate::config::{
    Config, File, HomeAssistantOptions, InboxOptions, KafkaOptions, MqttOptions, ParquetOptions,
    UsageError, WebhookOptions, check_environment, describe, discreet, unknown_variables,
};
use crate::erase::{self, EraseArgs};
use crate::experiment::{self, ExperimentArgs};
use crate::import::{self, ImportArgs};
use crate::launch::{self, LaunchArgs};
use crate::logging;
use crate::merge::{self, MergeArgs};
use crate::model::{self, ModelArgs};
use crate::pack::{self, PackArgs};
use crate::replay::{self, ReplayArgs};
use crate::run::{self as live, RunArgs};
use crate::show::{self, AlarmsArgs, ShowArgs};
use crate::simulate::{self, SimulateArgs};
use crate::sinks::files::FolderError;
use crate::state::{self, StateArgs};
use crate::stop::Stop;
use crate::support::{self, SupportArgs};
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
    Run(Box<RunArgs>),
    Launch(LaunchArgs),
    Merge(MergeArgs),
    Simulate(SimulateArgs),
    Import(ImportArgs),
    Pack(PackArgs),
    Bench(BenchArgs),
    Show(ShowArgs),
    Alarms(AlarmsArgs),
    Model(ModelArgs),
    State(StateArgs),
    Support(SupportArgs),
    Erase(EraseArgs),
    Experiment(ExperimentArgs),
    Config(Box<ConfigArgs>),
    Templates(TemplatesArgs),
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

    /// MQTT.
    #[command(flatten, next_help_heading = "MQTT")]
    pub mqtt: MqttOptions,

    /// Home Assistant.
    #[command(flatten, next_help_heading = "Home Assistant")]
    pub home_assistant: HomeAssistantOptions,

    /// Kafka.
    #[command(flatten, next_help_heading = "Kafka")]
    pub kafka: KafkaOptions,

    /// Webhook.
    #[command(flatten, next_help_heading = "Webhook")]
    pub webhook: WebhookOptions,

    /// Parquet.
    #[command(flatten, next_help_heading = "Parquet")]
    pub parquet: ParquetOptions,

    /// The inbox.
    #[command(flatten, next_help_heading = "Inbox")]
    pub inbox: InboxOptions,
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

/// Commands that take the configuration, each with those that it is a part of before it.
const CONFIGURED: [&[&str]; 4] = [
    &["replay"],
    &["run"],
    &["config"],
    &["experiment", "prequential"],
];

/// Runs the command that the arguments name (the first is the program's name), and tells the user what went wrong. A
/// command that [heeds](Stop::heed) `stop` ends soon after an interruption, by itself and cleanly.
pub fn run(arguments: impl IntoIterator<Item = OsString>, stop: &Stop) -> ExitCode {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let parsed = parse(&arguments);
    let outcome = parsed.and_then(|(cli, matches, file)| dispatch(cli, &matches, &file, stop));
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
    logging::fail(&sentence(&error));
    ExitCode::from(exit_code(&error))
}

fn dispatch(cli: Cli, matches: &ArgMatches, file: &File, stop: &Stop) -> anyhow::Result<()> {
    let (format, level) = match &cli.command {
        Command::Replay(arguments) => (arguments.config.log_format, arguments.config.log_level),
        Command::Run(arguments) => (arguments.config.log_format, arguments.config.log_level),
        _ => Default::default(),
    };
    logging::begin(format, level);
    match cli.command {
        Command::Replay(arguments) => replay::run(&arguments, stop),
        Command::Run(arguments) => live::run(&arguments, stop),
        Command::Launch(arguments) => launch::run(&arguments, stop),
        Command::Merge(arguments) => merge::run(&arguments),
        Command::Simulate(arguments) => simulate::run(&arguments),
        Command::Import(arguments) => import::run(&arguments),
        Command::Bench(arguments) => bench::run(&arguments, stop),
        Command::Pack(arguments) => pack::run(&arguments),
        Command::Show(arguments) => show::run(&arguments),
        Command::Alarms(arguments) => show::alarms(&arguments),
        Command::Model(arguments) => model::run(&arguments, stop),
        Command::State(arguments) => state::run(&arguments),
        Command::Support(arguments) => support::run(&arguments),
        Command::Erase(arguments) => erase::run(&arguments),
        Command::Experiment(arguments) => experiment::run(&arguments, stop),
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
            return Err(discreet(error).into());
        }
    };
    let mut file = File::default();
    let configured = CONFIGURED.iter().find_map(|names| {
        let mut parts = names.iter();
        let chosen = parts.try_fold(&matches, |matches, name| matches.subcommand_matches(name))?;
        Some((*names, chosen.get_one::<PathBuf>("file")))
    });
    if let Some((names, path)) = configured {
        file = File::read(path.map(PathBuf::as_path))?;
        for (name, meant) in unknown_variables() {
            let meant = meant.map_or(String::new(), |name| format!("; did you mean {name}?"));
            let _ = writeln!(
                io::stderr(),
                "hearth: nothing reads the variable {name}{meant}"
            );
        }
        command = changed(command, names, |command| file.apply(command));
        matches = command.try_get_matches_from(arguments).map_err(discreet)?;
    }
    Ok((Cli::from_arg_matches(&matches)?, matches, file))
}

/// The whole command. The values of environment variables are not for help pages.
fn command() -> clap::Command {
    let mut command = Cli::command();
    let hidden =
        |command: clap::Command| command.mut_args(|argument| argument.hide_env_values(true));
    for names in CONFIGURED {
        command = changed(command, names, hidden);
    }
    command = changed(command, &["run"], RunArgs::defaults);
    changed(command, &["experiment", "honest"], hidden)
}

/// A command of which a part, named by its path, is changed.
fn changed(
    command: clap::Command,
    names: &[&'static str],
    change: impl FnOnce(clap::Command) -> clap::Command,
) -> clap::Command {
    match names.split_first() {
        None => change(command),
        Some((first, rest)) => command.mut_subcommand(first, |part| changed(part, rest, change)),
    }
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
        cause.is::<UsageError>() || cause.is::<FolderError>()
    };
    if error.chain().any(refused) { 2 } else { 1 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sinks::SinkError;

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
        let error = anyhow::Error::from(FolderError::Occupied("out".into()));
        assert_eq!(exit_code(&error), 2);
    }
}
