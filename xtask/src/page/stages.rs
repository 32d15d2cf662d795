//! The steps above a chart: one bar each on the chart's own time axis, with its name beside it.

use maud::{Markup, html};

use super::trace::{Stage, Trace};

/// A row for each stage, and one for the swap itself.
pub(super) fn html(trace: &Trace, span: f64) -> Markup {
    html! {
        ol.stages {
            @for it in &trace.stages { (row(it, span, "step")) }
            @if let Some(it) = &trace.handover { (row(it, span, "swap")) }
        }
    }
}

fn row(stage: &Stage, span: f64, class: &str) -> Markup {
    let (from, to) = (percent(stage.from_ms, span), percent(stage.to_ms, span));
    let took = format!("{:.2} s", (stage.to_ms - stage.from_ms) / 1000.0);
    // Beside the bar where there is room on the narrowest phone, else on it.
    let width = (stage.name.chars().count() + took.len()) as f64 * 2.2 + 4.0;
    let (on, place) = if to + width <= 100.0 {
        (None, format!("left:calc({to:.2}% + 5px)"))
    } else if width <= from {
        (None, format!("right:calc({:.2}% + 5px)", 100.0 - from))
    } else {
        (Some("on"), format!("left:calc({from:.2}% + 12px)"))
    };
    html! {
        li class=(class) {
            i style=(format_args!("left:{from:.2}%;width:{:.2}%", to - from)) {}
            span class=[on] style=(place) { (stage.name) " " b { (took) } }
        }
    }
}

/// Where on the axis a time is, in percent.
pub(crate) fn percent(ms: f64, span: f64) -> f64 {
    if span <= 0.0 {
        return 0.0;
    }
    (ms / span * 100.0).clamp(0.0, 100.0)
}
