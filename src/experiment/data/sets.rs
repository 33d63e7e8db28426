//! Training sets by name, each made once a run.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use anyhow::{Context, Result, anyhow, ensure};
use hearth_operators::reference::hints;
use hearth_operators::validate::check;
use hearth_operators::words::{
    ActionId, Candidate, Candidates, Catalog, Filtered, Foundation, HomeId, Regime, Request,
    RequestKey, Row, Sequence, ShiftKey, Weekday,
};

use super::edits::Model;
use super::material::{Material, Pair};
use super::repository::Repository;
use super::simulated;
use super::study::Study;
use crate::models::Preset;
use crate::pool::cpu_micros;
use crate::synthesizers::llm::reply::Reader;
use crate::synthesizers::{
    Blend, Contrast, Embedded, Knowledge, MAX_SEQUENCES, Ratios, Synthesizer,
};
use crate::{filter, trainer};

/// Successors of an action that a synthesizer is told of (the paper's five).
const HINTS: usize = 5;

/// The seed of what all cells of a pair share: the first models that filtering starts from, a language model's edits.
pub const SHARED: u64 = 0;

/// Everything that cells learn from and are tested on. What several cells need is made once, when the first asks.
pub struct Store {
    data: Option<PathBuf>,
    preset: Preset,
    materials: Memo<Pair, Arc<Material>>,
    sets: Memo<(Pair, String, u64), Arc<Vec<Sequence>>>,
    foundations: Memo<Pair, Arc<Foundation>>,
    filtered: Memo<(Pair, String, u64), Arc<Filtering>>,
    /// Who writes edits, if anybody does.
    model: Option<Model>,
    edited: Memo<Pair, Arc<Vec<Sequence>>>,
    /// What a model says of contexts, if one is there.
    ratios: Option<Arc<Ratios>>,
}

/// What the filter said of a set's candidates, and what that took.
pub struct Filtering {
    /// The verdicts.
    pub filtered: Filtered,
    /// CPU time of the filter alone, in seconds.
    pub cpu_seconds: f64,
}

impl Store {
    /// Over the authors' repository (simulated homes need none).
    pub fn new(data: Option<PathBuf>, preset: Preset) -> Self {
        Store {
            data,
            preset,
            materials: Memo::default(),
            sets: Memo::default(),
            foundations: Memo::default(),
            filtered: Memo::default(),
            model: None,
            edited: Memo::default(),
            ratios: None,
        }
    }

    /// With a language model that writes edits.
    pub fn with_model(self, model: Option<Model>) -> Self {
        Store { model, ..self }
    }

    /// With a model that compares contexts.
    pub fn with_ratios(self, ratios: Option<Arc<Ratios>>) -> Self {
        Store { ratios, ..self }
    }

    /// Whether contexts are compared.
    pub fn has_contrast(&self) -> bool {
        self.ratios.is_some()
    }

    /// Whether a language model writes edits.
    pub fn has_edits(&self) -> bool {
        self.model.is_some()
    }

    /// The sizes of models.
    pub fn preset(&self) -> Preset {
        self.preset
    }

    /// The real sequences of a pair.
    ///
    /// # Errors
    /// A file is missing or damaged; the message names it.
    pub fn material(&self, pair: &Pair) -> Result<Arc<Material>> {
        self.materials.get(pair.clone(), || {
            let material = match simulated_home(&pair.dataset) {
                Some((number, seed)) => simulated::material(number, pair.shift, seed)?,
                None => self.repository(pair)?.material(pair.shift)?,
            };
            ensure!(
                !material.source.is_empty(),
                "{pair}: the source context is empty"
            );
            ensure!(!material.normal.is_empty(), "{pair}: the test set is empty");
            Ok(Arc::new(material))
        })
    }

    /// The authors' files of a pair.
    ///
    /// # Errors
    /// They are not there, or the pair is a simulated home's.
    pub fn repository(&self, pair: &Pair) -> Result<Repository> {
        let folder = self.data.as_ref();
        let folder = folder.context("no --data names the authors' repository")?;
        Repository::find(folder, &pair.dataset)
    }

