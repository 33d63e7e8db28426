//! Trains a cohort's first models, and a home's after a shift.
//!
//! - [`foundation`]: the encoder, detector and predictor that a cohort's homes start from.
//! - [`adapt`]: a home's detector and predictor for a new context, and whether they are better than the cohort's.
//!
//! How a detector and a predictor are trained, and what stays held out of that, is the same in both.

mod adaptation;
mod detector;
mod evidence;
mod foundation;
mod held_out;
mod learning;
mod predictor;
mod settings;
#[cfg(test)]
mod tests;

pub use adaptation::adapt;
pub use foundation::foundation;
pub(crate) use held_out::{TrainingSplit, cross_fitted, split};
pub(crate) use learning::{learn, losses};
pub(crate) use predictor::predictor;
pub(crate) use settings::Purpose;
pub use settings::Settings;
