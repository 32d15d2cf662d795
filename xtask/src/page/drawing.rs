//! The drawings of a chart, as SVG that stretches with the page.

use std::fmt::Write;

use maud::{Markup, html};

use super::stages::percent;
use super::trace::{Slice, Swap, Trace};

/// A drawing's own width; its height is in pixels of the page.
const WIDTH: f64 = 1000.0;
const HEIGHT: f64 = 100.0;
/// The ends of the axis of answer times, in milliseconds.
const FASTEST: f64 = 0.1;
const SLOWEST: f64 = 3000.0;
/// How much room the axis of requests has above their rate.
pub(super) const HEADROOM: f64 = 1.08;

/// A drawing that people may have read to them.
pub(crate) fn svg(width: f64, title: &str, desc: &str, drawing: &Markup) -> Markup {
    html! {
        svg role="img" viewBox=(format_args!("0 0 {width} {HEIGHT}")) preserveAspectRatio="none" {
            title { (title) } desc { (desc) } (drawing)
        }
    }
}

/// Who answered, and what failed.
pub(super) fn requests(swap: &Swap, span: f64) -> Markup {
    let trace = &swap.trace;
    let per_slice = f64::from(trace.rate) * trace.slice_ms / 1000.0 * HEADROOM;
    let scale = |count: usize| (count as f64 / per_slice * HEIGHT).min(HEIGHT);
    let upto = |slice: &Slice, versions: usize| slice.answered.iter().take(versions).sum::<usize>();
    let answered = |version: usize| {
        layer(trace, span, |it| {
            (scale(upto(it, version)), scale(upto(it, version + 1)))
        })
    };
    let failed = layer(trace, span, |it| {
        let answered = upto(it, it.answered.len());
        (scale(answered), scale(answered + it.failed))
    });
    let drawing = html! {
        (window(trace, span))
        @for version in 0..trace.versions.len() {
            path class={ "v" (version.min(1)) } d=(answered(version)) {}
        }
        @if !failed.is_empty() { path.failed d=(failed) {} path.hatch d=(failed) {} }
    };
    let title = format!("{}: requests over time", swap.title);
    let versions = trace.versions.join(", then ");
    let desc = format!("{} Answered by {versions}.", swap.verdict);
    svg(WIDTH, &title, &desc, &drawing)
}

// One rectangle for each run of slices with the same two heights; nothing where they are equal.
fn layer(trace: &Trace, span: f64, heights: impl Fn(&Slice) -> (f64, f64)) -> String {
    let mut path = String::new();
    let heights: Vec<_> = trace.slices.iter().map(heights).collect();
    let mut first = 0;
    for run in heights.chunk_by(|a, b| a == b) {
        let ((low, high), next) = (run[0], first + run.len());
        if high > low {
            let (from, to) = (x(trace, first, span), x(trace, next, span));
            let _ = write!(
                path,
                "M{from:.1} {:.1}H{to:.1}V{:.1}H{from:.1}z",
                HEIGHT - low,
                HEIGHT - high
            );
        }
        first = next;
    }
    path
}

/// How long the answers took.
pub(super) fn answer_times(swap: &Swap, span: f64) -> Markup {
    let trace = &swap.trace;
    let drawing = html! {
        (window(trace, span))
        @for decade in [1.0, 10.0, 100.0, 1000.0] {
            path.grid d=(format_args!("M0 {:.1}H{WIDTH}", height(decade))) {}
        }
        path.slowest d=(line(trace, span, |it| it.slowest_ms)) {}
        path.median d=(line(trace, span, |it| it.median_ms)) {}
    };
    let slowest = trace.slices.iter().filter_map(|it| it.slowest_ms);
    let desc = format!(
        "Median and slowest answer of each {} ms; the slowest of all took {:.0} ms.",
        trace.slice_ms,
        slowest.fold(0.0, f64::max)
    );
    svg(
        WIDTH,
        &format!("{}: answer times", swap.title),
        &desc,
        &drawing,
    )
}

// A stroke for each slice in which there was an answer.
fn line(trace: &Trace, span: f64, pick: impl Fn(&Slice) -> Option<f64>) -> String {
    let mut path = String::new();
    for (index, slice) in trace.slices.iter().enumerate() {
        if let Some(ms) = pick(slice) {
            let (from, to) = (x(trace, index, span), x(trace, index + 1, span));
            let _ = write!(path, "M{from:.1} {:.1}H{to:.1}", height(ms));
        }
    }
    path
}

fn window(trace: &Trace, span: f64) -> Markup {
    let place = |ms| percent(ms, span) * WIDTH / 100.0;
    html! {
        @if let Some(it) = &trace.handover {
            @let (from, to) = (place(it.from_ms), place(it.to_ms));
            path.window d=(format_args!("M{from:.1} 0H{to:.1}V{HEIGHT}H{from:.1}z")) {}
        }
    }
}

fn x(trace: &Trace, slice: usize, span: f64) -> f64 {
    percent(slice as f64 * trace.slice_ms, span) * WIDTH / 100.0
}

/// How far down a time stands on the axis of answer times.
pub(super) fn height(ms: f64) -> f64 {
    let share = (ms.clamp(FASTEST, SLOWEST) / FASTEST).ln() / (SLOWEST / FASTEST).ln();
    HEIGHT - share * HEIGHT
}
