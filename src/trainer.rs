//! Trains a cohort's first models, and a home's after a shift.

use std::ops::RangeInclusive;

use hearth_operators::words::{
    Adaptation, Adjustment, Catalog, CohortId, Filtered, Foundation, Outcome, Sequence, Shift,
    ShiftKey, Task, Version,
};
use rand::Rng;
use rand::seq::SliceRandom;

use crate::models::{
    Autoencoder, AutoencoderShape, Detector, Habits, Learner, Mixture, ModelError, Ngram, Plan,
    Preset, SasRec, WINDOW, fit, generator, mean, quantile, windows,
};

/// Sequences of the new context below which nothing is trained for a home.
const ENOUGH: usize = 5;
/// How many parts sequences are in, each of which is judged by a model of the others. The more parts, the
/// more each model knows; where there is much to count, a fifth less makes no difference.
const FOLDS: RangeInclusive<usize> = 5..=20;
/// There are no more parts than make models count so many sequences in all.
const COUNTED: usize = 4000;

/// A detector's threshold is this quantile of the losses of held-out behaviours: one normal behaviour in a hundred is
/// called an anomaly.
const THRESHOLD: f32 = 0.99;
/// Warm-up sequences beyond this many are sampled: a cohort's models are a start, and work must be bounded.
const WARM_UP: usize = 4096;

/// What training depends on besides data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Sizes and schedules.
    pub preset: Preset,
    /// Seed of everything drawn: equal seeds and data give bit-equal weights.
    pub seed: u64,
}

/// What a seed is used for: each purpose draws from a stream of its own, so that none moves another.
#[derive(Clone, Copy)]
pub(crate) enum Purpose {
    Split,
    Encoder,
    Detector,
    Predictor,
    Filter,
    Trial,
}

impl Settings {
    /// The seed for one purpose.
    pub(crate) fn seed_for(&self, purpose: Purpose) -> u64 {
        generator(self.seed, purpose as u64).random()
    }
}

/// Trains the models that a cohort's homes start from, on sequences of any of its homes.
///
/// The detector's threshold is the 99th percentile of the losses of behaviours that it has not learnt: of a fifth of the sequences,
/// drawn and held out, or of all of them in turn where it is counted. Of more than 4096 sequences as many are drawn.
///
/// # Errors
/// There is no behaviour to train on, or one is not of this catalog.
pub fn foundation(
    catalog: &Catalog,
    warm_up: &[Sequence],
    settings: &Settings,
) -> Result<Foundation, ModelError> {
    let preset = settings.preset;
    let known = warm_up.iter().filter(|s| !s.0.is_empty()).collect();
    let mut parts = split(known, settings.seed_for(Purpose::Split));
    if parts.train.is_empty() {
        return Err(ModelError::NoData);
    }
    parts.train.truncate(WARM_UP / 5 * 4);
    parts.held.truncate(WARM_UP / 5);
    let encoder = autoencoder(
        catalog,
        preset.encoder(),
        Purpose::Encoder,
        &parts,
        settings,
    )?;
    let encoder = encoder.parameters().weights()?;
    let detector = detector(catalog, 0, &parts, settings)?.0;
    let predictor = predictor(catalog, &parts, settings)?;
    Ok(Foundation {
        cohort: CohortId::default(),
        encoder,
        detector,
        predictor: Version {
            number: 0,
            weights: predictor.weights()?,
            threshold: 0.0,
        },
    })
}

