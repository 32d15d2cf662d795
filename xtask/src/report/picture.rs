//! The page of all deployments.

use std::collections::BTreeMap;

use maud::{Markup, html};
use stage::cargo::STEPS;

use super::deployment::{Deployment, by_app};
use super::tables::{glance, list};
use super::timeline::Span;
use super::{bars, failures, text, timeline};
use crate::page::{document, legend, table};

const TIMELINE: &str = "Each change of colour is another release.";
const DURATIONS: &str =
    "Each step's own time; beside it that of the whole, with what lies between the steps.";
const GAPS: &str = "The longest time between two good answers on the published port while releases were swapped, by promote's own requests.";

pub(super) fn page(all: &[Deployment], strange: usize) -> String {
    let apps = by_app(all);
    let span = Span::of(all);
    let strip = |app: &str, all: &[&Deployment]| {
        let span = span.as_ref();
        span.map_or_else(Markup::default, |span| timeline::html(app, all, span))
    };
    let body = html! {
        (table(&glance(all)))
        (charts("Timeline", TIMELINE, &apps, strip))
        (charts("Durations by step", DURATIONS, &apps, bars::durations))
        (charts("Gaps", GAPS, &apps, bars::gaps))
        (failures::html(all))
        (table(&list(all)))
    };
    let swatches = ["s0", "s1", "s2", "s3", "s4"].into_iter().zip(STEPS);
    let swatches: Vec<_> = swatches.chain([("failed", "failed")]).collect();
    document(
        "Deployments",
        &lead(all, strange),
        &legend(&swatches),
        &body,
    )
}

fn lead(all: &[Deployment], strange: usize) -> String {
    let live = all.iter().filter(|it| it.is_live()).count();
    let failed = all.iter().filter(|it| it.failure().is_some()).count();
    let undated = all.iter().filter(|it| it.at.is_none()).count();
    let mut lead = format!(
        "{} deployments: {live} went live, {failed} failed.",
        all.len()
    );
    if let (Some(first), Some(last)) = (
        all.iter().find_map(|it| it.at),
        all.iter().rev().find_map(|it| it.at),
    ) {
        lead += &format!(
            " From {} to {} UTC.",
            text::moment(Some(first)),
            text::moment(Some(last))
        );
    }
    if undated > 0 {
        lead += &format!(
            " Of {undated} there are only the steps' reports, which do not say when it was."
        );
    }
    if strange > 0 {
        lead += &format!(" {strange} lines were no report and are left out.");
    }
    lead
}

fn charts(
    title: &str,
    said: &str,
    apps: &BTreeMap<String, Vec<&Deployment>>,
    chart: impl Fn(&str, &[&Deployment]) -> Markup,
) -> Markup {
    let charts = html! { @for (app, all) in apps { (chart(app, all)) } };
    html! {
        @if !charts.0.is_empty() {
            section { h2 { (title) } p { (said) } div.charts.top { (charts) } }
        }
    }
}
