//! `hearth import`: public data sets and recorders into an event log, a catalog and, where there are any, contexts.

pub(crate) mod authors;
mod casas;
mod home_assistant;
mod kasteren;
mod layout;
mod options;
mod output;
mod pickle;
mod smartgen;

/// Turn a data set or a recorder's database into an event log, a catalog and contexts
///
/// Writes events.jsonl (or another --format) and catalog.json into the output folder, and contexts.jsonl where the source implies
/// a shift; then says how many behaviours there are and what was left out, and why. Each format has options and examples of its
/// own: hearth import FORMAT --help.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hearth import smartgen SmartGen/ --dataset fr --from winter --to spring --out fr/
  hearth import casas hh101/ann.txt --timezone America/Los_Angeles --out hh101/
  hearth import home-assistant /config/home-assistant_v2.db --out mine/
  hearth import kasteren houseA.sensors --timezone Europe/Amsterdam --out house-a/
then
  hearth replay fr/events.jsonl --catalog fr/catalog.json --contexts fr/contexts.jsonl --out run/")]
pub struct ImportArgs {
    #[command(subcommand)]
    format: Format,
}

#[derive(Debug, clap::Subcommand)]
enum Format {
    /// The SmartGen authors' repository, or its conversion to JSON Lines: sequences without dates, laid out on a calendar.
    Smartgen(smartgen::Args),
    /// CASAS text logs: `DATE TIME [AREA] SENSOR STATE [LABEL...]`.
    Casas(casas::Args),
    /// Home Assistant's recorder database (SQLite, schema 31 or newer).
    HomeAssistant(home_assistant::Args),
    /// The van Kasteren format: `start <tab> duration <tab> sensor`, with names beside it in `.sensor_names`.
    Kasteren(kasteren::Args),
}

/// Runs one import and prints what it read and what it left out.
///
/// # Errors
/// The input is missing, unreadable or of another format; the output folder is not writable.
pub fn run(args: &ImportArgs) -> anyhow::Result<()> {
    match &args.format {
        Format::Smartgen(args) => smartgen::run(args),
        Format::Casas(args) => casas::run(args),
        Format::HomeAssistant(args) => home_assistant::run(args),
        Format::Kasteren(args) => kasteren::run(args),
    }
}
