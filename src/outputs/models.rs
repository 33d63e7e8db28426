//! Weights that went live: each is a file of its own.

use hearth_operators::words::{Adaptation, Foundation, HomeId, Outcome, Task, Weights};

/// A model of a home, or of the cohort.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    /// Whose; `None`: the cohort's.
    pub home: Option<HomeId>,
    /// `encoder`, `detector` or `predictor`.
    pub model: &'static str,
    /// Version number.
    pub version: u32,
    /// The parameters.
    pub weights: Weights,
}

impl Model {
    /// A cohort's first models.
    pub fn of_cohort(foundation: &Foundation) -> [Model; 3] {
        let Foundation {
            encoder,
            detector,
            predictor,
            ..
        } = foundation;
        let model = |model, weights: &Weights| Model {
            home: None,
            model,
            version: 0,
            weights: weights.clone(),
        };
        [
            model("encoder", encoder),
            model("detector", &detector.weights),
            model("predictor", &predictor.weights),
        ]
    }

    /// The versions of a home that went live.
    pub fn of_home(adaptation: &Adaptation) -> Vec<Model> {
        let versions = adaptation.versions.iter();
        let promoted = versions.filter(|(_, line)| line.outcome == Outcome::Promoted);
        promoted
            .map(|(version, line)| Model {
                home: Some(adaptation.key.home),
                model: match line.task {
                    Task::Detector => "detector",
                    Task::Predictor => "predictor",
                },
                version: version.number,
                weights: version.weights.clone(),
            })
            .collect()
    }
}
