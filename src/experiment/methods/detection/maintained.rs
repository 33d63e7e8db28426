//! Hearth's maintained detector as the dataflow runs it: a home's [surprises](hearth_operators::surprise), counted from all that it
//! did, before a shift and since, segment by segment.
//!
//! What was imagined is nothing to it in use. Where an experiment gives it to be learnt, it is counted as if it had happened since
//! the shift.

use std::sync::Arc;

use hearth_operators::habits;
use hearth_operators::surprise::{Changes, Counts, Detector, Surprise};
use hearth_operators::words::{Catalogs, HomeId, Segment, Sequence, Time};

use super::{Calibrated, Detection, Scorer, TrainingData};
use crate::experiment::methods::Life;
use crate::experiment::methods::life::{Calendar, within};
use crate::models::{Columns, ModelError, Vocabulary, mean};
use crate::trainer::cross_fitted;

/// Hearth's maintained detector.
pub struct Maintained;

impl Detection for Maintained {
    fn name(&self) -> &'static str {
        "Hearth"
    }

    fn fit(&self, data: &TrainingData) -> Result<Box<dyn Scorer>, ModelError> {
        Ok(Box::new(match data.life {
            Some(life) => Watching::through(data, life)?,
            None => {
                let present = data.train.to_vec();
                let life = Life {
                    present,
                    ..Life::default()
                };
                Watching::through(data, &life)?
            }
        }))
    }

    /// Each sequence is scored by a life without it.
    fn calibrated(&self, data: &TrainingData) -> Result<Calibrated, ModelError> {
        let life = match data.life {
            Some(life) => life.clone(),
            None => Life {
                present: [data.held, data.train].concat(),
                ..Life::default()
            },
        };
        let parts = [&life.past, &life.imagined, &life.present];
        let parts = parts.into_iter().enumerate();
        let all: Vec<(usize, &Sequence)> = parts
            .flat_map(|(part, of)| of.iter().map(move |s| (part, s)))
            .collect();
        let learn = |all: &[(usize, &Sequence)]| {
            let of = |part: usize| {
                let of = all.iter().filter(|(own, _)| *own == part);
                of.map(|(_, s)| (*s).clone()).collect()
            };
            let life = Life {
                past: of(0),
                imagined: of(1),
                present: of(2),
            };
            Watching::through(data, &life)
        };
        let (scorer, unlearnt) = cross_fitted(&all, learn, |scorer, (_, s)| scorer.score(s))?;
        Ok(Calibrated {
            scorer: Box::new(scorer),
            unlearnt,
        })
    }
}

/// A detector that has lived through something, and watches on.
struct Watching {
    vocabulary: Vocabulary,
    catalogs: Arc<Catalogs>,
    detector: Detector,
    cohort: Counts,
    /// The week after all that it learnt.
    now: Time,
}

impl Watching {
    fn through(data: &TrainingData, life: &Life) -> Result<Self, ModelError> {
        let mut watching = Watching {
            vocabulary: Vocabulary::new(data.catalog, Columns::All),
            catalogs: Catalogs::shared(Arc::new(data.catalog.clone())),
            detector: Detector::default(),
            cohort: Counts::default(),
            now: Time::default(),
        };
        let mut calendar = Calendar::new();
        let parts = [&life.past, &life.imagined, &life.present];
        if parts.iter().all(|of| of.is_empty()) {
            return Err(ModelError::NoData);
        }
        for (part, of) in parts.into_iter().enumerate() {
            of.iter().try_for_each(|s| watching.vocabulary.check(s))?;
            for segment in calendar.date(of) {
                watching.learn(&segment, u32::from(part > 0));
            }
            watching.now = calendar.turn();
        }
        Ok(watching)
    }

    fn learn(&mut self, segment: &Segment, regime: u32) {
        let words = habits::Vocabulary::new(&self.catalogs, HomeId(0));
        self.detector.settle(&words, segment.start());
        self.detector.learn(&words, segment, regime);
        let mut changes = Changes::default();
        changes.add(&words, segment, 1);
        self.cohort.apply(&changes);
    }
}

impl Scorer for Watching {
    /// The mean of its behaviours' surprises and half the greatest, as of Hearth's other detector. By the greatest alone, by which a
    /// segment is an alarm, sequences are told apart a little worse (held-out sources of the paper's homes: AUROC .785, .796).
    fn score(&self, sequence: &Sequence) -> Result<f32, ModelError> {
        if sequence.0.is_empty() {
            return Err(ModelError::Empty);
        }
        self.vocabulary.check(sequence)?;
        let words = habits::Vocabulary::new(&self.catalogs, HomeId(0));
        let segment = within(self.now, sequence);
        let surprises = self.detector.judge(&words, &self.cohort, &segment, 1);
        let scores: Vec<f32> = surprises.iter().map(Surprise::total).collect();
        let greatest = scores.iter().copied().fold(f32::MIN, f32::max);
        Ok(mean(&[scores]) + greatest / 2.0)
    }
}