/// A predictor from scratch: the network learns what there is to train on, then the held-out sequences say how far it is
/// to be believed beside the counts, and then they are counted too.
pub(crate) fn predictor(
    catalog: &Catalog,
    parts: &Parts,
    settings: &Settings,
) -> Result<Mixture, ModelError> {
    let preset = settings.preset;
    let shape = preset.predictor();
    let seed = settings.seed_for(Purpose::Predictor);
    let network = SasRec::fresh(catalog, shape, &mut generator(seed, 0))?;
    let plan = preset.predictor_plan();
    learn(&network, &parts.train, shape.window, &plan, seed)?;
    let count = |sequences: &[&Sequence]| Ngram::learn(catalog.actions(), sequences, false);
    let mut mixture = Mixture::new(network, count(&parts.train), [0.5; 2]);
    mixture.weigh(&parts.held)?;
    let (network, _, share) = mixture.into_parts();
    let all = [&parts.train[..], &parts.held].concat();
    Ok(Mixture::new(network, count(&all), share))
}

/// An autoencoder of some shape from scratch.
fn autoencoder(
    catalog: &Catalog,
    shape: AutoencoderShape,
    purpose: Purpose,
    parts: &Parts,
    settings: &Settings,
) -> Result<Autoencoder, ModelError> {
    let seed = settings.seed_for(purpose);
    let model = Autoencoder::fresh(catalog, shape, &mut generator(seed, 0))?;
    let plan = settings.preset.detector_plan();
    learn(&model, &parts.train, WINDOW, &plan, seed)?;
    Ok(model)
}

/// A detector from scratch, and the mean loss of the held-out behaviours. Those give a network its threshold; habits, counted in
/// no time, get theirs from all sequences, [cross-fitted](cross_fitted).
fn detector(
    catalog: &Catalog,
    number: u32,
    parts: &Parts,
    settings: &Settings,
) -> Result<(Version, f32), ModelError> {
    let preset = settings.preset;
    let (model, unlearnt) = if preset.counts() {
        let counted =
            |sequences: &[&Sequence]| Habits::learn(catalog, sequences).map(Detector::counted);
        let all = [&parts.held[..], &parts.train].concat();
        cross_fitted(&all, counted, Detector::losses)?
    } else {
        let shape = preset.detector();
        let network = autoencoder(catalog, shape, Purpose::Detector, parts, settings)?;
        let model = Detector::of(network);
        let held = strange(&model, &parts.held)?;
        (model, held)
    };
    let version = Version {
        number,
        weights: model.weights()?,
        threshold: quantile(&unlearnt.concat(), THRESHOLD),
    };
    Ok((version, mean(&unlearnt[..parts.held.len()])))
}

/// A model of all sequences, and what is made of each, in their order, by a model of the others: of all but one part of [`FOLDS`].
///
/// So a threshold rests on all sequences, and nothing is held back from the model; for models that are cheap to learn. A held-out
/// fifth says too little: of thirty sequences, two decide where the 95th percentile lies.
pub(crate) fn cross_fitted<M, T>(
    sequences: &[&Sequence],
    learn: impl Fn(&[&Sequence]) -> Result<M, ModelError>,
    judge: impl Fn(&M, &Sequence) -> Result<T, ModelError>,
) -> Result<(M, Vec<T>), ModelError> {
    let folds = (COUNTED / sequences.len().max(1)).clamp(*FOLDS.start(), *FOLDS.end());
    let folds = folds.min(sequences.len()).max(1);
    let models = (0..folds).map(|fold| {
        let others = sequences
            .iter()
            .enumerate()
            .filter(|(at, _)| at % folds != fold);
        let others: Vec<&Sequence> = others.map(|(_, s)| *s).collect();
        // One sequence alone must serve as both.
        learn(if others.is_empty() {
            sequences
        } else {
            &others
        })
    });
    let models: Vec<M> = models.collect::<Result<_, _>>()?;
    let judged = sequences.iter().zip(models.iter().cycle());
    let unlearnt = judged
        .map(|(s, model)| judge(model, s))
        .collect::<Result<_, _>>()?;
    Ok((learn(sequences)?, unlearnt))
}

/// The losses of all behaviours of some sequences.
fn strange(model: &Detector, sequences: &[&Sequence]) -> Result<Vec<Vec<f32>>, ModelError> {
    sequences.iter().map(|s| model.losses(s)).collect()
}

