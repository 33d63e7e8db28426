//! What the dataflow asks the outside for, answered by models and synthesizers on the pool's threads.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use hearth_operators::embed::ToEmbed;
use hearth_operators::offload::{Answer, Outside};
use hearth_operators::score::{Judged, Judgement, ToScore};
use hearth_operators::words::{
    ActionId, Adaptation, Candidates, Catalog, Embedding, Filtered, Foundation, Reply, Request,
    Sequence, Weights,
};

use crate::models::{Detector, Embedder, ModelError, Predictor, Preset};
use crate::pool::{Pool, Urgency, Work};
use crate::synthesizers::Synthesizer;
use crate::{filter, trainer};

/// How many predictions a score names.
const PREDICTIONS: usize = 5;

/// Models that stay loaded, of each kind; a home's are needed again with its next segment.
const LOADED: usize = 512;

/// Whoever answers requests.
pub type Answers = Arc<dyn Outside<Arc<Request>, Reply>>;

/// Everything that the dataflow asks for.
pub struct Services {
    /// Trains a cohort's first models on the warm-up.
    pub foundation: Arc<dyn Outside<Arc<Vec<Sequence>>, Arc<Foundation>>>,
    /// Embeds sequences.
    pub encoder: Arc<dyn Outside<ToEmbed, Vec<Embedding>>>,
    /// Answers requests; `None`: nobody is asked.
    pub synthesizer: Option<Answers>,
    /// Judges candidates (TOF).
    pub filter: Arc<dyn Outside<Candidates, Filtered>>,
    /// Adapts a home's models.
    pub trainer: Arc<dyn Outside<Filtered, Adaptation>>,
    /// Scores segments.
    pub models: Arc<dyn Outside<ToScore, Judgement>>,
}

/// How much work of each kind was done.
#[derive(Clone, Debug, Default)]
pub struct Workload {
    /// First models of cohorts.
    pub foundation: Arc<Work>,
    /// Batches embedded.
    pub encode: Arc<Work>,
    /// Requests.
    pub synthesize: Arc<Work>,
    /// Shifts filtered.
    pub filter: Arc<Work>,
    /// Homes adapted.
    pub train: Arc<Work>,
    /// Batches scored.
    pub score: Arc<Work>,
}

impl Workload {
    /// Each kind with its name.
    pub fn all(&self) -> [(&'static str, &Work); 6] {
        [
            ("foundation", &self.foundation),
            ("encode", &self.encode),
            ("synthesize", &self.synthesize),
            ("filter", &self.filter),
            ("train", &self.train),
            ("score", &self.score),
        ]
    }

    /// Requests and shifts on their way to an adaptation.
    pub fn open_requests(&self) -> u64 {
        self.synthesize.open() + self.filter.open() + self.train.open()
    }
}

impl Services {
    /// Offers everything on `pool`, counting it in `workload`.
    pub fn new(
        pool: &Pool,
        workload: &Workload,
        catalog: &Arc<Catalog>,
        settings: trainer::Settings,
        synthesizer: Option<Answers>,
    ) -> Self {
        let preset = settings.preset;
        Services {
            foundation: pool.offer(Urgency::Soon, workload.foundation.clone(), {
                let catalog = catalog.clone();
                move |sequences: Arc<Vec<Sequence>>| {
                    trainer::foundation(&catalog, &sequences, &settings)
                        .map(Arc::new)
                        .map_err(|e| format!("training the first models failed: {e}"))
                }
            }),
            encoder: pool.offer(Urgency::Soon, workload.encode.clone(), {
                let loaded = Loaded::new(catalog.clone(), preset, Embedder::load);
                move |ask: ToEmbed| {
                    let encoder = loaded
                        .get(&ask.encoder)
                        .map_err(|e| failed("encoder", &e))?;
                    let vectors = ask.sequences.iter().map(|s| encoder.embed(s).map(Arc::new));
                    vectors
                        .collect::<Result<_, _>>()
                        .map_err(|e| failed("encoder", &e))
                }
            }),
            synthesizer,
            filter: pool.offer(Urgency::Patient, workload.filter.clone(), {
                let catalog = catalog.clone();
                move |candidates: Candidates| {
                    filter::filter(&catalog, &candidates, &settings)
                        .map_err(|e| format!("filtering candidates failed: {e}"))
                }
            }),
            trainer: pool.offer(Urgency::Patient, workload.train.clone(), {
                let catalog = catalog.clone();
                move |filtered: Filtered| {
                    trainer::adapt(&catalog, &filtered, &settings)
                        .map_err(|e| format!("adapting a home failed: {e}"))
                }
            }),
            models: pool.offer(Urgency::Soon, workload.score.clone(), {
                let detectors = Loaded::new(catalog.clone(), preset, Detector::load);
                let predictors = Loaded::new(catalog.clone(), preset, Predictor::load);
                move |ask: ToScore| {
                    judge(&ask, &detectors, &predictors).map_err(|e| failed("score", &e))
                }
            }),
        }
    }

