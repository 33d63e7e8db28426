//! `hearth experiment`: the paper's evaluation, and one that can be believed.

pub mod cells;
pub mod data;
pub mod honest;
pub mod methods;
pub mod metrics;
pub mod paper;
mod prequential;
mod report;
mod roster;

use std::fs;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::config::{LlmConfig, UsageError};
use crate::models::Preset;
use crate::stop::Stop;
use crate::synthesizers::Ratios;
use crate::synthesizers::llm;
use cells::Results;
use data::{HOMES, Kind, Model, Pair, SHARED, Store};
use prequential::PrequentialArgs;
use roster::Roster;

/// Run the paper's experiments, or those that can be believed, and report them
///
/// `paper` repeats the paper's evaluation on its authors' data, their protocol and its leaks included, beside the
/// published figures and trivial answers. `honest` gives nothing of the answer away, uses no label of the new context, and
/// compares training sets, methods and synthesizers over seeds with intervals. `prequential` follows simulated homes or a log
/// from day to day: each segment is judged by what was known before it, then learnt.
///
/// A run is a list of cells; each that ends is a line of results.jsonl in the output folder. A run that was stopped is taken
/// up where it was by the same command. Both kinds of run may share a folder; report.html and the tables are made of its
/// lines alone.
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = "Examples:
  hearth experiment paper --data SmartGen/ --out run
  hearth experiment honest --data SmartGen/ --datasets fr --seeds 1 --out quick
  hearth experiment honest --datasets sim --out homes
  hearth experiment prequential --homes 30 --seeds 2 --out online
  hearth experiment report --out run")]
pub struct ExperimentArgs {
    #[command(subcommand)]
    command: ExperimentCommand,
}

#[derive(clap::Subcommand, Clone, Debug)]
enum ExperimentCommand {
    /// The paper's tables and figures by the paper's protocol, beside what was published.
    Paper(PaperArgs),
    /// Next action and anomalies with nothing given away: methods, training sets, a few real sequences, fidelity.
    Honest(Box<HonestArgs>),
    /// A stream of segments, each judged by what was known before it, then learnt: Hearth beside plain methods, online.
    Prequential(Box<PrequentialArgs>),
    /// Make the tables and pages of a folder anew from its lines.
    Report(ReportArgs),
}

/// What the runs have in common.
#[derive(clap::Args, Clone, Debug)]
struct RunArgs {
    /// The authors' repository, as cloned (the folder that holds SmartGen/), or its conversion; simulated homes need none
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,

    /// Output folder; one that holds lines of an earlier run is taken up
    #[arg(long, value_name = "DIR")]
    out: PathBuf,

    /// Data sets: fr, sp, us, sim (simulated homes)
    #[arg(
        long,
        value_name = "NAME,..",
        value_delimiter = ',',
        default_value = "fr,sp"
    )]
    datasets: Vec<String>,

    /// Shifts: ST (season), TT (schedule), NT (occupancy)
    #[arg(
        long,
        value_name = "SHIFT,..",
        value_delimiter = ',',
        value_enum,
        default_value = "ST,TT,NT"
    )]
    shifts: Vec<Kind>,

    /// How often everything is repeated, with seeds 1, 2, ...
    #[arg(long, value_name = "N", default_value_t = 5)]
    seeds: u64,

    /// Methods by name, as tables write them; none: all
    #[arg(long, value_name = "NAME,..", value_delimiter = ',')]
    methods: Vec<String>,

    /// Sizes of all models
    #[arg(long, value_enum, default_value_t)]
    preset: Preset,

    /// Cells that are computed at a time; by default as many as there are cores
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,
}

#[derive(clap::Args, Clone, Debug)]
#[command(after_help = "Examples:
  hearth experiment paper --data SmartGen/ --out run
  hearth experiment paper --data SmartGen/ --datasets fr --tables 2,3 --seeds 1 --out quick
  hearth experiment paper --data SmartGen/ --preset paper --methods SmartGen --out full-size")]
struct PaperArgs {
    #[command(flatten)]
    run: RunArgs,

    /// Tables, and figures with an f before their number (5 and 6 come with table 9); none: all
    #[arg(long, value_name = "TABLE,..", value_delimiter = ',', value_enum)]
    tables: Vec<paper::Table>,
}

#[derive(clap::Args, Clone, Debug)]
#[command(after_help = "Examples:
  hearth experiment report --out run")]
struct ReportArgs {
    /// Output folder of a run
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

#[derive(clap::Args, Clone, Debug)]
#[command(after_help = "Examples:
  hearth experiment honest --data SmartGen/ --out run
  hearth experiment honest --data SmartGen/ --datasets fr --shifts ST --seeds 1 --shots 0 --methods SmartGen,bigram --out quick
  hearth experiment honest --data SmartGen/ --training source,embedded --out two-sets
  hearth experiment honest --datasets sim --out homes
  hearth experiment honest --datasets sim --training embedded,edits --llm-url http://127.0.0.1:8080/v1 --llm-model qwen3 --out edits")]
struct HonestArgs {
    #[command(flatten)]
    run: RunArgs,

    /// How many real sequences of the new context are learnt as well
    #[arg(
        long,
        value_name = "K,..",
        value_delimiter = ',',
        default_value = "0,1,3,10,30,100"
    )]
    shots: Vec<usize>,

    /// Training sets by name: source, gpt-4o, gpt-4o-filtered, gpt-4o-authors, embedded, source+embedded, edits (where a
    /// language model is named) ...; none: all
    #[arg(long, value_name = "NAME,..", value_delimiter = ',')]
    training: Vec<String>,

    /// Where --llm-url or --llm-gguf names one, or --llm-cassette replay and --llm-model one that was recorded, it is asked for
    /// edits, once a pair: the training set edits. Another model needs another output folder.
    #[command(flatten, next_help_heading = "Language model")]
    llm: LlmConfig,
}

