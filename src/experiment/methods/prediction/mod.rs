//! Who says which action comes next: the paper's baselines, Hearth's own predictor and the trivial answers.
//!
//! All read weekday, hours, device and action of the behaviours before (an embedding each, summed, where they are networks)
//! and answer with probabilities over all actions of the catalog. Of the behaviour to be predicted they know what
//! [`Given`](super::Given) tells, nothing else: its device restricts every method's answer ([`answer`]), its time is read by
//! those that have a place for it (HMM, CARNN, SmartGen and the n-gram). [`TrainingData::columns`](super::TrainingData)
//! is the detectors'; a predictor reads all.

mod answer;
mod carnn;
mod caser;
mod counts;
mod fpmc;
mod hmm;
mod lstm;
mod maintained;
mod network;
mod ngram;
mod sasrec;
mod siar;
mod smartgen;
#[cfg(test)]
mod tests;

pub use counts::{Bigram, CountTable, MostFrequent};
pub use hmm::Hmm;
pub use maintained::Maintained;
pub use ngram::InterpolatedNgram;
pub use sasrec::SasRecBaseline;
pub use smartgen::SmartGen;

use super::Prediction;
use crate::models::Preset;
use network::Deep;

/// All of them in the order of the paper's table, the trivial answers last. `Paper` has its sizes and epochs; `Small`
/// trains in about a second per thousand sequences.
pub fn all(preset: Preset) -> Vec<Box<dyn Prediction>> {
    vec![
        Box::new(Hmm::new(preset)),
        Box::new(Deep::<fpmc::Fpmc>::new(preset)),
        Box::new(Deep::<lstm::Lstm>::new(preset)),
        Box::new(Deep::<carnn::Carnn>::new(preset)),
        Box::new(Deep::<caser::Caser>::new(preset)),
        Box::new(Deep::<siar::Siar>::new(preset)),
        Box::new(SasRecBaseline::new(preset)),
        Box::new(SmartGen::new(preset)),
        Box::new(Maintained),
        Box::new(MostFrequent),
        Box::new(CountTable),
        Box::new(Bigram),
        Box::new(InterpolatedNgram),
    ]
}
