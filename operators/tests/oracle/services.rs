//! What the dataflow asks the outside for, answered by chance but always alike, after a while.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hearth_operators::dataflow::Services;
use hearth_operators::embed::ToEmbed;
use hearth_operators::outside::Answer;
use hearth_operators::score::{Judged, Judgement, ToScore};
use hearth_operators::warm_up::WarmedUp;
use hearth_operators::words::*;

use crate::log::{Random, shift};

/// Versions go live or not, by chance but always the same for the same shift.
pub fn adapt(key: ShiftKey, seed: u64) -> Adaptation {
    let mut random = Random(seed ^ (u64::from(key.home.0) << 32 | u64::from(key.regime)));
    let mut version = |task| {
        let outcome = if random.below(4) == 0 {
            Outcome::Kept
        } else {
            Outcome::Promoted
        };
        let number = key.regime + 1;
        let version = Version {
            number,
            threshold: number as f32 / 8.0,
            weights: Weights(Arc::default()),
        };
        let shift = shift(None, Time(0));
        let evidence = String::new();
        (
            version,
            Adjustment {
                key,
                shift,
                task,
                version: number,
                outcome,
                before: 0.0,
                after: 0.0,
                evidence,
            },
        )
    };
    let versions = vec![version(Task::Detector), version(Task::Predictor)];
    Adaptation { key, versions }
}

pub fn judge(ask: &ToScore) -> Judgement {
    let loss = |version: &Version, moment: &Moment, salt: u64| {
        let mix = (moment.time.0 as u64) ^ (u64::from(version.number) << 48) ^ salt;
        Random(mix).below(1000) as f32 / 1000.0
    };
    let judged = |moment: &Moment| Judged {
        losses: ask.detectors.iter().map(|v| loss(v, moment, 1)).collect(),
        surprisals: ask.predictors.iter().map(|v| loss(v, moment, 2)).collect(),
        predictions: vec![(moment.action, loss(&ask.predictors[0], moment, 3))],
    };
    ask.segments
        .iter()
        .map(|s| s.moments.iter().map(judged).collect())
        .collect()
}

/// Answers after a while: mostly as soon as its thread's turn comes, seldom so late that all else has run dry. So answers come in
/// any order and in any state of the dataflow, and thousands of cases are done in minutes.
pub fn slowly<Q: Send + 'static, A: Send + 'static>(
    seed: u64,
    work: impl Fn(Q) -> A + Send + Sync + Clone + 'static,
) -> impl Fn(Q, Answer<A>) + Send + Sync {
    let random = Mutex::new(Random(seed));
    move |question, answer| {
        let wait = random.lock().expect("no test panics").below(64);
        let work = work.clone();
        std::thread::spawn(move || {
            match wait {
                0 => std::thread::sleep(Duration::from_millis(1)),
                wait => (0..wait % 8).for_each(|_| std::thread::yield_now()),
            }
            answer.send(work(question));
        });
    }
}

/// The same for the same thing.
fn random_of(thing: &impl Hash) -> Random {
    let mut hasher = DefaultHasher::new();
    thing.hash(&mut hasher);
    Random(hasher.finish())
}

/// Some of the representatives, sometimes with a word that nobody knows, sometimes nothing.
fn synthesize(catalogs: &Catalogs, request: Arc<Request>) -> Reply {
    let mut random = random_of(&request.key);
    let catalog = catalogs.of(request.key.shift.home);
    let row = |quadruple: &Quadruple| {
        [
            WEEKDAYS[usize::from(quadruple.weekday)].to_owned(),
            HOURS[usize::from(quadruple.hours)].to_owned(),
            catalog.device_name(quadruple.action).to_owned(),
            catalog.action_name(quadruple.action).to_owned(),
        ]
    };
    let mut written: Vec<Written> = Vec::new();
    for sequence in &request.representatives {
        let mut rows: Vec<Row> = sequence.0.iter().map(row).collect();
        if random.below(4) == 0 {
            rows[0][3] = "levitate".into();
        }
        written.push(Ok(rows));
    }
    let outcome = match random.below(5) {
        0 => Err("not today".to_owned()),
        _ => Ok(written),
    };
    Reply { request, outcome }
}

fn filter(candidates: Candidates) -> Filtered {
    let verdict = |candidate: &Candidate| {
        let loss = random_of(candidate).below(1000) as f32 / 1000.0;
        Verdict {
            candidate: candidate.clone(),
            retain: loss < 0.7,
            stage: 1,
            loss,
            bound: 0.7,
            baseline: None,
            trial: None,
        }
    };
    Filtered {
        key: candidates.key,
        verdicts: candidates.candidates.iter().map(verdict).collect(),
        regime: candidates.regime,
        foundation: candidates.foundation,
    }
}

fn embed(ask: &ToEmbed) -> Vec<Embedding> {
    let sequences = ask.sequences.iter();
    sequences.map(|s| Arc::new(embedding(s))).collect()
}

/// Services that take a while each.
pub fn services(catalogs: &Arc<Catalogs>) -> Services {
    let catalogs = catalogs.clone();
    Services {
        foundation: Arc::new(slowly(1, |w: Arc<WarmedUp>| foundation(w.cohort))),
        encoder: Arc::new(slowly(2, |ask: ToEmbed| embed(&ask))),
        synthesizer: Some(Arc::new(slowly(3, move |request| {
            synthesize(&catalogs, request)
        }))),
        filter: Arc::new(slowly(4, filter)),
        trainer: Arc::new(slowly(5, |filtered: Filtered| adapt(filtered.key, 7))),
        models: Arc::new(slowly(6, |ask: ToScore| judge(&ask))),
    }
}

/// An encoder that needs no training: how often each action and hour bucket occurs, of unit length.
pub fn embedding(sequence: &Sequence) -> Vec<f32> {
    let mut vector = vec![0f32; 16];
    for quadruple in &sequence.0 {
        vector[usize::from(quadruple.action.0)] += 1.0;
        vector[8 + usize::from(quadruple.hours)] += 1.0;
    }
    let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
    vector.into_iter().map(|x| x / length).collect()
}

pub fn foundation(cohort: CohortId) -> Arc<Foundation> {
    let weights = Weights(Arc::new(vec![]));
    let version = Version {
        number: 0,
        weights: weights.clone(),
        threshold: 0.5,
    };
    Arc::new(Foundation {
        cohort,
        encoder: weights,
        models: Some(FirstModels {
            detector: version.clone(),
            predictor: version,
        }),
        counts: Vec::new(),
    })
}
