//! The Two-stage Outlier Filter (TOF): which synthetic sequences to learn from.

use std::collections::BTreeMap;

use hearth_operators::words::{Candidate, Candidates, Catalog, Filtered, Sequence, Verdict};

use crate::models::{
    Autoencoder, Learner, ModelError, WINDOW, fit, generator, mean, quantile, windows,
};
use crate::trainer::{Purpose, Settings, learn, losses, split};

/// Candidates below which quartiles say nothing: all are retained.
const ENOUGH: usize = 8;

/// Judges each candidate of a shift.
///
/// Stage 1: an autoencoder learns all candidates; whose reconstruction loss (mean over its behaviours) lies above
/// Q3 + 1.5·IQR is an outlier, the others are retained.
///
/// Stage 2: the inliers are split 8:2 (drawn). A base model learns the larger part; for each outlier a trial model
/// starts from the same weights and learns the same batches in the same order with the same draws, the outlier
/// joining one batch of each pass. It is retained if the loss on the smaller part does not rise by it.
///
/// In the `small` preset models start from the cohort's detector and learn shortly; what stage 2's models share, they learn
/// together. In `paper` each model is trained from scratch. Equal candidates share their stage 2. Fewer than 8 candidates are
/// all retained at stage 1, with a loss of 0 and an infinite bound: there is nothing to compare with.
///
/// # Errors
/// A candidate is empty or not of this catalog, or the foundation's weights are of another catalog or preset.
pub fn filter(
    catalog: &Catalog,
    candidates: &Candidates,
    settings: &Settings,
) -> Result<Filtered, ModelError> {
    let verdicts = if candidates.candidates.len() < ENOUGH {
        let of = |c: &Candidate| first_stage(c, 0.0, f32::INFINITY);
        candidates.candidates.iter().map(of).collect()
    } else {
        judge(catalog, candidates, settings)?
    };
    Ok(Filtered {
        key: candidates.key,
        regime: candidates.regime.clone(),
        verdicts,
        foundation: candidates.foundation.clone(),
    })
}

fn judge(
    catalog: &Catalog,
    candidates: &Candidates,
    settings: &Settings,
) -> Result<Vec<Verdict>, ModelError> {
    let preset = settings.preset;
    let all: Vec<&Sequence> = candidates.candidates.iter().map(|c| &c.sequence).collect();
    if all.iter().any(|s| s.0.is_empty()) {
        return Err(ModelError::Empty);
    }
    let seed = settings.seed_for(Purpose::Filter);
    let shape = preset.detector();
    let start = || {
        if preset.warm() {
            let cohort = &candidates.foundation.detector.weights;
            Autoencoder::stored(catalog, shape, cohort, true)
        } else {
            Autoencoder::fresh(catalog, shape, &mut generator(seed, 0))
        }
    };
    let model = start()?;
    learn(&model, &all, WINDOW, &preset.filter_plan(), seed)?;
    let found = all
        .iter()
        .map(|s| Ok(mean(&losses(&model, &[s], WINDOW)?)))
        .collect::<Result<Vec<f32>, ModelError>>()?;
    let bound = fence(&found);
    let mut verdicts: Vec<Verdict> = candidates
        .candidates
        .iter()
        .zip(&found)
        .map(|(candidate, &loss)| first_stage(candidate, loss, bound))
        .collect();

    let inliers = all.iter().zip(&found).filter(|(_, loss)| **loss <= bound);
    let parts = split(
        inliers.map(|(s, _)| *s).collect(),
        settings.seed_for(Purpose::Split),
    );
    let seed = settings.seed_for(Purpose::Trial);
    let base = start()?;
    if preset.warm() {
        // What all trials share is learnt once. Not by stage 1's model: that one has seen the outliers.
        learn(&base, &parts.train, WINDOW, &preset.filter_plan(), seed)?;
    }
    let base = base.parameters().weights()?;
    let train = windows(parts.train.iter().copied(), WINDOW);
    // The loss on the smaller part of a model that learnt the larger one, with or without a guest.
    let retrained = |guest: Option<&Sequence>| {
        let model = Autoencoder::stored(catalog, shape, &base, true)?;
        let guest = guest.map(|s| windows([s], WINDOW)).unwrap_or_default();
        fit(&model, &train, &guest, &preset.trial_plan(), seed)?;
        Ok::<f32, ModelError>(mean(&losses(&model, &parts.held, WINDOW)?))
    };
    let mut baseline = None;
    let mut tried: BTreeMap<&Sequence, f32> = BTreeMap::new();
    for (verdict, sequence) in verdicts.iter_mut().zip(&all) {
        if verdict.loss <= bound {
            continue;
        }
        let baseline = match baseline {
            Some(loss) => loss,
            None => *baseline.insert(retrained(None)?),
        };
        let trial = match tried.get(sequence) {
            Some(&loss) => loss,
            None => {
                let loss = retrained(Some(sequence))?;
                tried.insert(sequence, loss);
                loss
            }
        };
        verdict.stage = 2;
        verdict.retain = trial <= baseline;
        verdict.baseline = Some(baseline);
        verdict.trial = Some(trial);
    }
    Ok(verdicts)
}

fn first_stage(candidate: &Candidate, loss: f32, bound: f32) -> Verdict {
    Verdict {
        candidate: candidate.clone(),
        retain: true,
        stage: 1,
        loss,
        bound,
        baseline: None,
        trial: None,
    }
}

