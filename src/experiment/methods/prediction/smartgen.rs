//! SmartGen: Hearth's own predictor, made as [`crate::trainer`] makes a cohort's first one, from the training sequences.
//!
//! In use nothing is ever told of the next behaviour. Where an experiment tells its hours, that changes each action's
//! probability by the factor by which it changes the counts' (two n-grams, one that is told the time and one that is not).
//! Where it tells the device, the question is another: which of its few actions? How the device is used says more of that than
//! what came before, above all where what is learnt was written by a language model. Asked about source sequences of FR and
//! SP (NDCG@10 among the device's actions, mean of three draws), after the recorded GPT-4o sequences for another context:
//! table .758, n-gram .750, three parts of the first (with hours) and one of the second .760; after source sequences of another
//! context .816, .851, .835; after those of the same .841, .881, .864. So three parts and one are never behind the table.

use hearth_operators::words::{ActionId, Catalog, DeviceId, Hours, Quadruple, Sequence};

use super::answer::{Next, Vetted};
use super::ngram::Both;
use crate::experiment::methods::{Given, Prediction, Ranker, TrainingData};
use crate::models::{Context, Counts, Mixture, ModelError, Preset};
use crate::trainer::{Settings, TrainingSplit, predictor};

/// Hearth's predictor in one of its presets.
pub struct SmartGen {
    preset: Preset,
}

impl SmartGen {
    /// Sizes and schedule of a preset.
    pub fn new(preset: Preset) -> Self {
        SmartGen { preset }
    }
}

impl Prediction for SmartGen {
    fn name(&self) -> &'static str {
        "SmartGen"
    }

    fn fit(&self, data: &TrainingData) -> Result<Box<dyn Ranker>, ModelError> {
        let catalog = Vetted::new(data)?;
        let [train, held] = [data.train, data.held].map(|s| {
            let taught = s.iter().filter(|s| !s.0.is_empty());
            taught.collect()
        });
        let parts = TrainingSplit { train, held };
        let settings = Settings {
            preset: self.preset,
            seed: data.seed,
        };
        let predictor = predictor(data.catalog, &parts, &settings)?;
        let devices = Uses::learn(data.catalog, &parts.train);
        let counts = Both::learn(catalog.actions(), &parts.train);
        Ok(catalog.asking(Hearths {
            predictor,
            counts,
            devices,
        }))
    }
}

struct Hearths {
    predictor: Mixture,
    counts: Both,
    devices: Uses,
}

/// How far the use of a device that is told is believed, beside what came before.
const USE: f64 = 0.75;

/// How devices are used: the actions of each, and of each at its time of day.
struct Uses {
    counts: Counts,
    /// By action: its device.
    of: Vec<DeviceId>,
}

impl Uses {
    fn learn(catalog: &Catalog, sequences: &[&Sequence]) -> Self {
        let of: Vec<DeviceId> = catalog.action_ids().map(|a| catalog.device_of(a)).collect();
        let behaviors = sequences.iter().flat_map(|s| &s.0);
        let counted = behaviors.map(|q| {
            let device = of[usize::from(q.action.0)];
            (Self::contexts(device, q.hours).to_vec(), q.action.0)
        });
        Uses {
            counts: Counts::of(counted),
            of,
        }
    }

    /// A device at any time, and at that time of day.
    fn contexts(device: DeviceId, hours: Hours) -> [Context; 2] {
        let device = i64::from(device.0);
        [[device, 0], [device, i64::from(hours) + 1]].map(|at| Context::new(0, at))
    }

    /// Mixes the probabilities of a device's actions with how it is used.
    fn mix(&self, probabilities: &mut [f32], device: DeviceId, hours: Option<Hours>) {
        let own = |(_, of): &(_, &DeviceId)| **of == device;
        let size = self.of.iter().filter(|of| **of == device).count();
        let sum: f32 = probabilities
            .iter()
            .zip(&self.of)
            .filter(own)
            .map(|(p, _)| p)
            .sum();
        for (action, p) in probabilities.iter_mut().enumerate() {
            if self.of[action] != device {
                continue;
            }
            let contexts = Self::contexts(device, hours.unwrap_or_default());
            let any = self.counts.probability(&contexts[..1], action as u16, size);
            let used = match hours {
                None => any,
                Some(_) => {
                    f64::midpoint(any, self.counts.probability(&contexts, action as u16, size))
                }
            };
            let thought = if sum > 0.0 { f64::from(*p / sum) } else { used };
            *p = (USE * used + (1.0 - USE) * thought) as f32;
        }
    }
}

impl Next for Hearths {
    fn next(&self, before: &[Quadruple], given: &Given) -> Result<Vec<f32>, ModelError> {
        let mut read = before.to_vec();
        // The place that is predicted; nothing of it is read.
        read.push(Quadruple {
            weekday: 0,
            hours: 0,
            action: ActionId(0),
        });
        let mut all = self.predictor.predict(&Sequence(read))?;
        let mut probabilities = all.pop().ok_or(ModelError::Empty)?;
        if given.hours.is_some() {
            let told = self.counts.expected(before, given);
            let untold = self.counts.expected(before, &Given::default());
            for ((p, told), untold) in probabilities.iter_mut().zip(told).zip(untold) {
                *p *= (told / untold) as f32;
            }
            let sum: f32 = probabilities.iter().sum();
            probabilities.iter_mut().for_each(|p| *p /= sum);
        }
        if let Some(device) = given.device {
            self.devices.mix(&mut probabilities, device, given.hours);
        }
        Ok(probabilities)
    }
}
