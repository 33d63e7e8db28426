//! Tables of prequential runs.

use super::super::gathered::{Estimate, Gathered, Source};
use super::table::{Table, number};
use crate::experiment::prequential::lines::{Slice, Task};
use crate::experiment::prequential::{Days, HEARTH, UNANSWERED};

/// All of them, source by source.
pub(in super::super) fn tables(gathered: &Gathered) -> Vec<Table> {
    of_sources(gathered, |source| {
        let mut tables = main_tables(source);
        let by_kind = |metric| move |kind| by_days(source, Some(kind), metric);
        tables.extend(source.kinds().into_iter().map(by_kind(HITS)));
        tables.push(by_days(source, None, GAIN));
        tables.extend(source.kinds().into_iter().map(by_kind(GAIN)));
        tables.extend([
            anomalies(source, &month_after()),
            calls(source, &month_after()),
        ]);
        tables
    })
}

/// Those that a person wants first.
pub(in super::super) fn brief(gathered: &Gathered) -> Vec<Table> {
    of_sources(gathered, main_tables)
}

fn of_sources(gathered: &Gathered, of: impl Fn(&Source<'_>) -> Vec<Table>) -> Vec<Table> {
    let sources = gathered.sources().into_iter();
    let mut tables: Vec<Table> = sources
        .flat_map(|name| of(&gathered.source(name)))
        .collect();
    tables.retain(|table| !table.rows.is_empty());
    tables
}

const HITS: (&str, &str) = ("hr@1", "HR@1");
const GAIN: (&str, &str) = ("ndcg@5", "NDCG@5");

fn main_tables(source: &Source<'_>) -> Vec<Table> {
    vec![
        next_action(source),
        by_days(source, None, HITS),
        synthesis(source),
        anomalies(source, &Slice::default()),
        calls(source, &Slice::default()),
        by_seed(source),
    ]
}

/// The figures that most depends on, seed by seed; nothing where there is one.
fn by_seed(source: &Source<'_>) -> Table {
    const FIGURES: [(&str, Task, &str); 9] = [
        ("HR@1", Task::NextAction, "hr@1"),
        ("NDCG@5", Task::NextAction, "ndcg@5"),
        ("AP", Task::Anomalies, "ap"),
        ("false at .3", Task::Anomalies, "false_alarms@0.3"),
        ("at .5", Task::Anomalies, "false_alarms@0.5"),
        ("at .8", Task::Anomalies, "false_alarms@0.8"),
        ("alarms", Task::Anomalies, "alarms"),
        ("false", Task::Anomalies, "false_alarms"),
        ("recall", Task::Anomalies, "alarm_recall"),
    ];
    let what = "Hearth, a seed a row: next action, anomalies, alarms a home and month, their recall; and what synthesis adds to \
        HR@1 in days 0–7 after a shift of each kind.";
    let mut table = Table::new(
        &format!("By seed: {}", source.name),
        &note(source, what),
        &["seed"],
    );
    let kinds = source.kinds();
    table.head.extend(FIGURES.map(|(name, ..)| name.to_owned()));
    table
        .head
        .extend(kinds.iter().map(|kind| format!("synthesis, {kind}")));
    let seeds = source.by_seed();
    for (seed, source) in seeds.iter().filter(|_| seeds.len() > 1) {
        let mut row = vec![seed.to_string()];
        row.extend(
            FIGURES.map(|(_, task, metric)| {
                text(source.figure(task, HEARTH, &Slice::default(), metric))
            }),
        );
        row.extend(kinds.iter().map(|kind| {
            let slice = Slice {
                kind: Some((*kind).to_owned()),
                days: Some(Days::FirstWeek),
                month_after: false,
            };
            signed(source.difference(Task::NextAction, [HEARTH, UNANSWERED], &slice, HITS.0))
        }));
        table.rows.push(row);
    }
    table
}

fn month_after() -> Slice {
    Slice {
        month_after: true,
        ..Slice::default()
    }
}

/// What all tables of a source say below their titles.
fn note(source: &Source<'_>, what: &str) -> String {
    format!(
        "{}, {} seeds, {} homes and {} behaviours that count. {what} Mean over seeds, with a 95 % interval over homes.",
        source.name,
        source.seeds(),
        source.total(|line| line.homes as f64),
        source.total(|line| line.behaviors as f64),
    )
}

fn next_action(source: &Source<'_>) -> Table {
    let what = "Which action comes next, nothing of it given; planted anomalies need not be foretold. Log loss in nats, no \
        probability below 10⁻⁶; of five: five actions are named with their probabilities, the others share the rest.";
    let mut table = Table::new(
        &format!("Next action: {}", source.name),
        &note(source, what),
        &["method", "HR@1", "HR@5", "NDCG@5", "log loss", "of five"],
    );
    for method in source.methods(Task::NextAction, "hr@1") {
        let mut row = vec![method.to_owned()];
        row.extend(
            ["hr@1", "hr@5", "ndcg@5", "log_loss", "log_loss@5"].map(|metric| {
                text(source.figure(Task::NextAction, method, &Slice::default(), metric))
            }),
        );
        table.rows.push(row);
    }
    table
}

/// One figure of all methods, by days since the last shift.
fn by_days(source: &Source<'_>, kind: Option<&str>, (metric, name): (&str, &str)) -> Table {
    let shift = kind.map_or("a shift".to_owned(), |kind| format!("a shift of {kind}"));
    let mut head = vec!["method".to_owned()];
    head.extend(Days::ALL.map(|days| days.to_string()));
    let mut table = Table::new(
        &format!("Next action, {name} by days since {shift}: {}", source.name),
        &note(source, "Before: of homes before their first one."),
        &head.iter().map(String::as_str).collect::<Vec<_>>(),
    );
    let slice = |days| Slice {
        kind: kind.map(str::to_owned),
        days: Some(days),
        month_after: false,
    };
    if !Days::ALL
        .iter()
        .any(|days| source.has(Task::NextAction, &slice(*days)))
    {
        return table;
    }
    for method in source.methods(Task::NextAction, metric) {
        let mut row = vec![method.to_owned()];
        row.extend(
            Days::ALL
                .map(|days| text(source.figure(Task::NextAction, method, &slice(days), metric))),
        );
        table.rows.push(row);
    }
    table
}

/// Hearth with synthesis against itself without.
fn synthesis(source: &Source<'_>) -> Table {
    let what = "Hearth with synthesis minus Hearth without, the same behaviours of the same homes.";
    let mut table = Table::new(
        &format!("What synthesis adds: {}", source.name),
        &note(source, what),
        &["shift, days since", "HR@1", "HR@5", "NDCG@5", "behaviours"],
    );
    let kinds = [None]
        .into_iter()
        .chain(source.kinds().into_iter().map(Some));
    for kind in kinds {
        for days in Days::ALL.into_iter().chain([Days::FirstWeek]) {
            let slice = Slice {
                kind: kind.map(str::to_owned),
                days: Some(days),
                month_after: false,
            };
            let figures = ["hr@1", "hr@5", "ndcg@5"].map(|metric| {
                source.difference(Task::NextAction, [HEARTH, UNANSWERED], &slice, metric)
            });
            if figures.iter().all(Option::is_none) {
                continue;
            }
            let mut row = vec![format!("{}, {days}", kind.unwrap_or("any"))];
            row.extend(figures.map(signed));
            row.push(
                source
                    .behaviors(Task::NextAction, HEARTH, &slice)
                    .to_string(),
            );
            table.rows.push(row);
        }
    }
    table
}

fn of_when(slice: &Slice) -> &'static str {
    if slice.month_after {
        " in the month after a shift"
    } else {
        ""
    }
}