    /// Models whose recorded replies are there for a pair.
    pub fn models(&self, pair: &Pair) -> Vec<String> {
        match simulated_home(&pair.dataset) {
            Some(_) => Vec::new(),
            None => self
                .repository(pair)
                .map(|repository| repository.models(pair.shift))
                .unwrap_or_default(),
        }
    }

    /// A training set. Its name is made of parts that are joined by `+`:
    ///
    /// | part | what |
    /// |---|---|
    /// | `source` | the context that ends |
    /// | `embedded` | what the embedded synthesizer makes of it |
    /// | `edits` | what the edits of a language model make of it |
    /// | `contrast` | what the likelihoods of a model file make of it |
    /// | `blend` | what these make of what the embedded synthesizer makes of it |
    /// | `gpt-4o`, `Llama_70B` … | a model's recorded replies, read strictly |
    /// | `…-filtered` | the same, what our filter retains |
    /// | `…-authors` | the same, what the authors' filter retained |
    /// | `none` | nothing |
    /// | `candidates`, `stage-1`, `stage-2` | the authors' replies as parsed, after their filter's first and second stage |
    /// | `split-<h>-<h>` | their set for these Δt_max and T_max |
    /// | `ablation-all`, `without-TSS` … | the sets of their ablation |
    ///
    /// # Errors
    /// A file is missing or damaged, or the name means nothing; the message says which.
    pub fn training(&self, pair: &Pair, name: &str, seed: u64) -> Result<Arc<Vec<Sequence>>> {
        self.sets.get((pair.clone(), name.to_owned(), seed), || {
            let mut set = Vec::new();
            for part in name.split('+') {
                set.extend(self.part(pair, part, seed)?);
            }
            Ok(Arc::new(set))
        })
    }

    fn part(&self, pair: &Pair, part: &str, seed: u64) -> Result<Vec<Sequence>> {
        if part == "none" {
            return Ok(Vec::new());
        }
        if part == "source" {
            return Ok(self.material(pair)?.source.clone());
        }
        if let Some(study) = Study::named(part) {
            return self.repository(pair)?.study(pair.shift, &study);
        }
        if let Some(raw) = part.strip_suffix("-filtered") {
            let filtered = self.filtered(pair, raw, seed)?;
            let retained = filtered
                .filtered
                .verdicts
                .iter()
                .filter(|verdict| verdict.retain);
            let sequences = retained.map(|verdict| verdict.candidate.sequence.clone());
            return Ok(sequences.collect());
        }
        if part == "embedded" {
            let catalog = self.material(pair)?.catalog.clone();
            let embedded = Embedded::new(catalog, Knowledge::builtin(), seed);
            return self.answer(pair, &embedded);
        }
        if part == "contrast" || part == "blend" {
            let ratios = self.ratios.clone();
            let ratios = ratios.context("no --llm-gguf names a model to compare contexts by")?;
            let catalog = self.material(pair)?.catalog.clone();
            let knowledge = Knowledge::builtin();
            return match part {
                "blend" => self.answer(pair, &Blend::new(catalog, knowledge, ratios, seed)),
                _ => self.answer(pair, &Contrast::new(catalog, ratios, seed)),
            };
        }
        if part == "edits" {
            return Ok(self.edits(pair)?.to_vec());
        }
        let catalog = &self.material(pair)?.catalog;
        let texts = self.repository(pair)?.texts(pair.shift, part)?;
        let reader = Reader::new(catalog.clone());
        // A reply without a sequence adds none; the prompts were not recorded beside the replies.
        let written = texts
            .iter()
            .flat_map(|text| reader.read(text, &[]).unwrap_or_default());
        let valid = written.filter_map(|rows| {
            let mut rows = rows.ok()?;
            rows.iter_mut().for_each(|row| fold(row, catalog));
            check(&rows, catalog).ok()
        });
        let set: Vec<Sequence> = valid.collect();
        ensure!(
            !set.is_empty(),
            "no recorded reply of {part} holds a valid sequence"
        );
        Ok(set)
    }

