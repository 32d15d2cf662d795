//! One bar for each deployment: how long its steps took, and how long its port was without an answer.

use std::fmt::Write;

use super::deployment::{Deployment, name};
use super::read::STEPS;
use super::{axis, text};
use crate::page::{escaped, percent};
use crate::table::ms;

/// More are no picture any more; all of them are in the table.
const LATEST: usize = 30;

/// Durations by step, for the deployments of one app.
pub(super) fn durations(app: &str, all: &[&Deployment]) -> String {
    let shown = latest(all);
    let total = |it: &&&Deployment| it.steps.iter().map(|step| step.took_ms).sum::<f64>();
    let span = shown.iter().map(|it| total(&it)).fold(0.0, f64::max) / 1000.0;
    let mut rows = String::new();
    for one in shown {
        let mut bar = String::new();
        let mut from = 0.0;
        for step in &one.steps {
            let class = STEPS.iter().position(|it| *it == step.name).unwrap_or(0);
            let seconds = step.took_ms / 1000.0;
            let _ = write!(
                bar,
                "<i class=\"s{class}{}\" style=\"left:{:.2}%;width:{:.2}%\" title=\"{} {seconds:.2} s\"></i>",
                if step.ok { "" } else { " broken" },
                percent(from, span),
                percent(seconds, span),
                escaped(&name(step)),
            );
            from += seconds;
        }
        let took = format!("{:.1} s", one.took() / 1000.0);
        rows += &row(one, &took, &bar);
    }
    let ticks = axis::html(0.0, span, &axis::round_steps(), |it| format!("{it} s"));
    figure(app, all.len(), &rows, &ticks)
}

/// The longest time between two good answers at each swap that was watched.
pub(super) fn gaps(app: &str, all: &[&Deployment]) -> String {
    let seen: Vec<&Deployment> = all
        .iter()
        .copied()
        .filter(|it| it.seen().is_some())
        .collect();
    if seen.is_empty() {
        return String::new();
    }
    let shown = latest(&seen);
    let longest = shown.iter().filter_map(|it| it.seen()).map(|it| it.gap_ms);
    let span = longest.fold(1.0, f64::max);
    let mut rows = String::new();
    for (one, seen) in shown.iter().filter_map(|it| Some((it, it.seen()?))) {
        let class = if seen.failed > 0 { "broken" } else { "after" };
        let bar = format!(
            "<i class={class} style=\"left:0;width:{:.2}%\"></i>",
            percent(seen.gap_ms, span)
        );
        let bridge = seen
            .bridge_off
            .map_or(String::new(), |why| format!("; no bridge: {why}"));
        let (failed, probes) = (seen.failed, seen.probes);
        let said = format!(
            "{} ms, {failed} of {probes} requests failed{bridge}",
            ms(seen.gap_ms)
        );
        rows += &row(one, &said, &bar);
    }
    let ticks = axis::html(0.0, span, &axis::round_steps(), |it| format!("{it} ms"));
    figure(app, seen.len(), &rows, &ticks)
}

fn latest<'a, 'b>(all: &'b [&'a Deployment]) -> &'b [&'a Deployment] {
    &all[all.len().saturating_sub(LATEST)..]
}

fn row(one: &Deployment, said: &str, bar: &str) -> String {
    let failed = one.failure().is_some();
    let (class, sign) = if failed {
        (" class=bad", "✕ ")
    } else {
        ("", "")
    };
    format!(
        "<li><span{class}>{sign}{} <b>{}</b> {}</span><div>{bar}</div></li>",
        escaped(&one.release()),
        escaped(said),
        escaped(&text::moment(one.at)),
    )
}

fn figure(app: &str, count: usize, rows: &str, ticks: &str) -> String {
    let of = if count > LATEST {
        format!(", the latest {LATEST} of {count}")
    } else {
        String::new()
    };
    format!(
        "<figure><figcaption><h3>{}{of}</h3></figcaption><div class=chart><ol class=bars>{rows}</ol>{ticks}</div></figure>",
        escaped(app)
    )
}