    /// Who answers requests; where nobody does, every answer is dropped.
    pub fn synthesizer(&self) -> Answers {
        let nobody = || Arc::new(|_request: Arc<Request>, _answer: Answer<Reply>| {}) as Arc<_>;
        self.synthesizer.clone().unwrap_or_else(nobody)
    }
}

/// A synthesizer's answers as jobs of the pool.
pub fn answers(pool: &Pool, workload: &Workload, synthesizer: Arc<dyn Synthesizer>) -> Answers {
    pool.offer(
        Urgency::Patient,
        workload.synthesize.clone(),
        move |request: Arc<Request>| {
            let outcome = synthesizer.synthesize(&request);
            Ok(Reply { request, outcome })
        },
    )
}

fn failed(what: &str, error: &ModelError) -> String {
    format!("a model failed ({what}): {error}")
}

/// Scores each behaviour of the segments by each version.
fn judge(
    ask: &ToScore,
    detectors: &Loaded<Detector>,
    predictors: &Loaded<Predictor>,
) -> Result<Judgement, ModelError> {
    let of = |versions: &[hearth_operators::words::Version]| -> Vec<Weights> {
        versions.iter().map(|v| v.weights.clone()).collect()
    };
    let detectors: Vec<_> = of(&ask.detectors)
        .iter()
        .map(|w| detectors.get(w))
        .collect::<Result<_, _>>()?;
    let predictors: Vec<_> = of(&ask.predictors)
        .iter()
        .map(|w| predictors.get(w))
        .collect::<Result<_, _>>()?;
    let segments = ask.segments.iter().map(|segment| {
        let sequence = segment.sequence();
        let losses: Vec<Vec<f32>> = detectors
            .iter()
            .map(|d| d.losses(&sequence))
            .collect::<Result<_, _>>()?;
        let expected: Vec<Vec<Vec<f32>>> = predictors
            .iter()
            .map(|p| p.predict(&sequence))
            .collect::<Result<_, _>>()?;
        let judged = sequence.0.iter().enumerate().map(|(i, quadruple)| {
            let action = usize::from(quadruple.action.0);
            Judged {
                losses: losses.iter().map(|l| l[i]).collect(),
                surprisals: expected
                    .iter()
                    .map(|p| -p[i][action].max(f32::MIN_POSITIVE).ln())
                    .collect(),
                predictions: expected.first().map_or_else(Vec::new, |p| best(&p[i])),
            }
        });
        Ok(judged.collect())
    });
    segments.collect()
}

/// The most probable actions, ties broken by action id.
fn best(probabilities: &[f32]) -> Vec<(ActionId, f32)> {
    let mut ranked: Vec<(ActionId, f32)> = (0u16..)
        .map(ActionId)
        .zip(probabilities.iter().copied())
        .collect();
    ranked.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    ranked.truncate(PREDICTIONS);
    ranked
}

type Load<M> = fn(&Catalog, Preset, &Weights) -> Result<M, ModelError>;

/// Models by their weights, loaded at the first use.
struct Loaded<M> {
    catalog: Arc<Catalog>,
    preset: Preset,
    load: Load<M>,
    models: Mutex<HashMap<usize, (Weights, Arc<M>)>>,
}

impl<M> Loaded<M> {
    fn new(catalog: Arc<Catalog>, preset: Preset, load: Load<M>) -> Self {
        Loaded {
            catalog,
            preset,
            load,
            models: Mutex::default(),
        }
    }

    fn get(&self, weights: &Weights) -> Result<Arc<M>, ModelError> {
        // Weights that are kept here keep their address, so it identifies them.
        let key = Arc::as_ptr(&weights.0) as usize;
        let models = || self.models.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, model)) = models().get(&key) {
            return Ok(model.clone());
        }
        let model = Arc::new((self.load)(&self.catalog, self.preset, weights)?);
        let mut models = models();
        if models.len() >= LOADED {
            models.clear();
        }
        models.insert(key, (weights.clone(), model.clone()));
        Ok(model)
    }
}
