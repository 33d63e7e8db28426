//! Hearth's own models and two trivial answers behind the traits of [`super::methods`].

use std::collections::HashSet;

use hearth_operators::words::{ActionId, Catalog, Quadruple, Sequence, Version};

use super::methods::{Detection, Given, Lesson, Prediction, Ranker, Scorer};
use crate::models::{
    Autoencoder, Learner, ModelError, Predictor, Preset, SasRec, WINDOW, generator,
};
use crate::trainer::learn;

/// Hearth's detector.
pub struct SmartGenDetector(pub Preset);

impl Detection for SmartGenDetector {
    fn name(&self) -> &'static str {
        "SmartGen"
    }

    fn fit(&self, lesson: &Lesson) -> Result<Box<dyn Scorer>, ModelError> {
        if lesson.train.is_empty() {
            return Err(ModelError::NoData);
        }
        let mut shape = self.0.detector();
        shape.columns = lesson.columns;
        let model = Autoencoder::fresh(lesson.catalog, shape, &mut generator(lesson.seed, 0))?;
        let train: Vec<&Sequence> = lesson.train.iter().collect();
        learn(&model, &train, WINDOW, &self.0.detector_plan(), lesson.seed)?;
        Ok(Box::new(Losses(model)))
    }
}

struct Losses(Autoencoder);

impl Scorer for Losses {
    fn score(&self, sequence: &Sequence) -> Result<f32, ModelError> {
        self.0.vocabulary().check(sequence)?;
        let windows: Vec<_> = sequence.windows(WINDOW).collect();
        let losses = self.0.scores(&windows)?;
        // A sequence is as strange as its strangest behaviour.
        losses
            .into_iter()
            .flatten()
            .reduce(f32::max)
            .ok_or(ModelError::Empty)
    }
}

/// Hearth's predictor.
pub struct SmartGenPredictor(pub Preset);

impl Prediction for SmartGenPredictor {
    fn name(&self) -> &'static str {
        "SmartGen"
    }

    fn fit(&self, lesson: &Lesson) -> Result<Box<dyn Ranker>, ModelError> {
        if lesson.train.is_empty() {
            return Err(ModelError::NoData);
        }
        let shape = self.0.predictor();
        let model = SasRec::fresh(lesson.catalog, shape, &mut generator(lesson.seed, 0))?;
        let train: Vec<&Sequence> = lesson.train.iter().collect();
        learn(
            &model,
            &train,
            shape.window,
            &self.0.predictor_plan(),
            lesson.seed,
        )?;
        let version = Version {
            number: 0,
            weights: model.parameters().weights()?,
            threshold: 0.0,
        };
        Ok(Box::new(Next {
            model: Predictor::load(lesson.catalog, self.0, &version.weights)?,
            catalog: lesson.catalog.clone(),
        }))
    }
}

struct Next {
    model: Predictor,
    catalog: Catalog,
}

impl Ranker for Next {
    fn rank(&self, before: &[Quadruple], given: &Given) -> Result<Vec<f32>, ModelError> {
        // The last place predicts from those before it alone, so what stands there does not matter.
        let place = before.last().copied().unwrap_or(Quadruple {
            weekday: 0,
            hours: 0,
            action: ActionId(0),
        });
        let mut read = before.to_vec();
        read.push(place);
        let mut predictions = self.model.predict(&Sequence(read))?;
        let mut scores = predictions.pop().ok_or(ModelError::Empty)?;
        restrict(&mut scores, &self.catalog, given);
        Ok(scores)
    }
}

/// Where the device is told, other devices' actions come last.
fn restrict(scores: &mut [f32], catalog: &Catalog, given: &Given) {
    if let Some(device) = given.device {
        for (action, score) in catalog.action_ids().zip(scores) {
            if catalog.device_of(action) != device {
                *score -= 1.0;
            }
        }
    }
}

/// Strange is what holds an action that was never learnt.
pub struct UnseenAction;

impl Detection for UnseenAction {
    fn name(&self) -> &'static str {
        "action not seen"
    }

    fn fit(&self, lesson: &Lesson) -> Result<Box<dyn Scorer>, ModelError> {
        let all = lesson.train.iter().flat_map(|s| &s.0);
        Ok(Box::new(Seen(all.map(|q| q.action).collect())))
    }
}

struct Seen(HashSet<ActionId>);

impl Scorer for Seen {
    fn score(&self, sequence: &Sequence) -> Result<f32, ModelError> {
        let unseen = sequence.0.iter().filter(|q| !self.0.contains(&q.action));
        Ok(unseen.count() as f32)
    }
}

/// Next is what followed the action before most often; at the beginning, what begins most often.
pub struct Bigram;

impl Prediction for Bigram {
    fn name(&self) -> &'static str {
        "bigram"
    }

    fn fit(&self, lesson: &Lesson) -> Result<Box<dyn Ranker>, ModelError> {
        let actions = lesson.catalog.actions();
        let mut after = vec![vec![0.0; actions]; actions + 1];
        let mut often = vec![0.0; actions];
        for sequence in lesson.train {
            let mut before = actions;
            for q in &sequence.0 {
                let action = usize::from(q.action.0);
                after[before][action] += 1.0;
                often[action] += 1.0;
                before = action;
            }
        }
        let total: f32 = often.iter().sum::<f32>() + 1.0;
        for followers in &mut after {
            for (count, often) in followers.iter_mut().zip(&often) {
                *count += often / total;
            }
        }
        Ok(Box::new(Followers(after, lesson.catalog.clone())))
    }
}

struct Followers(Vec<Vec<f32>>, Catalog);

impl Ranker for Followers {
    fn rank(&self, before: &[Quadruple], given: &Given) -> Result<Vec<f32>, ModelError> {
        let last = before
            .last()
            .map_or(self.0.len() - 1, |q| usize::from(q.action.0));
        let mut scores = self.0.get(last).ok_or(ModelError::Empty)?.clone();
        let most = scores.iter().copied().fold(1.0, f32::max);
        scores.iter_mut().for_each(|score| *score /= most);
        restrict(&mut scores, &self.1, given);
        Ok(scores)
    }
}
