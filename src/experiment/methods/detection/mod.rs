//! Anomaly detection: the paper's baselines, Hearth's own detector and the trivial answers.
//!
//! - **Points.** LOF, isolation forest and one-class SVM see a sequence as a point ([`features`]). They learn the training
//!   sequences and score others; the authors let them look at training, test and attacks together.
//! - **Counts.** Aegis and the trivial answers count states and what follows them ([`columns`], [`conditional`]).
//! - **Reconstruction.** Autoencoder, ARGUS and TransAE rebuild behaviours ([`reconstruction`]); SmartGen is Hearth's own.
//!
//! With the preset `paper` a method has the authors' sizes and features; with `small` it is what we would make of the same
//! idea at a fraction of the cost. Which columns are read is said by the training data in both. A sequence's score does not grow
//! with its length: losses and surprises are averaged over its behaviours.

pub mod aegis;
pub mod argus;
pub mod autoencoder;
mod calibration;
mod columns;
mod conditional;
mod features;
pub mod isolation_forest;
pub mod lof;
mod losses;
pub mod maintained;
pub mod one_class_svm;
mod reconstruction;
pub mod smartgen;
#[cfg(test)]
mod tests;
pub mod transae;
pub mod trivial;

use super::{Calibrated, Detection, Scorer, TrainingData};
use crate::models::Preset;

/// All detection methods: the rows of the paper's Table 2 in its order, then the trivial answers.
pub fn all(preset: Preset) -> Vec<Box<dyn Detection>> {
    vec![
        Box::new(lof::Lof(preset)),
        Box::new(isolation_forest::IsolationForest(preset)),
        Box::new(aegis::Aegis(preset)),
        Box::new(one_class_svm::OneClassSvm(preset)),
        Box::new(autoencoder::Autoencoder(preset)),
        Box::new(argus::Argus(preset)),
        Box::new(transae::TransAe(preset)),
        Box::new(smartgen::SmartGen(preset)),
        Box::new(smartgen::Network(preset)),
        Box::new(maintained::Maintained),
        Box::new(trivial::FlagAll),
        Box::new(trivial::Rule::UnseenAction),
        Box::new(trivial::Rule::UnseenHours),
        Box::new(trivial::Rule::UnseenActionAtHours),
        Box::new(trivial::Surprisal),
    ]
}