/// Adapts a home's models to the context that a shift began.
///
/// The detector learns the retained synthetic sequences and the real ones since the shift, so that it forgets what the
/// shift ended; the predictor learns the source regime as well, because what still happens is best known from there. A
/// fifth of the sequences of the new context, drawn, is held out: on it the cohort's model and the new one are compared. A model that is not better there is not promoted; nor is one trained for a home with fewer
/// than 5 sequences of the new context. Then the cohort's version is returned as `Kept`, with the reason as evidence.
///
/// # Errors
/// A sequence is not of this catalog, or the foundation's weights are of another catalog or preset.
pub fn adapt(
    catalog: &Catalog,
    filtered: &Filtered,
    settings: &Settings,
) -> Result<Adaptation, ModelError> {
    let preset = settings.preset;
    let foundation = &filtered.foundation;
    let retained = filtered.verdicts.iter().filter(|v| v.retain);
    let retained = retained.map(|v| &v.candidate.sequence);
    let new: Vec<&Sequence> = retained
        .chain(&filtered.regime.target)
        .filter(|s| !s.0.is_empty())
        .collect();
    let home = Home {
        key: filtered.key,
        shift: &filtered.regime.shift,
        sequences: new.len(),
    };
    if new.len() < ENOUGH {
        let detector = home.unchanged(Task::Detector, &foundation.detector);
        let predictor = home.unchanged(Task::Predictor, &foundation.predictor);
        return Ok(Adaptation {
            key: filtered.key,
            versions: vec![detector, predictor],
        });
    }
    let mut parts = split(new, settings.seed_for(Purpose::Split));

    let cohort = &foundation.detector;
    let old = Detector::load(catalog, preset, &cohort.weights)?;
    let before = mean(&strange(&old, &parts.held)?);
    let (detector, after) = detector(catalog, filtered.key.regime + 1, &parts, settings)?;
    let detector = home.judged(Task::Detector, cohort, detector, before, after, &parts);

    let cohort = &foundation.predictor;
    let shape = preset.predictor();
    let seed = settings.seed_for(Purpose::Predictor);
    let source: Vec<&Sequence> = filtered.regime.source.iter().collect();
    let source: Vec<&Sequence> = source.into_iter().filter(|s| !s.0.is_empty()).collect();
    let old = Mixture::stored(catalog, shape, &cohort.weights, false)?;
    let before = mean(&old.losses(&parts.held)?);
    let (cohorts, share) = believed(old, &source, settings)?;
    parts.train.extend(&source);
    let network = if preset.warm() {
        let whole = Mixture::stored(catalog, shape, &cohort.weights, true)?;
        whole.into_parts().0
    } else {
        SasRec::fresh(catalog, shape, &mut generator(seed, 0))?
    };
    let plan = preset.predictor_adaptation();
    learn(&network, &parts.train, shape.window, &plan, seed)?;
    let model = Mixture::new(network, cohorts.over(&parts.train), share);
    let after = mean(&model.losses(&parts.held)?);
    // Judged, it may count what judged it.
    let all = [&parts.train[..], &parts.held].concat();
    let model = Mixture::new(model.into_parts().0, cohorts.over(&all), share);
    let predictor = Version {
        number: filtered.key.regime + 1,
        weights: model.weights()?,
        threshold: 0.0,
    };
    let predictor = home.judged(Task::Predictor, cohort, predictor, before, after, &parts);
    Ok(Adaptation {
        key: filtered.key,
        versions: vec![detector, predictor],
    })
}

