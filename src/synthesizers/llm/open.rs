//! From the configuration to what a run needs, checked before any work.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use hearth_operators::words::Catalogs;

use super::calls::{CallSettings, Calls};
use super::cassette::Cassette;
use super::client::{Client, Endpoint, Key, Options};
use super::ledger::{Budget, Ledger, Prices};
use super::prompt::{Prompts, Templates};
use super::reply::Reader;
use super::synthesis::{Engine, Parts, Reading};
use super::{Editor, LocalModel, Writes};
use crate::config::{CassetteMode, Config, LlmConfig, Synthesizer, UsageError};
use crate::disk::Disk;
use crate::home_names::HomeNames;
use crate::outputs::cassette_path;
use crate::stop::Stop;
use crate::synthesizers::per_catalog::PerCatalog;

/// What calls cost, within the cassette's folder.
const LEDGER: &str = "ledger.jsonl";

/// The prompts of a run.
///
/// # Errors
/// The templates cannot be used.
pub fn prompts(
    config: &LlmConfig,
    catalogs: &Arc<Catalogs>,
    homes: &HomeNames,
) -> Result<Prompts, UsageError> {
    let templates = Templates::load(config.llm_templates.as_deref(), config.llm_writes);
    let templates = templates.map_err(|error| UsageError(error.to_string()))?;
    let (catalogs, naming) = (catalogs.clone(), config.llm_names);
    Ok(Prompts::new(catalogs, naming, templates, homes.clone()))
}

/// The calls of a run.
///
/// # Errors
/// It is not said which model is to be asked.
pub fn calls(config: &Config, prompts: Arc<Prompts>) -> Result<Calls, UsageError> {
    let llm = &config.llm;
    let file = llm.llm_gguf.as_deref().and_then(Path::file_stem);
    let file = file.map(|stem| stem.to_string_lossy().into_owned());
    let model = match (config.synthesizer, &llm.llm_model) {
        (_, Some(model)) => model.clone(),
        (Synthesizer::Gguf, None) => file.unwrap_or_default(),
        (_, None) => {
            return Err(UsageError(
                "which model is to answer? Name it as the server does, with --llm-model".to_owned(),
            ));
        }
    };
    let settings = CallSettings {
        model,
        format: llm.llm_format,
        temperature: llm.llm_temperature,
        seed: config.seed,
        max_tokens: llm.llm_max_tokens.get(),
    };
    Ok(Calls::new(prompts, settings))
}

/// The client of the server that the configuration names. No connection is made yet.
///
/// # Errors
/// There is no address, it is not this machine's and that was not allowed, or the key cannot be read.
pub fn client(config: &LlmConfig) -> Result<Client, UsageError> {
    let Some(url) = &config.llm_url else {
        return Err(UsageError(
            "which server is to answer? Give its address with --llm-url, such as http://127.0.0.1:8080/v1".to_owned(),
        ));
    };
    let endpoint: Endpoint = url.parse()?;
    if !endpoint.is_loopback() && !config.llm_allow_remote {
        return Err(UsageError(format!(
            "{endpoint} is not this machine. It would be sent, for each shift of a home: the shift in words, past sequences as \
             weekday, three-hour bucket, device and action, counts of what follows what, and the devices with their actions; \
             no home id, no date or clock time, no name that is not a public word. See it with --explain, and allow it with \
             --llm-allow-remote"
        )));
    }
    let (file, variable) = (&config.llm_key_file, &config.llm_key_env);
    Client::new(Options {
        key: Key::find(file.as_deref(), variable.as_deref(), &endpoint)?,
        attempts: config.llm_attempts,
        connect: config.llm_connect_timeout.duration(),
        first_token: config.llm_first_token_timeout.duration(),
        idle: config.llm_idle_timeout.duration(),
        whole: config.llm_timeout.duration(),
        concurrency: config.llm_concurrency,
        requests_per_minute: config.llm_requests_per_minute,
        tokens_per_minute: config.llm_tokens_per_minute,
        ..Options::new(endpoint)
    })
}

/// What tokens cost.
pub fn prices(config: &LlmConfig) -> Prices {
    Prices {
        input: config.llm_price_input,
        output: config.llm_price_output,
    }
}

