//! One bar for each deployment: how long its steps took, and how long its port was without an answer.

use maud::{Markup, html};
use stage::cargo::STEPS;

use super::deployment::{Deployment, Seen, name};
use super::{axis, text};
use crate::page::percent;
use crate::table::ms;

/// More are no picture any more; all of them are in the table.
const LATEST: usize = 30;

/// Durations by step, for the deployments of one app.
pub(super) fn durations(app: &str, all: &[&Deployment]) -> Markup {
    let shown = latest(all);
    let total = |it: &&Deployment| it.steps.iter().map(|step| step.took_ms).sum::<f64>();
    let span = shown.iter().map(total).fold(0.0, f64::max) / 1000.0;
    let rows = html! {
        @for one in shown {
            (row(one, &format!("{:.1} s", one.took() / 1000.0), &steps(one, span)))
        }
    };
    let ticks = axis::html(0.0, span, &axis::round_steps(), |it| format!("{it} s"));
    figure(app, all.len(), &rows, &ticks)
}

fn steps(one: &Deployment, span: f64) -> Markup {
    let mut end = 0.0;
    let parts = one.steps.iter().map(|step| {
        let (from, seconds) = (end, step.took_ms / 1000.0);
        end += seconds;
        (step, from, seconds)
    });
    html! {
        @for (step, from, seconds) in parts {
            @let class = STEPS.iter().position(|it| *it == step.name).unwrap_or(0);
            @let (left, width) = (percent(from, span), percent(seconds, span));
            i class={ "s" (class) @if !step.ok { " broken" } }
                style=(format_args!("left:{left:.2}%;width:{width:.2}%"))
                title=(format_args!("{} {seconds:.2} s", name(step))) {}
        }
    }
}

/// The longest time between two good answers at each swap that was watched.
pub(super) fn gaps(app: &str, all: &[&Deployment]) -> Markup {
    let seen = all.iter().filter_map(|it| Some((*it, it.seen()?)));
    let seen: Vec<(&Deployment, Seen)> = seen.collect();
    if seen.is_empty() {
        return Markup::default();
    }
    let shown = latest(&seen);
    let span = shown.iter().map(|it| it.1.gap_ms).fold(1.0, f64::max);
    let rows = html! { @for (one, seen) in shown { (row(one, &said(seen), &gap(seen, span))) } };
    let ticks = axis::html(0.0, span, &axis::round_steps(), |it| format!("{it} ms"));
    figure(app, seen.len(), &rows, &ticks)
}

fn gap(seen: &Seen, span: f64) -> Markup {
    let class = if seen.failed > 0 { "broken" } else { "after" };
    let width = percent(seen.gap_ms, span);
    html! { i class=(class) style=(format_args!("left:0;width:{width:.2}%")) {} }
}

fn said(seen: &Seen) -> String {
    let (gap, failed, probes) = (ms(seen.gap_ms), seen.failed, seen.probes);
    let bridge = match &seen.bridge_off {
        Some(why) => format!("; no bridge: {why}"),
        None => String::new(),
    };
    format!("{gap} ms, {failed} of {probes} requests failed{bridge}")
}

fn latest<T>(all: &[T]) -> &[T] {
    &all[all.len().saturating_sub(LATEST)..]
}

fn row(one: &Deployment, said: &str, bar: &Markup) -> Markup {
    let failed = one.failure().is_some();
    html! {
        li {
            span class=[failed.then_some("bad")] {
                @if failed { "✕ " }
                (one.release()) " " b { (said) } " " (text::moment(one.at))
            }
            div { (bar) }
        }
    }
}

fn figure(app: &str, count: usize, rows: &Markup, ticks: &Markup) -> Markup {
    html! {
        figure {
            figcaption { h3 { (app) @if count > LATEST { ", the latest " (LATEST) " of " (count) } } }
            div.chart { ol.bars { (rows) } (ticks) }
        }
    }
}
