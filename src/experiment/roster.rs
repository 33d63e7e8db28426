//! The methods that take part, by name.

use anyhow::{Result, ensure};

use super::methods::{Detection, Prediction, detection, prediction};
use crate::models::Preset;

/// Hearth's own models bear the paper's name in tables.
pub const OURS: &str = "SmartGen";

/// Hearth's models as the dataflow maintains them.
pub const MAINTAINED: &str = "Hearth";

/// All methods, in the order of tables.
pub struct Roster {
    detection: Vec<Box<dyn Detection>>,
    prediction: Vec<Box<dyn Prediction>>,
}

impl Roster {
    /// The methods in the sizes of a preset; if `chosen` names any, those alone.
    ///
    /// # Errors
    /// A name is of no method.
    pub fn new(preset: Preset, chosen: &[String]) -> Result<Self> {
        let mut detection = detection::all(preset);
        let mut prediction = prediction::all(preset);
        let names: Vec<&str> = detection
            .iter()
            .map(|method| method.name())
            .chain(prediction.iter().map(|method| method.name()))
            .collect();
        for name in chosen {
            ensure!(
                names.iter().any(|known| known.eq_ignore_ascii_case(name)),
                crate::config::UsageError(format!(
                    "`{name}` is no method; there are {}",
                    names.join(", ")
                ))
            );
        }
        let wanted = |name: &str| {
            chosen.is_empty()
                || chosen
                    .iter()
                    .any(|chosen| chosen.eq_ignore_ascii_case(name))
        };
        detection.retain(|method| wanted(method.name()));
        prediction.retain(|method| wanted(method.name()));
        Ok(Roster {
            detection,
            prediction,
        })
    }

    /// Names of the detectors.
    pub fn detectors(&self) -> impl Iterator<Item = &'static str> {
        self.detection.iter().map(|method| method.name())
    }

    /// Names of the predictors.
    pub fn predictors(&self) -> impl Iterator<Item = &'static str> {
        self.prediction.iter().map(|method| method.name())
    }

    /// A detector.
    ///
    /// # Errors
    /// There is none of that name.
    pub fn detector(&self, name: &str) -> Result<&dyn Detection> {
        let found = self.detection.iter().find(|method| method.name() == name);
        found
            .map(AsRef::as_ref)
            .ok_or_else(|| anyhow::anyhow!("there is no detector {name}"))
    }

    /// A predictor.
    ///
    /// # Errors
    /// There is none of that name.
    pub fn predictor(&self, name: &str) -> Result<&dyn Prediction> {
        let found = self.prediction.iter().find(|method| method.name() == name);
        found
            .map(AsRef::as_ref)
            .ok_or_else(|| anyhow::anyhow!("there is no predictor {name}"))
    }
}
