//! The figures, and how they are shown.

use std::fmt;

use super::drift::Drifts;
use super::statistics::{Calls, Ranking};
use crate::outputs::grouped;

/// What a comparison with the truth found.
#[derive(Clone, Debug)]
pub struct Evaluation {
    /// Over all scored behaviours.
    pub all: Part,
    /// Over those after their home's first planted shift; `None` where no shift was planted.
    pub after: Option<Part>,
    /// Planted anomalies, scored or not.
    pub planted: u64,
    /// Length of the longest list of predictions: all lists are cut to it.
    pub longest: usize,
    /// Scored behaviours that no segment holds at the end; left out.
    pub withdrawn: u64,
    /// The planted shifts.
    pub shifts: Shifts,
    /// Shifts that nobody declared.
    pub drifts: Drifts,
}

/// Figures over some of the scored behaviours.
#[derive(Clone, Debug, Default)]
pub struct Part {
    /// AUROC and average precision of the detector's scores; `None` where one kind of behaviour is missing.
    pub curves: Option<(f64, f64)>,
    /// The same of "never done before in this home".
    pub unseen_curves: Option<(f64, f64)>,
    /// The detector's calls, by its threshold.
    pub calls: Calls,
    /// Trivial: everything is an anomaly.
    pub always: Calls,
    /// Trivial: nothing is.
    pub never: Calls,
    /// Trivial: what the home never did before is.
    pub unseen: Calls,
    /// The predictor's lists.
    pub predictor: Ranking,
    /// Trivial: the home's most frequent actions so far.
    pub frequent: Ranking,
    /// Trivial: what followed the previous behaviour most often so far.
    pub following: Ranking,
}

/// How far the planted shifts came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shifts {
    /// All that were planted.
    pub planted: u64,
    /// Those with a request.
    pub requested: u64,
    /// Those with a valid candidate.
    pub answered: u64,
    /// Those with a new model version.
    pub adapted: u64,
}

impl fmt::Display for Evaluation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        section(f, "all scored behaviours", &self.all, self.longest)?;
        if let Some(after) = &self.after {
            section(
                f,
                "scored behaviours after the home's first shift",
                after,
                self.longest,
            )?;
        }
        let scored = self.all.calls.hits + self.all.calls.misses;
        writeln!(
            f,
            "{} of {} planted anomalies were scored; {} scores of withdrawn behaviours left out",
            grouped(scored),
            grouped(self.planted),
            grouped(self.withdrawn)
        )?;
        let Shifts {
            planted,
            requested,
            answered,
            adapted,
        } = self.shifts;
        writeln!(
            f,
            "{} planted shifts: {} led to a request, {} to candidates, {} to a new model version",
            grouped(planted),
            grouped(requested),
            grouped(answered),
            grouped(adapted)
        )?;
        write!(f, "{}", self.drifts)
    }
}

fn section(f: &mut fmt::Formatter<'_>, title: &str, part: &Part, longest: usize) -> fmt::Result {
    let anomalies = part.always.hits;
    let items = anomalies + part.always.false_alarms;
    writeln!(
        f,
        "{title}: {}, {} of them planted anomalies",
        grouped(items),
        grouped(anomalies)
    )?;
    if items == 0 {
        return writeln!(f);
    }
    writeln!(
        f,
        "  {:<28}{:>8}{:>8}{:>11}{:>8}{:>8}{:>12}",
        "anomaly detection", "AUROC", "AP", "precision", "recall", "F1", "called"
    )?;
    // An answer that does not look orders nothing: half the pairs won, the base rate as average precision.
    let flat = part.curves.map(|_| (0.5, anomalies as f64 / items as f64));
    for (name, curves, calls) in [
        ("detector", part.curves, &part.calls),
        ("always anomalous", flat, &part.always),
        ("never anomalous", flat, &part.never),
        ("action new in this home", part.unseen_curves, &part.unseen),
    ] {
        let figure = |value: Option<f64>| value.map_or("-".into(), |value| format!("{value:.3}"));
        writeln!(
            f,
            "  {name:<28}{:>8}{:>8}{:>11.3}{:>8.3}{:>8.3}{:>12}",
            figure(curves.map(|(area, _)| area)),
            figure(curves.map(|(_, average)| average)),
            calls.precision(),
            calls.recall(),
            calls.f1(),
            grouped(calls.hits + calls.false_alarms)
        )?;
    }
    let title = format!("next action, top {longest}");
    writeln!(
        f,
        "  {title:<28}{:>8}{:>8}{:>11}{:>8}{:>8}{:>12}",
        "HR@1", "HR@5", "HR@10", "NDCG", "MRR", "lists"
    )?;
    for (name, ranking) in [
        ("predictor", &part.predictor),
        ("home's most frequent so far", &part.frequent),
        ("most frequent successors", &part.following),
    ] {
        // A shorter list says nothing of what stands further down.
        let depths = [1, 5, 10].map(|depth| depth <= longest);
        let [first, five, ten] = [0, 1, 2].map(|i| match depths[i] {
            true => format!("{:.3}", ranking.hits()[i]),
            false => "-".to_owned(),
        });
        writeln!(
            f,
            "  {name:<28}{first:>8}{five:>8}{ten:>11}{:>8.3}{:>8.3}{:>12}",
            ranking.ndcg(),
            ranking.mrr(),
            grouped(ranking.lists)
        )?;
    }
    writeln!(f)
}
