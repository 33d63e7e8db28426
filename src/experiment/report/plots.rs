//! Plots as SVG that stands in the page: no script, no file beside it; colours come from the page's style.

use maud::{Markup, html};

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 260.0;
/// Room for the vertical axis and its numbers, and for names below.
const LEFT: f64 = 46.0;
const BELOW: f64 = 34.0;
const ABOVE: f64 = 10.0;

/// A value with its interval.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bar {
    pub value: f64,
    pub interval: Option<[f64; 2]>,
}

/// A row of values: a colour and a line of the legend.
pub(super) struct Series<T> {
    pub name: String,
    /// By group or step; `None` where there is none.
    pub values: Vec<Option<T>>,
}

/// Groups of bars with intervals, from 0 on.
pub(super) fn bars(title: &str, groups: &[String], series: &[Series<Bar>]) -> Markup {
    let values = series.iter().flat_map(|s| s.values.iter().flatten());
    let top = values
        .flat_map(|bar| [bar.value, bar.interval.map_or(0.0, |i| i[1])])
        .fold(0.0, f64::max);
    let axis = Axis::new(0.0, top);
    let group = (WIDTH - LEFT) / groups.len().max(1) as f64;
    let width = group * 0.8 / series.len().max(1) as f64;
    frame(
        title,
        &axis,
        &names(series),
        &html! {
            @for (g, name) in groups.iter().enumerate() {
                @let from = LEFT + group * (g as f64 + 0.1);
                @for (s, series) in series.iter().enumerate() {
                    @if let Some(Some(bar)) = series.values.get(g) {
                        @let x = from + width * s as f64;
                        @let y = axis.y(bar.value);
                        rect class=(colour(s)) x=(short(x)) y=(short(y)) width=(short(width * 0.92)) height=(short(axis.y(0.0) - y)) {
                            title { (name) ": " (series.name) " " (figure(bar.value)) }
                        }
                        @if let Some([low, high]) = bar.interval {
                            @let middle = x + width * 0.46;
                            line class="interval" x1=(short(middle)) x2=(short(middle)) y1=(short(axis.y(low.max(0.0)))) y2=(short(axis.y(high))) {}
                        }
                    }
                }
                (below(LEFT + group * (g as f64 + 0.5), name))
            }
        },
    )
}

/// Lines over steps that stand at equal distances.
pub(super) fn curves(title: &str, steps: &[String], series: &[Series<f64>]) -> Markup {
    let values = || {
        series
            .iter()
            .flat_map(|s| s.values.iter().flatten().copied())
    };
    let low = values().fold(f64::INFINITY, f64::min);
    let axis = Axis::new(
        if low.is_finite() { low * 0.9 } else { 0.0 },
        values().fold(0.0, f64::max),
    );
    let step = (WIDTH - LEFT) / steps.len().max(1) as f64;
    let x = |at: usize| LEFT + step * (at as f64 + 0.5);
    frame(
        title,
        &axis,
        &names(series),
        &html! {
            @for (s, series) in series.iter().enumerate() {
                @let points = points(&series.values, x, &axis);
                polyline class=(colour(s)) points=(points) {}
                @for (at, value) in series.values.iter().enumerate() {
                    @if let Some(value) = value {
                        circle class=(colour(s)) cx=(short(x(at))) cy=(short(axis.y(*value))) r="3" {
                            title { (series.name) ", " (steps[at]) ": " (figure(*value)) }
                        }
                    }
                }
            }
            @for (at, name) in steps.iter().enumerate() {
                (below(x(at), name))
            }
        },
    )
}

/// How often values fall into equal intervals, with a line at a bound.
pub(super) fn histogram(title: &str, values: &[f64], bound: Option<f64>) -> Markup {
    const BINS: usize = 40;
    let low = values
        .iter()
        .copied()
        .fold(f64::INFINITY, f64::min)
        .min(0.0);
    let high = values.iter().copied().fold(0.0, f64::max);
    let high = bound.map_or(high, |bound| high.max(bound)).max(low + 1e-9);
    let mut counts = vec![0.0; BINS];
    for value in values {
        let bin = ((value - low) / (high - low) * BINS as f64) as usize;
        counts[bin.min(BINS - 1)] += 1.0;
    }
    let axis = Axis::new(0.0, counts.iter().copied().fold(1.0, f64::max));
    let width = (WIDTH - LEFT) / BINS as f64;
    let x = |value: f64| LEFT + (value - low) / (high - low) * (WIDTH - LEFT);
    frame(
        title,
        &axis,
        &[],
        &html! {
            @for (bin, count) in counts.iter().enumerate() {
                @let y = axis.y(*count);
                rect class="c0" x=(short(LEFT + width * bin as f64)) y=(short(y)) width=(short(width * 0.92)) height=(short(axis.y(0.0) - y)) {}
            }
            @if let Some(bound) = bound {
                line class="bound" x1=(short(x(bound))) x2=(short(x(bound))) y1=(short(ABOVE)) y2=(short(HEIGHT - BELOW)) {
                    title { "bound " (figure(bound)) }
                }
            }
            @for part in 0..=4 {
                @let value = low + (high - low) * f64::from(part) / 4.0;
                (below(x(value).clamp(LEFT + 10.0, WIDTH - 16.0), &format!("{value:.1}")))
            }
        },
    )
}

