//! The figures that were published, and those that the authors' code scores when it is run again.

use serde::Deserialize;
use serde_json::Value;

use crate::experiment::data::Kind;

/// The tables, `published.json`, which says where they are from.
const TABLES: &str = include_str!("published.json");

/// All published figures.
#[derive(Debug, Deserialize)]
pub struct Published {
    detection: Vec<Row>,
    prediction: Vec<Row>,
    filter: Vec<Row>,
    compression: Vec<Row>,
    ablation: Vec<Ablation>,
    measured: Measured,
}

#[derive(Debug, Deserialize)]
struct Row {
    dataset: String,
    shift: Kind,
    #[serde(flatten)]
    figures: serde_json::Map<String, Value>,
}

#[derive(Debug, Deserialize)]
struct Ablation {
    metric: String,
    #[serde(flatten)]
    figures: serde_json::Map<String, Value>,
}

#[derive(Debug, Deserialize)]
struct Measured {
    detection: Vec<Row>,
    prediction: Vec<Row>,
}

impl Published {
    /// Reads them.
    ///
    /// # Errors
    /// They are malformed: a mistake in this program.
    pub fn load() -> serde_json::Result<Self> {
        serde_json::from_str(TABLES)
    }

    /// Tables 2 and 3: a method's figure, named as results are (`f1`, `recall`, `precision`, `ndcg@10`, `hr@10`).
    pub fn figure(&self, dataset: &str, shift: Kind, method: &str, figure: &str) -> Option<f64> {
        let (rows, name) = match figure {
            "recall" => (&self.detection, "Recall"),
            "precision" => (&self.detection, "Precision"),
            "f1" => (&self.detection, "F1 Score"),
            "ndcg@10" => (&self.prediction, "NDCG@10"),
            "hr@10" => (&self.prediction, "HR@10"),
            _ => return None,
        };
        find(rows, dataset, shift)?.get(name)?.get(method)?.as_f64()
    }

    /// What the authors' code scores: F1 for the published seed and two others; NDCG@10 and HR@10 once retrained.
    pub fn measured(&self, dataset: &str, shift: Kind, figure: &str) -> Option<Vec<f64>> {
        let numbers = |value: &Value| -> Option<Vec<f64>> {
            value.as_array()?.iter().map(Value::as_f64).collect()
        };
        let retrained = || {
            let row = find(&self.measured.prediction, dataset, shift)?;
            numbers(row.get("retrained")?)
        };
        match figure {
            "f1" => numbers(find(&self.measured.detection, dataset, shift)?.get("f1")?),
            "ndcg@10" => retrained()?.first().map(|n| vec![*n]),
            "hr@10" => retrained()?.get(1).map(|n| vec![*n]),
            _ => None,
        }
    }

    /// Table 5: sequences and F1 after a stage (`ori`, `s1`, `s2`).
    pub fn stage(&self, dataset: &str, shift: Kind, stage: &str) -> Option<(f64, f64)> {
        let row = find(&self.filter, dataset, shift)?;
        let of = |name: &str| row.get(name)?.get(stage)?.as_f64();
        Some((of("sequences")?, of("f1")?))
    }

    /// Table 9: reduction and thousands of tokens saved.
    pub fn compression(&self, dataset: &str, shift: Kind) -> Option<(f64, f64)> {
        let row = find(&self.compression, dataset, shift)?;
        let of = |name: &str| row.get(name)?.as_f64();
        Some((of("reduction")?, of("saved_tokens_k")?))
    }

    /// Table 4: a figure without a part (`TSS`, `SSC`, `GSS`, `ALL`; `None`: with all parts).
    pub fn ablation(&self, without: Option<&str>, figure: &str) -> Option<f64> {
        let name = match figure {
            "recall" => "Recall",
            "precision" => "Precision",
            "f1" => "F1 Score",
            "ndcg@10" => "NDCG@10",
            "hr@10" => "HR@10",
            _ => return None,
        };
        let row = self.ablation.iter().find(|row| row.metric == name)?;
        let column = without.map_or("SmartGen".to_owned(), |part| format!("w/o {part}"));
        row.figures.get(&column)?.as_f64()
    }
}

fn find<'a>(
    rows: &'a [Row],
    dataset: &str,
    shift: Kind,
) -> Option<&'a serde_json::Map<String, Value>> {
    let row = rows
        .iter()
        .find(|row| row.dataset == dataset && row.shift == shift);
    row.map(|row| &row.figures)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_are_whole() {
        let published = Published::load().unwrap();
        for dataset in ["fr", "sp", "us"] {
            for shift in Kind::ALL {
                for figure in ["recall", "precision", "f1", "ndcg@10", "hr@10"] {
                    let found = published.figure(dataset, shift, "SmartGen", figure);
                    assert!(found.is_some(), "{dataset} {shift:?} {figure}");
                }
                assert_eq!(published.measured(dataset, shift, "f1").unwrap().len(), 3);
                assert!(published.measured(dataset, shift, "hr@10").is_some());
                assert!(published.stage(dataset, shift, "s2").is_some());
                assert!(published.compression(dataset, shift).is_some());
            }
        }
        assert_eq!(
            published.figure("fr", Kind::TT, "LOF", "recall"),
            Some(0.3774)
        );
        assert_eq!(published.ablation(Some("GSS"), "f1"), Some(0.8758));
        assert_eq!(published.ablation(None, "ndcg@10"), Some(0.6521));
        assert_eq!(published.figure("fr", Kind::ST, "SmartGen", "mrr"), None);
    }
}
