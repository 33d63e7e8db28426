//! `hearth import`: public data sets and recorders into an event log, a catalog and, where there are any, contexts.

mod aras;
pub(crate) mod authors;
mod casas;
#[cfg(test)]
mod fuzz;
mod home_assistant;
mod kasteren;
mod layout;
mod lines;
mod mqtt;
mod open_smart_home;
mod options;
mod output;
mod pickle;
mod smartgen;
mod trim;
mod uci_adl;
mod xes;

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
  hearth import home-assistant history.csv --timezone Europe/Berlin --out mine/
  hearth import mqtt messages.jsonl --home mine --out mine/
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
    /// Home Assistant: its recorder's database, the CSV of its History page, or a history as JSON.
    HomeAssistant(home_assistant::Args),
    /// The van Kasteren format: `start <tab> duration <tab> sensor`, with names beside it in `.sensor_names`.
    Kasteren(kasteren::Args),
    /// A log of MQTT messages as `mosquitto_sub -F %j` writes it: Zigbee2MQTT, Tasmota and the like.
    Mqtt(mqtt::Args),
    /// UCI's activities of daily living: `START END LOCATION TYPE PLACE`.
    UciAdl(uci_adl::Args),
    /// ARAS: a line a second, a number a sensor.
    Aras(aras::Args),
    /// Event logs of process mining (XES).
    Xes(xes::Args),
    /// Open Smart Home Data: a folder with a file a series.
    OpenSmartHome(open_smart_home::Args),
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
        Format::Mqtt(args) => mqtt::run(args),
        Format::UciAdl(args) => uci_adl::run(args),
        Format::Aras(args) => aras::run(args),
        Format::Xes(args) => xes::run(args),
        Format::OpenSmartHome(args) => open_smart_home::run(args),
    }
}