    /// What the filter says of a set's candidates.
    ///
    /// # Errors
    /// As [`Store::training`].
    pub fn filtered(&self, pair: &Pair, raw: &str, seed: u64) -> Result<Arc<Filtering>> {
        let key = (pair.clone(), raw.to_owned(), seed);
        self.filtered.get(key, || {
            let material = self.material(pair)?;
            let candidates = self.training(pair, raw, seed)?;
            let request = RequestKey {
                shift: SHIFT,
                weekday: 0,
                part: 0,
            };
            let candidates = (0..)
                .zip(candidates.iter())
                .map(|(position, sequence)| Candidate {
                    request,
                    position,
                    sequence: sequence.clone(),
                });
            let candidates = Candidates {
                key: SHIFT,
                regime: Arc::new(regime(&material, material.source.clone())),
                candidates: candidates.collect(),
                foundation: self.foundation(pair)?,
            };
            let settings = trainer::Settings {
                preset: self.preset,
                seed,
            };
            let began = cpu_micros();
            let filtered = filter::filter(&material.catalog, &candidates, &settings)?;
            Ok(Arc::new(Filtering {
                filtered,
                cpu_seconds: cpu_micros().saturating_sub(began) as f64 / 1e6,
            }))
        })
    }

    /// The models that filtering and compression start from, trained on the source.
    ///
    /// # Errors
    /// The source cannot be read or learnt.
    pub fn foundation(&self, pair: &Pair) -> Result<Arc<Foundation>> {
        self.foundations.get(pair.clone(), || {
            let material = self.material(pair)?;
            let settings = trainer::Settings {
                preset: self.preset,
                seed: SHARED,
            };
            let foundation = trainer::foundation(&material.catalog, &material.source, &settings)?;
            Ok(Arc::new(foundation))
        })
    }

    /// What a language model's edits make of the source, asked for once a pair whatever the seed of a cell.
    fn edits(&self, pair: &Pair) -> Result<Arc<Vec<Sequence>>> {
        self.edited.get(pair.clone(), || {
            let model = self.model.as_ref();
            let model = model.context("no --llm-url names a language model that writes edits")?;
            let llm = model.of(pair, &self.material(pair)?.catalog)?;
            Ok(Arc::new(self.answer(pair, &llm)?))
        })
    }

    /// The whole answer of a synthesizer: as many requests as give all of the source its turn.
    fn answer(&self, pair: &Pair, synthesizer: &dyn Synthesizer) -> Result<Vec<Sequence>> {
        let material = self.material(pair)?;
        let catalog = &material.catalog;
        let regime = Arc::new(regime(&material, material.source.clone()));
        let hints = Arc::new(hints(&transitions(&material.source), HINTS));
        let parts_of = |weekday: Weekday| {
            let routines = material.source.iter().filter(|s| s.weekday() == weekday);
            let parts = routines.count().div_ceil(MAX_SEQUENCES).max(1);
            u16::try_from(parts).unwrap_or(u16::MAX)
        };
        let requests = (0..7).map(parts_of).fold(0, u16::saturating_add);
        let mut set = Vec::new();
        for weekday in 0..7 {
            let parts = parts_of(weekday);
            for part in 0..parts {
                let request = Request {
                    key: RequestKey {
                        shift: SHIFT,
                        weekday,
                        part,
                    },
                    parts,
                    requests,
                    representatives: Vec::new(),
                    hints: hints.clone(),
                    regime: regime.clone(),
                };
                let rows = synthesizer.synthesize(&request).map_err(|e| anyhow!(e))?;
                for rows in rows {
                    match rows.and_then(|rows| check(&rows, catalog)) {
                        Ok(sequence) => set.push(sequence),
                        Err(reason) => {
                            eprintln!("hearth: {pair}, {}: {reason}", synthesizer.name());
                        }
                    }
                }
            }
        }
        ensure!(!set.is_empty(), "{} gave nothing", synthesizer.name());
        Ok(set)
    }
}