/// Who completes the calls of a run.
///
/// # Errors
/// Server, key or model file cannot be used, or a budget is set but no price.
pub fn engine(config: &Config) -> Result<Engine, UsageError> {
    let llm = &config.llm;
    let limited = llm.llm_budget.is_some() || llm.llm_home_budget.is_some();
    if limited && prices(llm) == Prices::default() {
        return Err(UsageError(
            "a budget without prices would limit nothing: give --llm-price-input and --llm-price-output as well".to_owned(),
        ));
    }
    match config.synthesizer {
        Synthesizer::Openai if llm.llm_cassette != CassetteMode::Replay => {
            Ok(Engine::Server(Box::new(client(llm)?)))
        }
        Synthesizer::Gguf => Ok(Engine::Local(Arc::new(local(llm.llm_gguf.as_deref())?))),
        _ => Ok(Engine::Nobody),
    }
}

/// The model file that the configuration names.
///
/// # Errors
/// It names none, or one that does not serve.
pub fn local(file: Option<&Path>) -> Result<LocalModel, UsageError> {
    let Some(file) = file else {
        return Err(UsageError(
            "which model is to answer? Give its file with --llm-gguf".to_owned(),
        ));
    };
    LocalModel::load(file).map_err(|e| UsageError(e.to_string()))
}

/// Where the answers of a run are recorded.
pub fn cassette_folder(config: &LlmConfig, out: &Path) -> PathBuf {
    match &config.llm_cassette_dir {
        Some(folder) => folder.clone(),
        None => cassette_path(out),
    }
}

/// What is kept of a run's calls.
#[derive(Clone)]
pub struct Records {
    /// The answers.
    pub cassette: Cassette,
    /// What they cost; nobody who asks nobody has one.
    pub ledger: Option<Ledger>,
}

/// Opens what is kept of a run's calls.
///
/// # Errors
/// The cassette or the ledger cannot be used.
pub fn records(
    llm: &LlmConfig,
    engine: &Engine,
    disk: &Disk,
    out: &Path,
) -> Result<Records, UsageError> {
    let folder = cassette_folder(llm, out);
    let mode = match engine {
        Engine::Nobody => CassetteMode::Replay,
        _ => llm.llm_cassette,
    };
    let refused = |error: &dyn std::fmt::Display| UsageError(error.to_string());
    let cassette = Cassette::open(disk, &folder, mode).map_err(|error| refused(&error))?;
    let ledger = match engine {
        Engine::Nobody => None,
        _ => {
            let budget = Budget {
                run: llm.llm_budget,
                home: llm.llm_home_budget,
            };
            let (ledger, found) = Ledger::open(disk, &folder.join(LEDGER), prices(llm), budget)
                .map_err(|error| refused(&error))?;
            if !found.unaccounted.is_empty() {
                tracing::warn!(
                    "an earlier run ended with {} calls under way; they count as spent in full",
                    found.unaccounted.len()
                );
            }
            if found.torn {
                tracing::warn!(
                    "the last line of {LEDGER} was written in part only and is dropped; no call had gone out for it"
                );
            }
            Some(ledger)
        }
    };
    Ok(Records { cassette, ledger })
}

/// Everything that answers the requests of homes with these catalogs.
pub fn parts(
    catalogs: &Arc<Catalogs>,
    calls: Calls,
    engine: Arc<Engine>,
    homes: &HomeNames,
    records: Records,
    stop: &Stop,
) -> Parts {
    let (prompts, seed) = (calls.prompts().clone(), calls.seed());
    let reading = PerCatalog::new(catalogs.clone(), move |home| {
        let outward = prompts.outward(home).map_err(|error| error.to_string())?;
        let pseudonyms = &outward.pseudonyms;
        Ok(Arc::new(match prompts.writes() {
            Writes::Sequences => {
                let reader = Reader::new(Arc::new(pseudonyms.catalog().clone()));
                Reading::Sequences(reader, outward)
            }
            Writes::Edits => Reading::Edits(Editor::new(pseudonyms, seed).into()),
        }))
    });
    Parts {
        reading,
        calls,
        homes: homes.clone(),
        engine,
        cassette: records.cassette,
        ledger: records.ledger,
        stop: stop.clone(),
    }
}