/// Q3 + 1.5·IQR: what lies above is an outlier (Tukey).
fn fence(losses: &[f32]) -> f32 {
    let (q1, q3) = (quantile(losses, 0.25), quantile(losses, 0.75));
    q3 + 1.5 * (q3 - q1)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use hearth_operators::words::{
        Action, ActionId, Device, HomeId, Quadruple, Regime, RequestKey, Shift, ShiftKey,
        ShiftKind, Time,
    };

    use rand::Rng;

    use super::*;
    use crate::models::Preset;
    use crate::trainer::foundation;

    const SETTINGS: Settings = Settings {
        preset: Preset::Small,
        seed: 17,
    };

    fn catalog() -> Catalog {
        let device = |name: &str| Device {
            name: name.into(),
            actions: (0..4)
                .map(|i| Action {
                    name: format!("set {i}"),
                    closes: Vec::new(),
                })
                .collect(),
        };
        Catalog::new(["Heater", "Light", "Lock", "Siren"].map(device).to_vec()).unwrap()
    }

    fn sequence(behaviors: &[(u8, u8, u16)]) -> Sequence {
        let quadruple = |&(weekday, hours, action): &(u8, u8, u16)| Quadruple {
            weekday,
            hours,
            action: ActionId(action),
        };
        Sequence(behaviors.iter().map(quadruple).collect())
    }

    /// Mornings and evenings as people live them: steps left out, an hour late; one evening in six the siren is armed.
    fn routines() -> Vec<Sequence> {
        let mut rng = generator(5, 0);
        let mut routine = || {
            let day = rng.random_range(0..7);
            let late = rng.random_range(0..=1);
            let mut steps = if rng.random_bool(0.5) {
                vec![(day, 2, 0), (day, 2, 4), (day, 2 + late, 8), (day, 3, 2)]
            } else {
                let armed = [(day, 7, 12), (day, 7, 14)];
                let armed = &armed[..if rng.random_bool(1.0 / 6.0) { 2 } else { 0 }];
                let mut steps = vec![(day, 6, 9), (day, 6 + late, 5), (day, 7, 1), (day, 7, 6)];
                steps.extend(armed);
                steps
            };
            steps.retain(|_| rng.random_bool(0.85));
            steps
        };
        let routines = std::iter::repeat_with(|| sequence(&routine()));
        routines.filter(|s| !s.0.is_empty()).take(70).collect()
    }

    fn candidates(sequences: Vec<Sequence>) -> Candidates {
        let key = ShiftKey {
            home: HomeId(3),
            regime: 0,
        };
        let shift = Shift {
            home: None,
            time: Time(0),
            offset: 0,
            kind: ShiftKind::Season,
            from: "winter".into(),
            to: "summer".into(),
        };
        let request = RequestKey {
            shift: key,
            weekday: 0,
            part: 0,
        };
        let candidates = sequences.into_iter().enumerate();
        Candidates {
            key,
            regime: Arc::new(Regime {
                shift,
                source: routines(),
                target: Vec::new(),
            }),
            candidates: candidates
                .map(|(i, sequence)| Candidate {
                    request,
                    position: i as u32,
                    sequence,
                })
                .collect(),
            foundation: Arc::new(foundation(&catalog(), &routines(), &SETTINGS).unwrap()),
        }
    }

    #[test]
    fn absurd_candidates_are_deleted_and_benign_outliers_retained() {
        let mut sequences = routines();
        // The siren armed at the end of a short evening: seldom, but as others do it.
        sequences.push(sequence(&[(2, 7, 1), (2, 7, 12), (2, 7, 14)]));
        // The siren again and again, weekdays and hours running wild.
        let absurd = sequence(&[(5, 7, 15), (1, 2, 13), (6, 0, 15), (0, 3, 12), (3, 1, 14)]);
        sequences.extend([absurd.clone(), absurd]);
        let asked = candidates(sequences);
        let filtered = filter(&catalog(), &asked, &SETTINGS).unwrap();

        assert_eq!(filtered.verdicts.len(), asked.candidates.len());
        let [benign, absurd, again] = &filtered.verdicts[70..] else {
            panic!("three were planted");
        };
        for verdict in [benign, absurd, again] {
            assert_eq!(verdict.stage, 2, "{verdict:?}");
            assert!(verdict.loss > verdict.bound);
            assert_eq!(verdict.retain, verdict.trial <= verdict.baseline);
        }
        assert!(benign.retain, "{benign:?}");
        assert!(!absurd.retain, "{absurd:?}");
        assert_eq!(absurd.trial, again.trial);
        for verdict in &filtered.verdicts[..70] {
            let first = verdict.stage == 1;
            assert_eq!(first, verdict.loss <= verdict.bound);
            assert!(!first || verdict.retain && verdict.baseline.is_none());
        }
        let again = filter(&catalog(), &asked, &SETTINGS).unwrap();
        assert_eq!(again.verdicts, filtered.verdicts);
    }

    #[test]
    fn too_few_candidates_are_all_retained() {
        let filtered = filter(&catalog(), &candidates(routines()[..7].to_vec()), &SETTINGS);
        let verdicts = filtered.unwrap().verdicts;
        assert_eq!(verdicts.len(), 7);
        assert!(verdicts.iter().all(|v| v.retain && v.stage == 1));
    }
}