/// The cohort's counts, and how far a network is to be believed beside a home's own: a fifth of the source is held out to
/// say it, with the cohort's network. Synthetic sequences cannot say it, for they are made of the source and so of what is
/// counted. The adapted network is better than the cohort's, if anything, so it is not believed too much.
fn believed(
    cohort: Mixture,
    source: &[&Sequence],
    settings: &Settings,
) -> Result<(Ngram, [f32; 2]), ModelError> {
    let (network, counts, share) = cohort.into_parts();
    if source.len() < ENOUGH {
        return Ok((counts, share));
    }
    let parts = split(source.to_vec(), settings.seed_for(Purpose::Split));
    let mut trial = Mixture::new(network, counts.over(&parts.train), share);
    trial.weigh(&parts.held)?;
    let (_, _, share) = trial.into_parts();
    Ok((counts, share))
}

/// Sequences to train on and sequences to judge by.
pub(crate) struct Parts<'a> {
    pub train: Vec<&'a Sequence>,
    pub held: Vec<&'a Sequence>,
}

/// Draws a fifth, rounded up, to be held out. A single sequence must serve as both.
pub(crate) fn split(mut sequences: Vec<&Sequence>, seed: u64) -> Parts<'_> {
    sequences.shuffle(&mut generator(seed, 0));
    let held = sequences.split_off(sequences.len() - sequences.len().div_ceil(5));
    let train = if sequences.is_empty() {
        held.clone()
    } else {
        sequences
    };
    Parts { train, held }
}

/// Trains a model on sequences, read in windows of at most `length`.
pub(crate) fn learn(
    model: &impl Learner,
    sequences: &[&Sequence],
    length: usize,
    plan: &Plan,
    seed: u64,
) -> Result<(), ModelError> {
    check(model, sequences)?;
    let windows = windows(sequences.iter().copied(), length);
    fit(model, &windows, &[], plan, seed)
}

/// The losses of all behaviours of some sequences, by window.
pub(crate) fn losses(
    model: &impl Learner,
    sequences: &[&Sequence],
    length: usize,
) -> Result<Vec<Vec<f32>>, ModelError> {
    check(model, sequences)?;
    model.scores(&windows(sequences.iter().copied(), length))
}

fn check(model: &impl Learner, sequences: &[&Sequence]) -> Result<(), ModelError> {
    let vocabulary = model.vocabulary();
    sequences.iter().try_for_each(|s| vocabulary.check(s))
}

/// The home that is adapted, for its lines of `adaptations`.
struct Home<'a> {
    key: ShiftKey,
    shift: &'a Shift,
    /// How many sequences of the new context there are.
    sequences: usize,
}

