//! A report as one SVG file: no script, no font, no page around it needed; light or dark as the reader has it.

use maud::{Markup, PreEscaped, html};

const WIDTH: f64 = 760.0;
/// Height of a line of text, and of a bar with its distance to the next.
const LINE: f64 = 24.0;
/// Room for names on the left, and for figures on the right.
const LEFT: f64 = 300.0;
const RIGHT: f64 = 90.0;
/// The area of curves.
const HEIGHT: f64 = 300.0;

const STYLE: &str = "svg{color-scheme:light dark;--ink:#1c1c22;--faint:#d9d9de;--c0:#3566b8;--c1:#d97a26;--c2:#3d8f5a;--c3:#a8487f;--c4:#888890}\
@media(prefers-color-scheme:dark){svg{--ink:#e4e4e8;--faint:#3a3b42;--c0:#7ba4ec;--c1:#f0a35e;--c2:#74c492;--c3:#dd86b6;--c4:#a4a4ae}}\
text{fill:var(--ink);font:12px system-ui,sans-serif}.title{font-weight:600;font-size:14px}.end{text-anchor:end}.middle{text-anchor:middle}\
line{stroke:var(--faint)}polyline{fill:none;stroke-width:2}\
.c0{fill:var(--c0);stroke:var(--c0)}.c1{fill:var(--c1);stroke:var(--c1)}.c2{fill:var(--c2);stroke:var(--c2)}\
.c3{fill:var(--c3);stroke:var(--c3)}.c4{fill:var(--c4);stroke:var(--c4)}polyline.c0,polyline.c1,polyline.c2,polyline.c3,polyline.c4{fill:none}";

/// Colours of the style.
const COLOURS: usize = 5;

/// A figure with its name.
pub(super) struct Bar {
    pub name: String,
    pub value: f64,
    /// The value in words.
    pub told: String,
}

/// One bar a line, from 0 on.
pub(super) fn bars(title: &str, bars: &[Bar]) -> String {
    let top = bars.iter().map(|bar| bar.value).fold(0.0, f64::max);
    let scale = (WIDTH - LEFT - RIGHT) / top.max(f64::MIN_POSITIVE);
    file(
        title,
        LINE * (bars.len() as f64 + 2.0),
        &html! {
            @for (i, bar) in bars.iter().enumerate() {
                @let y = LINE * (i as f64 + 1.5);
                @let end = LEFT + scale * bar.value;
                text class="end" x=(LEFT - 8.0) y=(short(y + 15.0)) { (bar.name) }
                rect class="c0" x=(LEFT) y=(short(y + 3.0)) width=(short(end - LEFT)) height=(LINE - 6.0) {}
                text x=(short(end + 6.0)) y=(short(y + 15.0)) { (bar.told) }
            }
        },
    )
}

/// A curve of values over the same steps.
pub(super) struct Curve {
    pub name: String,
    pub values: Vec<f64>,
}

/// Curves over steps at equal distances, the vertical axis in powers of ten.
pub(super) fn curves(title: &str, steps: &[String], curves: &[Curve]) -> String {
    // A logarithm needs more than nothing.
    let values = || {
        curves
            .iter()
            .flat_map(|c| c.values.iter().map(|v| v.max(0.1)))
    };
    let low = values().fold(f64::INFINITY, f64::min).log10().floor();
    let high = values().fold(0.1, f64::max).log10().ceil();
    let (low, high) = (low.min(high - 1.0), high);
    let (above, left) = (LINE * 2.0, 70.0);
    let y = |value: f64| above + (high - value.max(0.1).log10()) / (high - low) * HEIGHT;
    let step = (WIDTH - left - RIGHT) / steps.len().max(1) as f64;
    let x = |at: usize| left + step * (at as f64 + 0.5);
    let powers = (low as i32..=high as i32).map(|power| 10f64.powi(power));
    file(
        title,
        above + HEIGHT + LINE * 1.5,
        &html! {
            @for power in powers {
                line x1=(left) x2=(WIDTH - RIGHT) y1=(short(y(power))) y2=(short(y(power))) {}
                text class="end" x=(left - 6.0) y=(short(y(power) + 4.0)) { (power) }
            }
            @for (c, curve) in curves.iter().enumerate() {
                @let points: Vec<String> = curve.values.iter().enumerate()
                    .map(|(at, value)| format!("{},{}", short(x(at)), short(y(*value)))).collect();
                polyline class=(colour(c)) points=(points.join(" ")) {}
                @if let Some(last) = curve.values.last() {
                    circle class=(colour(c)) cx=(short(x(curve.values.len() - 1))) cy=(short(y(*last))) r="3" {}
                    text x=(short(x(curve.values.len() - 1) + 8.0)) y=(short(y(*last) + 4.0)) { (curve.name) }
                }
            }
            @for (at, name) in steps.iter().enumerate() {
                text class="middle" x=(short(x(at))) y=(short(above + HEIGHT + LINE)) { (name) }
            }
        },
    )
}

fn colour(of: usize) -> String {
    format!("c{}", of % COLOURS)
}

/// A coordinate, as exact as a screen.
fn short(value: f64) -> String {
    format!("{value:.1}")
}

fn file(title: &str, height: f64, inner: &Markup) -> String {
    let markup = html! {
        svg xmlns="http://www.w3.org/2000/svg" viewBox=(format!("0 0 {WIDTH} {height}")) role="img" aria-label=(title) {
            style { (PreEscaped(STYLE)) }
            text class="title" x="8" y="20" { (title) }
            (inner)
        }
    };
    markup.into_string() + "\n"
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever is drawn stands within the picture, and whatever is named is escaped.
        #[test]
        fn everything_is_within_the_picture(values in prop::collection::vec(0.0f64..1e9, 1..8)) {
            let told = |value: &f64| Bar { name: "<a & b>".into(), value: *value, told: value.to_string() };
            let drawn = bars("a < b", &values.iter().map(told).collect::<Vec<_>>());
            prop_assert!(drawn.contains("&lt;a &amp; b&gt;") && !drawn.contains("<a"));
            let widths = drawn.split(" width=\"").skip(1);
            for width in widths.filter_map(|rest| rest.split('"').next()?.parse::<f64>().ok()) {
                prop_assert!((0.0..=WIDTH - LEFT - RIGHT + 0.1).contains(&width));
            }
            let steps: Vec<String> = (0..values.len()).map(|i| i.to_string()).collect();
            let drawn = curves("t", &steps, &[Curve { name: "p50".into(), values }]);
            let points = drawn.split("points=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
            for point in points.split(' ') {
                let (x, y) = point.split_once(',').unwrap();
                let (x, y): (f64, f64) = (x.parse().unwrap(), y.parse().unwrap());
                prop_assert!((0.0..=WIDTH).contains(&x));
                prop_assert!((LINE * 2.0 - 0.1..=LINE * 2.0 + HEIGHT + 0.1).contains(&y));
            }
        }
    }
}
