//! A language model that is asked for edits of a pair's source: one call a pair.

use std::path::Path;
use std::sync::Arc;

use anyhow::Result;
use hearth_operators::words::{Catalog, Catalogs};

use super::material::Pair;
use crate::config::{Config, LlmConfig, Synthesizer};
use crate::disk::Disk;
use crate::home_names::HomeNames;
use crate::pool::Work;
use crate::stop::Stop;
use crate::synthesizers::llm::{self, CassetteMode, Engine, Llm, Records, Writes};

/// The model of a run, its recorded answers and its budget.
pub struct Model {
    config: Config,
    engine: Arc<Engine>,
    records: Records,
}

impl Model {
    /// The model that the options name, by an address, by a file, or by recorded answers alone; `None` where they name none.
    /// `seed` goes with each call.
    ///
    /// # Errors
    /// It cannot be asked, or its recorded answers or its ledger cannot be used.
    pub fn open(options: &LlmConfig, seed: u64, out: &Path) -> Result<Option<Self>> {
        let recorded = options.llm_model.is_some() && options.llm_cassette == CassetteMode::Replay;
        let synthesizer = if options.llm_gguf.is_some() {
            Synthesizer::Gguf
        } else if options.llm_url.is_some() || recorded {
            Synthesizer::Openai
        } else {
            return Ok(None);
        };
        let config = Config {
            synthesizer,
            seed,
            llm: LlmConfig {
                llm_writes: Writes::Edits,
                ..options.clone()
            },
            ..Config::default()
        };
        let engine = Arc::new(llm::engine(&config)?);
        let records = llm::records(&config.llm, &engine, &Disk::real(), out)?;
        Ok(Some(Model {
            config,
            engine,
            records,
        }))
    }

    /// Who answers for a pair, which is one home with one shift.
    ///
    /// # Errors
    /// Nobody says which model is to answer; templates cannot be used; the system gives no more threads.
    pub fn of(&self, pair: &Pair, catalog: &Arc<Catalog>) -> Result<Llm> {
        let homes = HomeNames::default();
        homes.intern(&pair.to_string());
        let catalogs = Catalogs::shared(catalog.clone());
        let prompts = llm::prompts(&self.config.llm, &catalogs, &homes)?;
        let calls = llm::calls(&self.config, Arc::new(prompts))?;
        let (engine, records) = (self.engine.clone(), self.records.clone());
        let stop = Stop::default();
        let parts = llm::parts(&catalogs, calls, engine, &homes, records, &stop);
        Ok(Llm::start(parts, Arc::new(Work::default()))?)
    }
}