fn names<T>(series: &[Series<T>]) -> Vec<&str> {
    series.iter().map(|s| s.name.as_str()).collect()
}

/// Colours of the page's style.
const COLOURS: usize = 12;

/// A series' colour is a class of the page's style.
fn colour(series: usize) -> String {
    format!("c{}", series % COLOURS)
}

fn points(values: &[Option<f64>], x: impl Fn(usize) -> f64, axis: &Axis) -> String {
    let known = values
        .iter()
        .enumerate()
        .filter_map(|(at, value)| Some((at, (*value)?)));
    let points = known.map(|(at, value)| format!("{},{}", short(x(at)), short(axis.y(value))));
    points.collect::<Vec<_>>().join(" ")
}

fn below(x: f64, text: &str) -> Markup {
    html! {
        text class="name" x=(short(x)) y=(short(HEIGHT - BELOW + 18.0)) { (text) }
    }
}

fn frame(title: &str, axis: &Axis, legend: &[&str], inner: &Markup) -> Markup {
    html! {
        figure {
            figcaption { (title) }
            svg viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) role="img" aria-label=(title) {
                @for tick in axis.ticks() {
                    line class="grid" x1=(LEFT) x2=(WIDTH) y1=(short(axis.y(tick))) y2=(short(axis.y(tick))) {}
                    text class="tick" x=(short(LEFT - 6.0)) y=(short(axis.y(tick) + 4.0)) { (figure(tick)) }
                }
                (inner)
            }
            @if legend.len() > 1 {
                p class="legend" {
                    @for (s, name) in legend.iter().enumerate() {
                        span { i class=(colour(s)) {} (name) }
                    }
                }
            }
        }
    }
}

/// The vertical axis: round numbers that hold all values.
struct Axis {
    low: f64,
    step: f64,
    steps: u32,
}

impl Axis {
    fn new(low: f64, high: f64) -> Self {
        let span = (high - low).max(1e-9);
        let power = 10f64.powf((span / 4.0).log10().floor());
        let step = [1.0, 2.0, 2.5, 5.0, 10.0]
            .map(|times| times * power)
            .into_iter()
            .find(|step| step * 4.0 >= span * 0.999)
            .unwrap_or(10.0 * power);
        let low = (low / step).floor() * step;
        let steps = ((high - low) / step - 1e-6).ceil().max(1.0) as u32;
        Axis { low, step, steps }
    }

    fn ticks(&self) -> impl Iterator<Item = f64> {
        (0..=self.steps).map(|tick| self.low + self.step * f64::from(tick))
    }

    fn y(&self, value: f64) -> f64 {
        let share = (value - self.low) / (self.step * f64::from(self.steps));
        ABOVE + (1.0 - share) * (HEIGHT - ABOVE - BELOW)
    }
}

/// A coordinate, as exact as a screen.
fn short(value: f64) -> String {
    format!("{value:.1}")
}

fn figure(value: f64) -> String {
    let text = format!("{value:.3}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" {
        "0".to_owned()
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_are_short() {
        assert_eq!(
            ["0.250", "1", "0"],
            [figure(0.25) + "0", figure(1.0), figure(-0.0)]
        );
    }

    #[test]
    fn texts_are_escaped() {
        let series = [Series {
            name: "<b>".to_owned(),
            values: vec![Some(0.5)],
        }];
        let page = curves("a & b", &["x".to_owned()], &series).into_string();
        assert!(page.contains("&lt;b&gt;") && page.contains("a &amp; b") && !page.contains("<b>"));
    }

    proptest! {
        /// All values lie between the first and the last tick, so nothing is drawn outside.
        #[test]
        fn an_axis_holds_its_values(low in -10.0f64..10.0, span in 0.0f64..1000.0) {
            let axis = Axis::new(low, low + span);
            let ticks: Vec<f64> = axis.ticks().collect();
            prop_assert!(ticks.len() >= 2 && ticks.len() <= 8, "{:?}", ticks);
            prop_assert!(ticks[0] <= low + 1e-9);
            prop_assert!(ticks[ticks.len() - 1] >= low + span - 1e-3 * axis.step);
        }
    }
}
