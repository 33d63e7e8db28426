//! `prequential.html`: one file with everything in it.

use maud::{Markup, html};

use super::super::prequential::Days;
use super::super::prequential::lines::{Slice, Task};
use super::gathered::{Estimate, Gathered, Source};
use super::page::{document, section};
use super::plots::{Bar, Series, bars, curves};
use super::tables;

/// False alarms a home-month that still fit into a plot: trivial answers give so many that nothing else would be seen.
const MOST_FALSE: f64 = 200.0;

/// The whole page.
pub(super) fn page(gathered: &Gathered) -> String {
    let title = "Hearth: from segment to segment";
    let body = html! {
        h1 { (title) }
        p {
            "Made from prequential.jsonl. Each segment is judged by what was known before it, then learnt. For all rows the same \
             behaviours count: from seven days after a home's first on, or from where Hearth has begun to score it, whichever is later."
        }
        @for name in gathered.sources() {
            @let source = gathered.source(name);
            (next_action(&source))
            @for kind in [None].into_iter().chain(source.kinds().into_iter().map(Some)) { (by_days(&source, kind)) }
            (anomalies(&source))
        }
        @for table in tables::prequential(gathered) { (section(&table)) }
    };
    document(title, &body)
}

fn bar(estimate: Option<Estimate>) -> Option<Bar> {
    let Estimate { mean, interval } = estimate?;
    Some(Bar {
        value: mean,
        interval,
    })
}

/// Bars of methods, in groups by figure; nothing where no method has the first. What is above `most` in any is left out.
fn all_methods(
    source: &Source<'_>,
    title: &str,
    task: Task,
    figures: &[(&str, &str)],
    most: f64,
) -> Markup {
    let methods = figures
        .first()
        .map(|(metric, _)| source.methods(task, metric));
    let series = methods.into_iter().flatten().map(|method| Series {
        name: method.to_owned(),
        values: figures
            .iter()
            .map(|(metric, _)| bar(source.figure(task, method, &Slice::default(), metric)))
            .collect(),
    });
    let fits = |series: &Series<Bar>| series.values.iter().flatten().all(|bar| bar.value <= most);
    let series: Vec<Series<Bar>> = series.filter(fits).collect();
    let groups: Vec<String> = figures.iter().map(|(_, name)| (*name).to_owned()).collect();
    html! { @if !series.is_empty() { (bars(&format!("{title}: {}", source.name), &groups, &series)) } }
}

fn next_action(source: &Source<'_>) -> Markup {
    let figures = [("hr@1", "HR@1"), ("hr@5", "HR@5"), ("ndcg@5", "NDCG@5")];
    all_methods(source, "Next action", Task::NextAction, &figures, 1.0)
}

/// How a shift is got over.
fn by_days(source: &Source<'_>, kind: Option<&str>) -> Markup {
    let slice = |days| Slice {
        kind: kind.map(str::to_owned),
        days: Some(days),
        month_after: false,
    };
    let series = source
        .methods(Task::NextAction, "hr@1")
        .into_iter()
        .map(|method| Series {
            name: method.to_owned(),
            values: Days::ALL
                .map(|days| source.figure(Task::NextAction, method, &slice(days), "hr@1"))
                .map(|figure| figure.map(|figure| figure.mean))
                .to_vec(),
        });
    let series: Vec<Series<f64>> = series.collect();
    let steps = Days::ALL.map(|days| days.to_string());
    let shift = kind.map_or("a shift".to_owned(), |kind| format!("a shift of {kind}"));
    let title = format!("HR@1 by days since {shift}: {}", source.name);
    let any = Days::ALL
        .iter()
        .any(|days| source.has(Task::NextAction, &slice(*days)));
    html! { @if any { (curves(&title, &steps, &series)) } }
}

fn anomalies(source: &Source<'_>) -> Markup {
    let false_alarms = [
        ("false_alarms@0.3", "recall .3"),
        ("false_alarms@0.5", "recall .5"),
        ("false_alarms@0.8", "recall .8"),
    ];
    let order = [("auroc", "AUROC"), ("ap", "AP")];
    let title =
        format!("False alarms a home-month (methods of more than {MOST_FALSE} are left out)");
    html! {
        (all_methods(source, "Anomalies", Task::Anomalies, &order, 1.0))
        (all_methods(source, &title, Task::Anomalies, &false_alarms, MOST_FALSE))
    }
}
