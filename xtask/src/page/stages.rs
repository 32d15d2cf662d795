//! The steps above a chart: one bar each on the chart's own time axis, with its name beside it.

use super::escaped;
use super::trace::{Stage, Trace};

/// A row for each stage, and one for the swap itself.
pub(super) fn html(trace: &Trace, span: f64) -> String {
    let steps = trace.stages.iter().map(|it| row(it, span, "step"));
    let swap = trace.handover.iter().map(|it| row(it, span, "swap"));
    let rows: String = steps.chain(swap).collect();
    format!("<ol class=stages>{rows}</ol>")
}

fn row(stage: &Stage, span: f64, class: &str) -> String {
    let (from, to) = (percent(stage.from_ms, span), percent(stage.to_ms, span));
    let name = escaped(&stage.name);
    let took = format!("{:.2} s", (stage.to_ms - stage.from_ms) / 1000.0);
    // Beside the bar where there is room on the narrowest phone, else on it.
    let width = (stage.name.chars().count() + took.len()) as f64 * 2.2 + 4.0;
    let (class_on, place) = if to + width <= 100.0 {
        ("", format!("left:calc({to:.2}% + 5px)"))
    } else if width <= from {
        ("", format!("right:calc({:.2}% + 5px)", 100.0 - from))
    } else {
        (" class=on", format!("left:calc({from:.2}% + 12px)"))
    };
    format!(
        "<li class={class}><i style=\"left:{from:.2}%;width:{:.2}%\"></i><span{class_on} style=\"{place}\">{name} <b>{took}</b></span></li>",
        to - from,
    )
}

/// Where on the axis a time is, in percent.
pub(crate) fn percent(ms: f64, span: f64) -> f64 {
    if span <= 0.0 {
        return 0.0;
    }
    (ms / span * 100.0).clamp(0.0, 100.0)
}
