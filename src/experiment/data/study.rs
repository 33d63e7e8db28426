//! Recorded sets of the authors' studies, by name.

/// A set as the authors recorded it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Study {
    /// What the published detectors were trained on: GPT-4o's answers after the authors' filter.
    Filtered,
    /// Figure 8: another model's answers after their filter.
    Model(String),
    /// Table 5: all candidates.
    Candidates,
    /// Table 5: what the first stage retained.
    FirstStage,
    /// Table 5: what both stages retained.
    SecondStage,
    /// Figure 7: Δt_max and T_max in hours.
    Split(u8, u8),
    /// Table 4, as its files are called: `all` parts, or `without_` one.
    Ablation(String),
}

impl Study {
    /// The set that a training set's name means, if it means one.
    pub fn named(name: &str) -> Option<Self> {
        if let Some(model) = name.strip_suffix("-authors") {
            return Some(match model {
                "gpt-4o" => Study::Filtered,
                _ => Study::Model(model.to_owned()),
            });
        }
        if let Some((gap, span)) = name
            .strip_prefix("split-")
            .and_then(|rest| rest.split_once('-'))
        {
            return Some(Study::Split(gap.parse().ok()?, span.parse().ok()?));
        }
        if let Some(without) = name.strip_prefix("without-") {
            return Some(Study::Ablation(format!("without_{without}")));
        }
        match name {
            "candidates" => Some(Study::Candidates),
            "stage-1" => Some(Study::FirstStage),
            "stage-2" => Some(Study::SecondStage),
            "ablation-all" => Some(Study::Ablation("all".to_owned())),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_mean_sets() {
        let known = [
            ("gpt-4o-authors", Study::Filtered),
            ("Qwen2.5_72B-authors", Study::Model("Qwen2.5_72B".into())),
            ("split-9-24", Study::Split(9, 24)),
            ("without-TSS", Study::Ablation("without_TSS".into())),
            ("stage-2", Study::SecondStage),
        ];
        for (name, study) in known {
            assert_eq!(Study::named(name), Some(study));
        }
        for other in [
            "gpt-4o",
            "source",
            "split-9",
            "split-a-b",
            "gpt-4o-filtered",
        ] {
            assert_eq!(Study::named(other), None, "{other}");
        }
    }
}
