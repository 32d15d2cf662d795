//! One chart: who answered and what failed, and below it how long the answers took.
//!
//! The drawings stretch with the page; everything that is read stands beside them as text and does not.

use std::fmt::Write;

use super::drawing::{HEADROOM, answer_times, height, requests};
use super::stages::{self, percent};
use super::trace::Trace;
use super::{Swap, escaped};
use crate::table::thousands;

/// The chart on a time axis of `span` milliseconds.
pub(super) fn html(swap: &Swap, span: f64) -> String {
    let trace = &swap.trace;
    if trace.slices.is_empty() || span <= 0.0 {
        return "<p class=empty>No requests were recorded.</p>".to_owned();
    }
    let rate = f64::from(trace.rate);
    let counts = [
        (rate, trace.rate.to_string()),
        (rate / 2.0, (trace.rate / 2).to_string()),
        (0.0, "0".into()),
    ];
    let counts = counts.map(|(value, text)| (percent(value, rate * HEADROOM), text));
    let times = [
        (0.1, "0.1"),
        (1.0, "1"),
        (10.0, "10"),
        (100.0, "100"),
        (1000.0, "1,000"),
    ];
    let times = times.map(|(ms, text)| (100.0 - height(ms), text.to_owned()));
    [
        "<div class=chart>".to_owned(),
        stages::html(trace, span),
        plot(
            "requests",
            "requests / s",
            &counts,
            &requests(swap, span),
            &labels(trace, span),
        ),
        plot(
            "times",
            "answered in, ms",
            &times,
            &answer_times(swap, span),
            "",
        ),
        axis(span),
        "</div>".to_owned(),
    ]
    .concat()
}

fn plot(class: &str, unit: &str, ticks: &[(f64, String)], svg: &str, labels: &str) -> String {
    let ticks: String = ticks
        .iter()
        .map(|(at, text)| format!("<span style=\"bottom:{at:.1}%\">{text}</span>"))
        .collect();
    format!(
        "<p class=unit aria-hidden=true>{unit}</p><div class=\"plot {class}\"><div class=y aria-hidden=true>{ticks}</div>{svg}{labels}</div>"
    )
}

// The versions at the ends, and how many failed in the middle of where they did.
fn labels(trace: &Trace, span: f64) -> String {
    let mut html = String::new();
    if let Some(first) = trace.versions.first() {
        let _ = write!(
            html,
            "<span class=\"label first\">{}</span>",
            escaped(first)
        );
    }
    let end = 100.0 - percent(trace.slices.len() as f64 * trace.slice_ms, span);
    if let Some(last) = trace.versions.get(1..).and_then(<[_]>::last) {
        let _ = write!(
            html,
            "<span class=\"label last\" style=\"right:calc({end:.1}% + 4px)\">{}</span>",
            escaped(last)
        );
    }
    let mut failed = (0..trace.slices.len()).filter(|&it| trace.slices[it].failed > 0);
    if let Some(first) = failed.next() {
        let middle =
            (first + failed.next_back().unwrap_or(first) + 1) as f64 / 2.0 * trace.slice_ms;
        let middle = percent(middle, span).clamp(16.0, 84.0);
        let _ = write!(
            html,
            "<span class=\"label lost\" style=\"left:{middle:.1}%\">{} failed</span>",
            thousands(trace.failed())
        );
    }
    html
}

fn axis(span: f64) -> String {
    let steps = [
        250.0, 500.0, 1000.0, 2000.0, 5000.0, 10_000.0, 20_000.0, 60_000.0,
    ];
    let step = steps
        .into_iter()
        .find(|step| span / step <= 6.0)
        .unwrap_or(300_000.0);
    let mut html = "<div class=x aria-hidden=true>".to_owned();
    for tick in 0..=(span / step) as usize {
        let ms = tick as f64 * step;
        let unit = if tick == 0 { " s" } else { "" };
        let _ = write!(
            html,
            "<span style=\"left:{:.2}%\">{}{unit}</span>",
            percent(ms, span),
            ms / 1000.0
        );
    }
    html + "</div>"
}
