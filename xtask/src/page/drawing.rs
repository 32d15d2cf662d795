//! The drawings of a chart, as SVG that stretches with the page.

use std::fmt::Write;

use super::stages::percent;
use super::trace::{Slice, Trace};
use super::{Swap, escaped};

/// A drawing's own width; its height is in pixels of the page.
const WIDTH: f64 = 1000.0;
const HEIGHT: f64 = 100.0;
/// The ends of the axis of answer times, in milliseconds.
const FASTEST: f64 = 0.1;
const SLOWEST: f64 = 3000.0;
/// How much room the axis of requests has above their rate.
pub(super) const HEADROOM: f64 = 1.08;

fn svg(title: &str, desc: &str, drawing: &str) -> String {
    format!(
        "<svg role=img viewBox=\"0 0 {WIDTH} {HEIGHT}\" preserveAspectRatio=none><title>{}</title><desc>{}</desc>{drawing}</svg>",
        escaped(title),
        escaped(desc)
    )
}

/// Who answered, and what failed.
pub(super) fn requests(swap: &Swap, span: f64) -> String {
    let trace = &swap.trace;
    let mut drawing = window(trace, span);
    let per_slice = f64::from(trace.rate) * trace.slice_ms / 1000.0 * HEADROOM;
    let scale = |count: usize| (count as f64 / per_slice * HEIGHT).min(HEIGHT);
    for version in 0..trace.versions.len() {
        let upto = |slice: &Slice, versions: usize| slice.answered.iter().take(versions).sum();
        let layer = layer(trace, span, |slice| {
            (scale(upto(slice, version)), scale(upto(slice, version + 1)))
        });
        let _ = write!(drawing, "<path class=v{} d=\"{layer}\"/>", version.min(1));
    }
    let answered = |slice: &Slice| slice.answered.iter().sum::<usize>();
    let failed = layer(trace, span, |slice| {
        (
            scale(answered(slice)),
            scale(answered(slice) + slice.failed),
        )
    });
    if !failed.is_empty() {
        let _ = write!(
            drawing,
            "<path class=failed d=\"{failed}\"/><path class=hatch d=\"{failed}\"/>"
        );
    }
    let desc = format!(
        "{} Answered by {}.",
        swap.verdict,
        trace.versions.join(", then ")
    );
    svg(
        &format!("{}: requests over time", swap.title),
        &desc,
        &drawing,
    )
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
pub(super) fn answer_times(swap: &Swap, span: f64) -> String {
    let trace = &swap.trace;
    let mut drawing = window(trace, span);
    for decade in [1.0, 10.0, 100.0, 1000.0] {
        let _ = write!(
            drawing,
            "<path class=grid d=\"M0 {0:.1}H{WIDTH}\"/>",
            height(decade)
        );
    }
    for (class, pick) in [
        ("slowest", (|it| it.slowest_ms) as fn(&Slice) -> Option<f64>),
        ("median", |it| it.median_ms),
    ] {
        let mut path = String::new();
        for (index, slice) in trace.slices.iter().enumerate() {
            if let Some(ms) = pick(slice) {
                let (from, to) = (x(trace, index, span), x(trace, index + 1, span));
                let _ = write!(path, "M{from:.1} {:.1}H{to:.1}", height(ms));
            }
        }
        let _ = write!(drawing, "<path class={class} d=\"{path}\"/>");
    }
    let slowest = trace
        .slices
        .iter()
        .filter_map(|it| it.slowest_ms)
        .fold(0.0, f64::max);
    let desc = format!(
        "Median and slowest answer of each {} ms; the slowest of all took {slowest:.0} ms.",
        trace.slice_ms
    );
    svg(&format!("{}: answer times", swap.title), &desc, &drawing)
}

fn window(trace: &Trace, span: f64) -> String {
    let draw = |from: f64, to: f64| {
        let (from, to) = (
            percent(from, span) * WIDTH / 100.0,
            percent(to, span) * WIDTH / 100.0,
        );
        format!("<path class=window d=\"M{from:.1} 0H{to:.1}V{HEIGHT}H{from:.1}z\"/>")
    };
    trace
        .handover
        .as_ref()
        .map_or_else(String::new, |it| draw(it.from_ms, it.to_ms))
}

fn x(trace: &Trace, slice: usize, span: f64) -> f64 {
    percent(slice as f64 * trace.slice_ms, span) * WIDTH / 100.0
}

/// How far down a time stands on the axis of answer times.
pub(super) fn height(ms: f64) -> f64 {
    let share = (ms.clamp(FASTEST, SLOWEST) / FASTEST).ln() / (SLOWEST / FASTEST).ln();
    HEIGHT - share * HEIGHT
}
