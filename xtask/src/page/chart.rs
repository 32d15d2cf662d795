//! One chart: who answered and what failed, and below it how long the answers took.
//!
//! The drawings stretch with the page; everything that is read stands beside them as text and does not.

use maud::{Markup, Render, html};

use super::drawing::{HEADROOM, answer_times, height, requests};
use super::stages::{self, percent};
use super::trace::{Swap, Trace};
use crate::table::thousands;

/// The chart on a time axis of `span` milliseconds.
pub(super) fn html(swap: &Swap, span: f64) -> Markup {
    let trace = &swap.trace;
    if trace.slices.is_empty() || span <= 0.0 {
        return html! { p.empty { "No requests were recorded." } };
    }
    let rate = f64::from(trace.rate);
    let counts = [(rate, trace.rate), (rate / 2.0, trace.rate / 2), (0.0, 0)];
    let counts = counts.map(|(value, text)| (percent(value, rate * HEADROOM), text));
    let times = [
        (0.1, "0.1"),
        (1.0, "1"),
        (10.0, "10"),
        (100.0, "100"),
        (1000.0, "1,000"),
    ];
    let times = times.map(|(ms, text)| (100.0 - height(ms), text));
    let requests = html! { (requests(swap, span)) (labels(trace, span)) };
    html! {
        div.chart {
            (stages::html(trace, span))
            (plot("requests", "requests / s", &counts, &requests))
            (plot("times", "answered in, ms", &times, &answer_times(swap, span)))
            (axis(span))
        }
    }
}

fn plot(class: &str, unit: &str, ticks: &[(f64, impl Render)], drawing: &Markup) -> Markup {
    html! {
        p.unit aria-hidden="true" { (unit) }
        div class={ "plot " (class) } {
            div.y aria-hidden="true" {
                @for (at, text) in ticks { span style=(format_args!("bottom:{at:.1}%")) { (text) } }
            }
            (drawing)
        }
    }
}

// The versions at the ends, and how many failed in the middle of where they did.
fn labels(trace: &Trace, span: f64) -> Markup {
    let end = 100.0 - percent(trace.slices.len() as f64 * trace.slice_ms, span);
    html! {
        @if let [first, ..] = &*trace.versions { span.label.first { (first) } }
        @if let [_, .., last] = &*trace.versions {
            span.label.last style=(format_args!("right:calc({end:.1}% + 4px)")) { (last) }
        }
        @if let Some(middle) = middle_of_failures(trace, span) {
            span.label.lost style=(format_args!("left:{middle:.1}%")) { (thousands(trace.failed())) " failed" }
        }
    }
}

fn middle_of_failures(trace: &Trace, span: f64) -> Option<f64> {
    let first = trace.slices.iter().position(|it| it.failed > 0)?;
    let last = trace.slices.iter().rposition(|it| it.failed > 0)?;
    let middle = (first + last + 1) as f64 / 2.0 * trace.slice_ms;
    Some(percent(middle, span).clamp(16.0, 84.0))
}

fn axis(span: f64) -> Markup {
    let steps = [
        250.0, 500.0, 1000.0, 2000.0, 5000.0, 10_000.0, 20_000.0, 60_000.0,
    ];
    let fitting = steps.into_iter().find(|step| span / step <= 6.0);
    let step = fitting.unwrap_or(300_000.0);
    let ticks = (0..=(span / step) as usize).map(|tick| tick as f64 * step);
    html! {
        div.x aria-hidden="true" {
            @for ms in ticks {
                span style=(format_args!("left:{:.2}%", percent(ms, span))) {
                    (ms / 1000.0) @if ms == 0.0 { " s" }
                }
            }
        }
    }
}
