//! Who answers the requests of a replay, as the configuration has it.

use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::Arc;

use hearth_operators::dataflow::Answers;
use hearth_operators::words::Catalogs;

use crate::config::{Config, Synthesizer as Choice, UsageError};
use crate::disk::Disk;
use crate::home_names::HomeNames;
use crate::pool::Pool;
use crate::services::{self, Workload};
use crate::sinks::files::Folder;
use crate::stop::Stop;
use crate::synthesizers::llm::{self, Calls, Cassette, CassetteMode, Engine, Llm, Prompts, Quote};
use crate::synthesizers::{Blend, Contrast, Embedded, Knowledge, Ratios, Synthesizer};

/// Chosen and checked, but not begun.
pub enum Chosen {
    /// One that answers on the pool, or whoever was given in its place.
    Embedded(Arc<dyn Synthesizer>),
    /// A language model.
    Llm { calls: Calls, engine: Engine },
    /// A language model that is not asked: what it would be asked is told.
    Quoted(Quoted),
    /// Nobody.
    Nobody,
}

/// At work.
pub struct Begun {
    /// For the dataflow; nobody answers where there are none. Not to be kept: the pool ends when nobody can ask it any more.
    pub answers: Option<Answers>,
    /// The language model, where one answers.
    pub llm: Option<Arc<Llm>>,
}

/// Checks what the configuration says of the synthesizer.
///
/// # Errors
/// It cannot be used, or a dry run was asked of one that costs nothing.
pub fn choose(
    config: &Config,
    catalogs: &Arc<Catalogs>,
    prompts: &Arc<Prompts>,
    [dry_run, explain]: [bool; 2],
) -> Result<Chosen, UsageError> {
    let language_model = match config.synthesizer {
        Choice::Openai | Choice::Cassette | Choice::Gguf => true,
        Choice::Embedded | Choice::Contrast | Choice::Blend | Choice::None => false,
    };
    if dry_run || explain {
        if !language_model {
            return Err(UsageError(
                "--dry-run and --explain say what a language model would be asked: choose one with --synthesizer openai"
                    .to_owned(),
            ));
        }
        let calls = Arc::new(llm::calls(config, prompts.clone())?);
        return Ok(Chosen::Quoted(Quoted { calls, explain }));
    }
    if language_model {
        let calls = llm::calls(config, prompts.clone())?;
        let engine = llm::engine(config)?;
        return Ok(Chosen::Llm { calls, engine });
    }
    let ratios = || {
        let model = llm::local(config.llm.llm_gguf.as_deref())?;
        Ok(Arc::new(Ratios::new(Arc::new(model))))
    };
    let knowledge = || match &config.knowledge {
        Some(file) => Knowledge::load(file).map_err(|e| UsageError(e.to_string())),
        None => Ok(Knowledge::builtin()),
    };
    let (homes, seed) = (catalogs.clone(), config.seed);
    Ok(Chosen::Embedded(match config.synthesizer {
        Choice::Contrast => Arc::new(Contrast::of_each(homes, ratios()?, seed)),
        Choice::Blend => Arc::new(Blend::of_each(homes, knowledge()?, ratios()?, seed)),
        Choice::Embedded => Arc::new(Embedded::of_each(homes, knowledge()?, seed)),
        Choice::Openai | Choice::Cassette | Choice::Gguf | Choice::None => {
            return Ok(Chosen::Nobody);
        }
    }))
}

impl Chosen {
    /// What is to be told at the end of a dry run.
    pub fn quoted(&self) -> Option<Quoted> {
        match self {
            Chosen::Quoted(quoted) => Some(quoted.clone()),
            Chosen::Embedded(_) | Chosen::Llm { .. } | Chosen::Nobody => None,
        }
    }

    /// Begins. What a language model was asked is recorded in the output folder where nothing else is said.
    ///
    /// # Errors
    /// The recorded answers or the ledger cannot be used.
    pub fn begin(
        self,
        config: &Config,
        (homes, catalogs): (&HomeNames, &Arc<Catalogs>),
        folder: &Folder,
        pool: &Pool,
        workload: &Workload,
        stop: &Stop,
    ) -> anyhow::Result<Begun> {
        Ok(match self {
            Chosen::Embedded(embedded) => Begun {
                answers: Some(services::answers(pool, workload, embedded)),
                llm: None,
            },
            Chosen::Llm { calls, engine } => {
                let records = llm::records(&config.llm, &engine, folder.disk(), folder.path())?;
                let parts = llm::parts(catalogs, calls, engine.into(), homes, records, stop);
                let llm = Arc::new(Llm::start(parts, workload.synthesize.clone())?);
                Begun {
                    answers: Some(llm.clone()),
                    llm: Some(llm),
                }
            }
            Chosen::Quoted(_) | Chosen::Nobody => Begun {
                answers: None,
                llm: None,
            },
        })
    }
}

/// Calls that are not made.
#[derive(Clone)]
pub struct Quoted {
    calls: Arc<Calls>,
    explain: bool,
}

impl Quoted {
    /// Says what the requests in `out` would cost, and what would be sent if that was asked for.
    ///
    /// # Errors
    /// The requests or recorded answers cannot be read, or nobody reads what is printed.
    pub fn tell(&self, config: &Config, out: &Path) -> anyhow::Result<()> {
        let llm = &config.llm;
        let folder = llm::cassette_folder(llm, out);
        let cassette = match folder.is_dir() {
            true => Some(Cassette::open(
                &Disk::real(),
                &folder,
                CassetteMode::Replay,
            )?),
            false => None,
        };
        let prices = llm::prices(llm);
        let mut stdout = BufWriter::new(io::stdout().lock());
        let quote = Quote::of(
            out,
            &self.calls,
            cassette.as_ref(),
            prices,
            |request, call| {
                if self.explain {
                    llm::explain(&mut stdout, llm.llm_url.as_deref(), request, call)?;
                }
                Ok(())
            },
        )?;
        writeln!(stdout, "{quote}")?;
        Ok(stdout.flush()?)
    }
}
