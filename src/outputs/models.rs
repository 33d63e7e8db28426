//! Weights that went live: each is a file of its own.

use hearth_operators::words::{Adaptation, CohortId, Foundation, HomeId, Outcome, Task, Weights};

/// Whose a model is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ModelOf {
    /// All homes of a cohort.
    Cohort(CohortId),
    /// One home.
    Home(HomeId),
}

/// A model of a home, or of a cohort.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    /// Whose.
    pub of: ModelOf,
    /// `encoder`, `detector` or `predictor`.
    pub model: &'static str,
    /// Version number.
    pub version: u32,
    /// The parameters.
    pub weights: Weights,
}

impl Model {
    /// A cohort's first models.
    pub fn of_cohort(foundation: &Foundation) -> Vec<Model> {
        let Foundation {
            cohort,
            encoder,
            models,
            ..
        } = foundation;
        let model = |model, weights: &Weights| Model {
            of: ModelOf::Cohort(*cohort),
            model,
            version: 0,
            weights: weights.clone(),
        };
        let trained = models.iter().flat_map(|first| {
            [
                ("detector", &first.detector),
                ("predictor", &first.predictor),
            ]
        });
        let trained = trained.map(|(name, version)| model(name, &version.weights));
        std::iter::once(model("encoder", encoder))
            .chain(trained)
            .collect()
    }

    /// The versions of a home that went live.
    pub fn of_home(adaptation: &Adaptation) -> Vec<Model> {
        let versions = adaptation.versions.iter();
        let promoted = versions.filter(|(_, line)| line.outcome == Outcome::Promoted);
        promoted
            .map(|(version, line)| Model {
                of: ModelOf::Home(adaptation.key.home),
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
