//! An axis below bars: few ticks at round values, each inside of its chart.

use maud::{Markup, html};

use crate::page::percent;

/// Ticks at multiples of the first of `steps` of which not more than four fit; `label` tells what each says.
pub(super) fn html(from: f64, to: f64, steps: &[f64], label: impl Fn(f64) -> String) -> Markup {
    let span = to - from;
    let largest = steps.last().copied().unwrap_or(1.0);
    let fitting = steps.iter().copied().find(|step| span / step <= 4.0);
    let step = fitting.unwrap_or_else(|| largest * (span / largest / 4.0).ceil());
    let first = (from / step).ceil();
    let ticks = (0..).map(|tick| (first + f64::from(tick)) * step);
    html! {
        div.x aria-hidden="true" {
            @for tick in ticks.take_while(|tick| *tick <= to) {
                @let at = percent(tick - from, span);
                span style=(format_args!("left:{at:.2}%;transform:translateX({})", shift(at))) { (label(tick)) }
            }
        }
    }
}

// At an end the text stands inside of it.
fn shift(at: f64) -> &'static str {
    match at {
        at if at < 8.0 => "0",
        at if at > 88.0 => "-100%",
        _ => "-50%",
    }
}

/// Round steps, from a thousandth to ten million.
pub(super) fn round_steps() -> Vec<f64> {
    let powers = (-3..=7).map(|power| 10f64.powi(power));
    powers
        .flat_map(|power| [power, 2.0 * power, 5.0 * power])
        .collect()
}