/// Runs the command.
///
/// # Errors
/// The options make no sense, or the output folder cannot be used. A cell that fails is a line of the results, not an error.
pub fn run(args: &ExperimentArgs, stop: &Stop) -> Result<()> {
    match &args.command {
        ExperimentCommand::Paper(args) => {
            if args.run.datasets.iter().any(|name| name.starts_with("sim")) {
                let message = "the paper's protocol needs the authors' data; simulated homes are for `honest`";
                return Err(UsageError(message.to_owned()).into());
            }
            let setup = Setup::new(&args.run)?;
            let plan = paper::Plan {
                pairs: setup.pairs.clone(),
                tables: args.tables.clone(),
                seeds: args.run.seeds,
            };
            let cells = paper::cells(&plan, &setup.roster);
            setup.run(&args.run.out, &cells, paper::measure)
        }
        ExperimentCommand::Prequential(args) => {
            prequential::run(args, stop)?;
            report::write_prequential(&args.out)
        }
        ExperimentCommand::Report(args) => report::write_all(&args.out),
        ExperimentCommand::Honest(args) => {
            let mut setup = Setup::new(&args.run)?;
            let parts = args.training.iter().flat_map(|name| name.split('+'));
            let named = |what| parts.clone().any(|part| part == what);
            let asked = |what| args.training.is_empty() || named(what);
            let model = match asked("edits") {
                true => Model::open(&args.llm, SHARED, &args.run.out)?,
                false => None,
            };
            if model.is_none() && named("edits") {
                let message = "the training set edits is what a language model writes: name it with --llm-url and --llm-model";
                return Err(UsageError(message.to_owned()).into());
            }
            let file = args.llm.llm_gguf.as_deref();
            let (asked, named) = ["contrast", "blend"]
                .iter()
                .fold((false, false), |(a, n), set| {
                    (a || asked(set), n || named(set))
                });
            let ratios = match asked && (file.is_some() || named) {
                true => Some(Arc::new(Ratios::new(Arc::new(llm::local(file)?)))),
                false => None,
            };
            setup.store = setup.store.with_model(model).with_ratios(ratios);
            let plan = honest::Plan {
                pairs: setup.pairs.clone(),
                seeds: args.run.seeds,
                shots: args.shots.clone(),
                training: args.training.clone(),
            };
            let cells = honest::cells(&plan, &setup.store, &setup.roster);
            setup.run(&args.run.out, &cells, honest::measure)
        }
    }
}

/// A run, its folder at hand.
struct Setup {
    store: Store,
    roster: Roster,
    pairs: Vec<Pair>,
    results: Results,
    threads: usize,
}

/// What the lines of a folder have in common.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Settings {
    preset: Preset,
    version: String,
}

impl Setup {
    fn new(args: &RunArgs) -> Result<Self> {
        let roster = Roster::new(args.preset, &args.methods)?;
        let store = Store::new(args.data.clone(), args.preset);
        let mut pairs = Vec::new();
        for name in &args.datasets {
            let datasets = match name.as_str() {
                "sim" => (1..=HOMES).map(|home| format!("sim-{home}")).collect(),
                _ => vec![name.clone()],
            };
            for dataset in datasets {
                for &shift in &args.shifts {
                    let dataset = dataset.clone();
                    let pair = Pair { dataset, shift };
                    if name != "sim" && !name.starts_with("sim-") {
                        store
                            .repository(&pair)
                            .map_err(|error| UsageError(format!("{error:#}")))?;
                    }
                    pairs.push(pair);
                }
            }
        }
        fs::create_dir_all(&args.out)
            .with_context(|| format!("cannot make the folder {}", args.out.display()))?;
        agree(&args.out, args.preset)?;
        Ok(Setup {
            store,
            roster,
            pairs,
            results: Results::resume(&args.out)?,
            threads: args.threads.map_or_else(
                || std::thread::available_parallelism().map_or(1, NonZeroUsize::get),
                NonZeroUsize::get,
            ),
        })
    }

    fn run(
        self,
        out: &Path,
        cells: &[cells::Cell],
        measure: impl Fn(&cells::Cell, &Store, &Roster) -> Result<cells::Measured> + Sync,
    ) -> Result<()> {
        let (store, roster) = (&self.store, &self.roster);
        let tally = self
            .results
            .run(cells, self.threads, |cell| measure(cell, store, roster))?;
        println!(
            "{} cells: {} were there, {} computed, {} failed.",
            cells.len(),
            tally.skipped,
            tally.done,
            tally.failed
        );
        report::write(out)
    }
}

/// Lines of models of different sizes are not to stand in one file.
fn agree(folder: &Path, preset: Preset) -> Result<()> {
    let path = folder.join("experiment.json");
    let ours = Settings {
        preset,
        version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    match fs::read_to_string(&path) {
        Ok(text) => {
            let theirs: Settings = serde_json::from_str(&text)
                .with_context(|| format!("{} is damaged; name another folder", path.display()))?;
            if theirs != ours {
                let message = format!(
                    "{} holds an experiment of preset {:?}, version {}; name another folder for preset {:?}, version {}",
                    folder.display(),
                    theirs.preset,
                    theirs.version,
                    ours.preset,
                    ours.version
                );
                return Err(UsageError(message).into());
            }
            Ok(())
        }
        Err(_) => {
            let text = serde_json::to_string(&ours)?;
            fs::write(&path, text + "\n")
                .with_context(|| format!("cannot write {}", path.display()))
        }
    }
}