impl Home<'_> {
    /// The cohort's version, because there is too little to train on.
    fn unchanged(&self, task: Task, cohort: &Version) -> (Version, Adjustment) {
        let evidence = format!(
            "{} sequences of the new context, at least {ENOUGH} are needed: nothing was trained",
            self.sequences
        );
        // Nothing was compared: no number is what `null` stands for in the outputs.
        let none = (f32::NAN, f32::NAN);
        let line = self.line(task, cohort.number, Outcome::Kept, none, evidence);
        (cohort.clone(), line)
    }

    /// The better of the cohort's version and the new one.
    fn judged(
        &self,
        task: Task,
        cohort: &Version,
        new: Version,
        before: f32,
        after: f32,
        parts: &Parts,
    ) -> (Version, Adjustment) {
        let data = format!(
            "mean loss a behaviour of {} held-out sequences of the new context (of {}, synthetic and real), trained on at least {}",
            parts.held.len(),
            self.sequences,
            parts.train.len(),
        );
        // Written so that a loss that is no number is not better.
        if after < before {
            let line = self.line(task, new.number, Outcome::Promoted, (before, after), data);
            (new, line)
        } else {
            let evidence = format!("{data}; the adapted model was not better ({after:.3})");
            let line = self.line(
                task,
                cohort.number,
                Outcome::Kept,
                (before, before),
                evidence,
            );
            (cohort.clone(), line)
        }
    }

    fn line(
        &self,
        task: Task,
        version: u32,
        outcome: Outcome,
        (before, after): (f32, f32),
        evidence: String,
    ) -> Adjustment {
        Adjustment {
            key: self.key,
            shift: self.shift.clone(),
            task,
            version,
            outcome,
            before,
            after,
            evidence,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use hearth_operators::words::{
        ActionId, Candidate, HomeId, Quadruple, Regime, RequestKey, Shift, ShiftKind, Time, Verdict,
    };

    use super::*;
    use crate::catalog::catalog_of;

    const SETTINGS: Settings = Settings {
        preset: Preset::Small,
        seed: 4,
    };

    fn catalog() -> Catalog {
        let actions: &[&str] = &["on", "off"];
        catalog_of(&["Fan", "Heater", "Light"].map(|name| (name, actions)))
    }

    /// `count` evenings: the light, then the device of the season, then off in the same order.
    fn evenings(count: usize, season: u16) -> Vec<Sequence> {
        let evening = |i: usize| {
            let step = |hours, action| Quadruple {
                weekday: (i % 7) as u8,
                hours,
                action: ActionId(action),
            };
            Sequence(vec![
                step(6, 4),
                step(6, season),
                step(7, 5),
                step(7, season + 1),
            ])
        };
        (0..count).map(evening).collect()
    }

    const FAN: u16 = 0;
    const HEATER: u16 = 2;

    fn filtered(
        foundation: Foundation,
        retained: usize,
        deleted: usize,
        target: usize,
    ) -> Filtered {
        let key = ShiftKey {
            home: HomeId(1),
            regime: 2,
        };
        let request = RequestKey {
            shift: key,
            weekday: 0,
            part: 0,
        };
        let sequences = evenings(retained + deleted, FAN).into_iter().enumerate();
        let verdicts = sequences.map(|(i, sequence)| Verdict {
            candidate: Candidate {
                request,
                position: i as u32,
                sequence,
            },
            retain: i < retained,
            stage: 1,
            loss: 0.0,
            bound: 0.0,
            baseline: None,
            trial: None,
        });
        Filtered {
            key,
            regime: Arc::new(Regime {
                shift: Shift {
                    home: None,
                    time: Time(0),
                    offset: 0,
                    kind: ShiftKind::Season,
                    from: "winter".into(),
                    to: "summer".into(),
                },
                source: evenings(30, HEATER),
                target: evenings(target, FAN),
            }),
            verdicts: verdicts.collect(),
            foundation: Arc::new(foundation),
        }
    }

    #[test]
    fn a_home_learns_what_begins_and_its_detector_forgets_what_ended() {
        let catalog = catalog();
        let cohort = foundation(&catalog, &evenings(60, HEATER), &SETTINGS).unwrap();
        let filtered = filtered(cohort.clone(), 25, 3, 5);
        let adaptation = adapt(&catalog, &filtered, &SETTINGS).unwrap();
        let [(detector, line), (predictor, other)] = adaptation.versions.as_slice() else {
            panic!("two tasks: {:?}", adaptation.versions.len());
        };
        for (line, task) in [(line, Task::Detector), (other, Task::Predictor)] {
            assert_eq!(line.task, task);
            assert_eq!(line.outcome, Outcome::Promoted);
            assert_eq!(line.version, 3);
            assert!(line.after < line.before / 2.0, "{line:?}");
            assert!(
                line.evidence
                    .starts_with("mean loss a behaviour of 6 held-out")
            );
        }
        assert_eq!((detector.number, predictor.number), (3, 3));

        let worst = |version: &Version, season| {
            let model = crate::models::Detector::load(&catalog, Preset::Small, &version.weights);
            let losses = model.unwrap().losses(&evenings(1, season)[0]).unwrap();
            losses.into_iter().fold(0.0, f32::max)
        };
        assert!(worst(&cohort.detector, FAN) >= cohort.detector.threshold);
        assert!(worst(detector, FAN) < worst(&cohort.detector, FAN) / 2.0);
        assert!(worst(detector, HEATER) >= detector.threshold);

        // The predictor still knows the heater, because the source was learnt too.
        let model = crate::models::Predictor::load(&catalog, Preset::Small, &predictor.weights);
        let next = &model.unwrap().predict(&evenings(1, FAN)[0]).unwrap()[1];
        assert!(
            next[usize::from(FAN)] > 0.1 && next[usize::from(HEATER)] > 0.1,
            "{next:?}"
        );

        let again = adapt(&catalog, &filtered, &SETTINGS).unwrap();
        assert_eq!(again, adaptation);
    }

    #[test]
    fn too_little_data_leaves_the_cohorts_models() {
        let catalog = catalog();
        let cohort = foundation(&catalog, &evenings(10, HEATER), &SETTINGS).unwrap();
        let filtered = filtered(cohort.clone(), 3, 9, 1);
        let adaptation = adapt(&catalog, &filtered, &SETTINGS).unwrap();
        for ((version, line), old) in adaptation
            .versions
            .iter()
            .zip([&cohort.detector, &cohort.predictor])
        {
            assert_eq!(version, old);
            assert_eq!((line.outcome, line.version), (Outcome::Kept, 0));
            assert!(line.evidence.starts_with("4 sequences"));
        }
    }

    #[test]
    fn a_foundation_needs_data_of_its_catalog_and_its_seed_decides_it() {
        let catalog = catalog();
        let train = |data: &[Sequence], seed| {
            let settings = Settings { seed, ..SETTINGS };
            foundation(&catalog, data, &settings)
        };
        assert!(matches!(train(&[], 1), Err(ModelError::NoData)));
        assert!(matches!(
            train(&[Sequence(Vec::new())], 1),
            Err(ModelError::NoData)
        ));
        let unknown = train(&evenings(9, 40), 1);
        assert!(matches!(unknown, Err(ModelError::Unknown { .. })));
        let data = evenings(1, FAN);
        assert_eq!(train(&data, 1).unwrap(), train(&data, 1).unwrap());
        assert_ne!(train(&data, 1).unwrap(), train(&data, 2).unwrap());
    }

    #[test]
    fn a_fifth_is_held_out_and_nothing_is_lost() {
        let sequences = evenings(11, FAN);
        let parts = split(sequences.iter().collect(), 1);
        assert_eq!((parts.train.len(), parts.held.len()), (8, 3));
        let mut all: Vec<_> = parts.train.iter().chain(&parts.held).copied().collect();
        all.sort();
        let mut expected: Vec<_> = sequences.iter().collect();
        expected.sort();
        assert_eq!(all, expected);
    }

    /// Each sequence is judged by a model that learnt all but one part of them, and not it; the last model has learnt all.
    #[test]
    fn each_is_judged_by_what_has_not_learnt_it() {
        for (count, folds) in [(2, 2), (7, 7), (103, 20), (500, 8), (3003, 5)] {
            let sequences: Vec<Sequence> = (0..count)
                .map(|n| {
                    Sequence(vec![Quadruple {
                        weekday: 0,
                        hours: 0,
                        action: ActionId(n as u16),
                    }])
                })
                .collect();
            let all: Vec<&Sequence> = sequences.iter().collect();
            let learn = |known: &[&Sequence]| Ok(known.iter().map(|s| (*s).clone()).collect());
            let judge = |known: &Vec<Sequence>, s: &Sequence| {
                assert!(!known.contains(s));
                let part = count - known.len();
                assert!(
                    part == count / folds || part == count.div_ceil(folds),
                    "{part} of {count}"
                );
                Ok(s.clone())
            };
            let (whole, judged) = cross_fitted(&all, learn, judge).unwrap();
            assert_eq!((&whole, &judged), (&sequences, &sequences));
        }
        let one = evenings(1, FAN);
        let alone = cross_fitted(&[&one[0]], |known| Ok(known.len()), |known, _| Ok(*known));
        assert_eq!(alone.unwrap(), (1, vec![1]));
    }
}
