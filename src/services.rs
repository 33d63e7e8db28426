//! What the dataflow asks the outside for, answered by models and synthesizers on the pool's threads.

mod asked_once;
mod cohort;

use std::collections::{HashMap, HashSet};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

use hearth_operators::dataflow::{Answers, Services};
use hearth_operators::embed::ToEmbed;
use hearth_operators::outside::{Answer, Outside};
use hearth_operators::score::{Judged, Judgement, ToScore};
use hearth_operators::warm_up::WarmedUp;
use hearth_operators::words::{
    Candidates, Catalog, Catalogs, Filtered, Foundation, Reply, Request, ShiftKey, Version, Weights,
};

use crate::models::{Detector, Embedder, ModelError, Predictor, Preset};
use crate::notes::Notes;
use crate::pool::{Pool, Urgency, Work};
use crate::synthesizers::Synthesizer;
use crate::{filter, trainer};
use asked_once::AskedOnce;

/// Models that stay loaded, of each kind; a home's are needed again with its next segment.
const LOADED: usize = 512;

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
    /// Shifts of homes for which requests were made.
    shifts: Arc<Mutex<HashSet<ShiftKey>>>,
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

    /// Shifts of homes that are to be adapted to, done ones included.
    pub fn shifts(&self) -> u64 {
        let shifts = self.shifts.lock().unwrap_or_else(PoisonError::into_inner);
        shifts.len() as u64
    }

    /// Those of which the answers are filtered, and models trained where they are.
    pub fn adapted(&self) -> u64 {
        let filtered = self.filter.done.load(Ordering::Relaxed);
        filtered.saturating_sub(self.train.open())
    }

    /// Requests and shifts on their way to an adaptation.
    pub fn open_requests(&self) -> u64 {
        self.synthesize.open() + self.filter.open() + self.train.open()
    }
}

/// Everything that the dataflow asks for, on `pool`, counted in `workload`.
pub fn services(
    pool: &Pool,
    workload: &Workload,
    catalogs: &Arc<Catalogs>,
    notes: &Notes,
    settings: trainer::Settings,
    synthesizer: Option<Answers>,
) -> Services {
    let preset = settings.preset;
    let services = Services {
        foundation: pool.offer(Urgency::Soon, workload.foundation.clone(), {
            let (catalogs, notes) = (catalogs.clone(), notes.clone());
            move |warm: Arc<WarmedUp>| {
                // Models that are maintained know of a home what it does, whoever warmed up.
                if preset == Preset::Paper {
                    notes.warmed_up(&catalogs, &warm);
                }
                let catalog = catalogs.cohort(warm.cohort);
                let models = trainer::foundation(catalog, &warm.sequences, &settings)
                    .map_err(|e| format!("training the first models failed: {e}"))?;
                let cohort = warm.cohort;
                Ok(Arc::new(Foundation { cohort, ..models }))
            }
        }),
        encoder: pool.offer(Urgency::Soon, workload.encode.clone(), {
            let catalogs = catalogs.clone();
            let loaded = Loaded::new(preset, Embedder::load);
            move |ask: ToEmbed| {
                let encoder = loaded
                    .get(catalogs.cohort(ask.cohort), &ask.encoder)
                    .map_err(|e| failed("encoder", &e))?;
                let vectors = ask.sequences.iter().map(|s| encoder.embed(s).map(Arc::new));
                vectors
                    .collect::<Result<_, _>>()
                    .map_err(|e| failed("encoder", &e))
            }
        }),
        synthesizer,
        filter: pool.offer(Urgency::Patient, workload.filter.clone(), {
            let catalogs = catalogs.clone();
            move |candidates: Candidates| {
                let catalog = catalogs.cohort(catalogs.cohort_of(candidates.key.home));
                cohort::judged(&catalogs, candidates, |candidates| {
                    filter::filter(catalog, candidates, &settings)
                })
                .map_err(|e| format!("filtering candidates failed: {e}"))
            }
        }),
        trainer: pool.offer(Urgency::Patient, workload.train.clone(), {
            let catalogs = catalogs.clone();
            move |filtered: Filtered| {
                let catalog = catalogs.cohort(catalogs.cohort_of(filtered.key.home));
                let lesson = cohort::lesson(&catalogs, filtered);
                trainer::adapt(catalog, &lesson, &settings)
                    .map_err(|e| format!("adapting a home failed: {e}"))
            }
        }),
        models: pool.offer(Urgency::Soon, workload.score.clone(), {
            let catalogs = catalogs.clone();
            let detectors = Loaded::new(preset, Detector::load);
            let predictors = Loaded::new(preset, Predictor::load);
            move |ask: ToScore| {
                judge(&ask, &catalogs, &detectors, &predictors).map_err(|e| failed("score", &e))
            }
        }),
    };
    // What takes long, or costs money, is not begun again when the dataflow is built anew.
    let once = |answers| {
        let shifts = workload.shifts.clone();
        let inner = AskedOnce::over(answers, |request: &Arc<Request>| request.key);
        Arc::new(Noted { inner, shifts }) as Answers
    };
    Services {
        foundation: AskedOnce::over(services.foundation, |warm| warm.cohort),
        synthesizer: services.synthesizer.map(once),
        filter: AskedOnce::over(services.filter, |candidates| candidates.key),
        trainer: AskedOnce::over(services.trainer, |filtered| filtered.key),
        ..services
    }
}

