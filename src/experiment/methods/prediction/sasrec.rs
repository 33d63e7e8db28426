//! SASRec: causal self-attention (Kang and McAuley, *Self-Attentive Sequential Recommendation*, ICDM 2018).
//!
//! Hidden size 50, two blocks, one head, dropout 0.2, trained to tell each action from one that is drawn: 50 epochs in
//! batches of 128 without choosing among them, as the paper's baseline is. Ours: a behaviour's columns have an embedding
//! each; in the preset `Small` the loss is the cross entropy over all actions, which needs far fewer epochs.

use hearth_operators::words::{ActionId, Quadruple};

use super::answer::{Next, Vetted};
use crate::experiment::methods::{Given, Prediction, Ranker, TrainingData};
use crate::models::{
    ModelError, Plan, Preset, SasRec, SasRecAim, SasRecShape, fit, generator, windows,
};

/// The baseline.
pub struct SasRecBaseline {
    shape: SasRecShape,
    plan: Plan,
}

impl SasRecBaseline {
    /// The paper's shape in both presets.
    pub fn new(preset: Preset) -> Self {
        let (shape, plan) = (Preset::Paper.predictor(), preset.predictor_plan());
        match preset {
            Preset::Paper => SasRecBaseline {
                shape,
                plan: Plan { batch: 128, ..plan },
            },
            Preset::Small => SasRecBaseline {
                shape: SasRecShape {
                    aim: SasRecAim::Softmax,
                    ..shape
                },
                plan,
            },
        }
    }
}

impl Prediction for SasRecBaseline {
    fn name(&self) -> &'static str {
        "SASRec"
    }

    fn fit(&self, data: &TrainingData) -> Result<Box<dyn Ranker>, ModelError> {
        let catalog = Vetted::new(data)?;
        let (catalog_of, seed) = (data.catalog, data.seed);
        let model = SasRec::fresh(catalog_of, self.shape, &mut generator(seed, 0))?;
        let windows = windows(data.train, self.shape.window);
        fit(&model, &windows, &[], &self.plan, seed)?;
        Ok(catalog.asking(Attentive {
            model,
            window: self.shape.window,
        }))
    }
}

struct Attentive {
    model: SasRec,
    window: usize,
}

impl Next for Attentive {
    fn next(&self, before: &[Quadruple], _: &Given) -> Result<Vec<f32>, ModelError> {
        let read = before.len().min(self.window - 1);
        let mut window = before[before.len() - read..].to_vec();
        // The place that is predicted; nothing of it is read.
        window.push(Quadruple {
            weekday: 0,
            hours: 0,
            action: ActionId(0),
        });
        let mut all = self.model.predict(&window)?;
        all.pop().ok_or(ModelError::Empty)
    }
}