/// All of the authors' data calls the device of `None:location` `Other`, so that is what a model was shown: where the catalog
/// has no device of that name, the action decides.
fn fold([_, _, device, action]: &mut Row, catalog: &Catalog) {
    if !catalog.has_device(device)
        && let Some((named, _)) = action.split_once(':')
        && catalog.has_device(named)
    {
        named.clone_into(device);
    }
}

/// The one shift of a pair.
const SHIFT: ShiftKey = ShiftKey {
    home: HomeId(0),
    regime: 0,
};

fn regime(material: &Material, source: Vec<Sequence>) -> Regime {
    Regime {
        shift: material.shift.clone(),
        source,
        target: Vec::new(),
    }
}

fn transitions(sequences: &[Sequence]) -> BTreeMap<(ActionId, ActionId), i64> {
    let mut counts = BTreeMap::new();
    for pair in sequences.iter().flat_map(|s| s.0.windows(2)) {
        if let [from, to] = pair {
            *counts.entry((from.action, to.action)).or_default() += 1;
        }
    }
    counts
}

/// `sim-<n>`: home number n; `sim-<n>-<seed>`: of a simulation with that seed.
fn simulated_home(dataset: &str) -> Option<(u32, u64)> {
    let home = dataset.strip_prefix("sim-")?;
    match home.split_once('-') {
        Some((number, seed)) => Some((number.parse().ok()?, seed.parse().ok()?)),
        None => Some((home.parse().ok()?, simulated::SEED)),
    }
}

/// Values that are made once, by whoever asks first; others wait for them. A failure is kept as well.
struct Memo<K, V>(Mutex<HashMap<K, Arc<Made<V>>>>);

type Made<V> = OnceLock<Result<V, Arc<anyhow::Error>>>;

impl<K, V> Default for Memo<K, V> {
    fn default() -> Self {
        Memo(Mutex::default())
    }
}

impl<K: Hash + Eq, V: Clone> Memo<K, V> {
    fn get(&self, key: K, make: impl FnOnce() -> Result<V>) -> Result<V> {
        let slot = {
            let mut made = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            made.entry(key).or_default().clone()
        };
        let made = slot.get_or_init(|| make().map_err(Arc::new));
        made.clone().map_err(|error| anyhow!("{error:#}"))
    }
}

#[cfg(test)]
mod tests {
    use super::super::Kind;
    use super::*;

    #[test]
    fn a_value_is_made_once_and_so_is_a_failure() {
        let memo = Memo::default();
        let made = std::sync::atomic::AtomicUsize::new(0);
        let count = || made.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| memo.get(1, || Ok(count())));
            }
        });
        assert_eq!(memo.get(1, || Ok(99)).unwrap(), 0);
        for _ in 0..2 {
            let failed = memo.get(2, || {
                count();
                Err(anyhow!("no file"))
            });
            assert_eq!(failed.unwrap_err().to_string(), "no file");
        }
        assert_eq!(count(), 2);
    }

    #[test]
    fn simulated_homes_have_their_sets_without_any_data() {
        let store = Store::new(None, Preset::Small);
        let pair = Pair {
            dataset: "sim-1".to_owned(),
            shift: Kind::ST,
        };
        let source = store.training(&pair, "source", 1).unwrap();
        let embedded = store.training(&pair, "embedded", 1).unwrap();
        let both = store.training(&pair, "source+embedded", 1).unwrap();
        assert!(!embedded.is_empty() && embedded != source);
        assert_eq!(both.len(), source.len() + embedded.len());
        let error = store.training(&pair, "gpt-4o", 1).unwrap_err().to_string();
        assert!(error.contains("--data"), "{error}");
    }
}