/// A synthesizer that notes of which shifts requests come.
struct Noted {
    inner: Answers,
    shifts: Arc<Mutex<HashSet<ShiftKey>>>,
}

impl Outside<Arc<Request>, Reply> for Noted {
    fn ask(&self, request: Arc<Request>, answer: Answer<Reply>) {
        let mut shifts = self.shifts.lock().unwrap_or_else(PoisonError::into_inner);
        shifts.insert(request.key.shift);
        drop(shifts);
        self.inner.ask(request, answer);
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

/// Scores each behaviour of a home's segments by each version.
fn judge(
    ask: &ToScore,
    catalogs: &Catalogs,
    detectors: &Loaded<Detector>,
    predictors: &Loaded<Predictor>,
) -> Result<Judgement, ModelError> {
    let Some(home) = ask.segments.first().map(|segment| segment.home) else {
        return Ok(Vec::new());
    };
    let catalog = catalogs.cohort(catalogs.cohort_of(home));
    let detectors = detectors.all(catalog, &ask.detectors)?;
    let predictors = predictors.all(catalog, &ask.predictors)?;
    let segments = ask.segments.iter().map(|segment| {
        let sequence = catalogs.sequence_to_cohort(home, segment.sequence());
        let losses: Vec<Vec<f32>> = detectors
            .iter()
            .map(|d| d.losses(&sequence))
            .collect::<Result<_, _>>()?;
        let expected: Vec<Vec<Vec<f32>>> = predictors
            .iter()
            .map(|p| p.predict(&sequence))
            .collect::<Result<_, _>>()?;
        let best = |probabilities: &[f32]| cohort::best(catalogs, home, probabilities);
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

type Load<M> = fn(&Catalog, Preset, &Weights) -> Result<M, ModelError>;

/// Models by their weights, loaded at the first use.
struct Loaded<M> {
    preset: Preset,
    load: Load<M>,
    models: Mutex<HashMap<usize, (Weights, Arc<M>)>>,
}

impl<M> Loaded<M> {
    fn new(preset: Preset, load: Load<M>) -> Self {
        Loaded {
            preset,
            load,
            models: Mutex::default(),
        }
    }

    /// Those of some versions.
    fn all(&self, catalog: &Catalog, versions: &[Version]) -> Result<Vec<Arc<M>>, ModelError> {
        let models = versions.iter().map(|v| self.get(catalog, &v.weights));
        models.collect()
    }

    /// The model of a cohort's weights.
    fn get(&self, catalog: &Catalog, weights: &Weights) -> Result<Arc<M>, ModelError> {
        // Weights that are kept here keep their address, so it identifies them.
        let key = Arc::as_ptr(&weights.0) as usize;
        let models = || self.models.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, model)) = models().get(&key) {
            return Ok(model.clone());
        }
        let model = Arc::new((self.load)(catalog, self.preset, weights)?);
        let mut models = models();
        if models.len() >= LOADED {
            models.clear();
        }
        models.insert(key, (weights.clone(), model.clone()));
        Ok(model)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shift_is_adapted_to_once_it_is_filtered_or_what_follows_is_trained() {
        let workload = Workload::default();
        workload.filter.done.fetch_add(3, Ordering::Relaxed);
        assert_eq!(workload.adapted(), 3, "models that are maintained");
        workload.train.asked.fetch_add(2, Ordering::Relaxed);
        assert_eq!(workload.adapted(), 1);
        workload.train.done.fetch_add(2, Ordering::Relaxed);
        assert_eq!(workload.adapted(), 3);
    }
}