fn anomalies(source: &Source<'_>, slice: &Slice) -> Table {
    let what = format!(
        "Planted anomalies ({} in all) against what happens; false alarms a home and month where the threshold finds such a share of them.",
        source.total(|line| line.metrics.get("planted").copied().unwrap_or(0.0))
    );
    let mut table = Table::new(
        &format!("Anomalies{}: {}", of_when(slice), source.name),
        &note(source, &what),
        &["method", "AUROC", "AP", "false at .3", "at .5", "at .8"],
    );
    let metrics = [
        "auroc",
        "ap",
        "false_alarms@0.3",
        "false_alarms@0.5",
        "false_alarms@0.8",
    ];
    for method in source.methods(Task::Anomalies, "auroc") {
        let figures = metrics.map(|m| source.figure(Task::Anomalies, method, slice, m));
        if figures.iter().any(Option::is_some) {
            let figures = figures.map(text);
            table
                .rows
                .push([method.to_owned()].into_iter().chain(figures).collect());
        }
    }
    table
}

/// How often Hearth itself calls.
fn calls(source: &Source<'_>, slice: &Slice) -> Table {
    let what = "A home and month: behaviours above their home's own threshold, and alarms, where the version writes them; how many of them \
        are false; the share of the planted anomalies that they hold.";
    let mut table = Table::new(
        &format!("Calls{}: {}", of_when(slice), source.name),
        &note(source, what),
        &["method", "a home-month", "false", "recall"],
    );
    for method in source.methods(Task::Anomalies, "calls") {
        for (what, metrics) in [
            ("own threshold", ["calls", "false_calls", "recall"]),
            ("alarms", ["alarms", "false_alarms", "alarm_recall"]),
        ] {
            let figures = metrics.map(|m| source.figure(Task::Anomalies, method, slice, m));
            if figures[0].is_some() {
                let mut row = vec![format!("{method}, {what}")];
                row.extend(figures.map(text));
                table.rows.push(row);
            }
        }
    }
    table
}

fn text(estimate: Option<Estimate>) -> String {
    match estimate {
        None => "-".to_owned(),
        Some(Estimate {
            mean,
            interval: Some([low, high]),
        }) => format!("{} [{}, {}]", number(mean), number(low), number(high)),
        Some(Estimate { mean, .. }) => number(mean),
    }
}

fn signed(estimate: Option<Estimate>) -> String {
    match estimate {
        None => "-".to_owned(),
        Some(Estimate {
            mean,
            interval: Some([low, high]),
        }) => format!("{mean:+.3} [{low:+.3}, {high:+.3}]"),
        Some(Estimate { mean, .. }) => format!("{mean:+.3}"),
    }
}
