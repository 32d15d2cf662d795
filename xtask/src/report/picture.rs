//! The page of all deployments.

use std::collections::BTreeMap;

use super::deployment::Deployment;
use super::read::STEPS;
use super::timeline::Span;
use super::{bars, failures, text, timeline};
use crate::page::{document, escaped, table};
use crate::table::{Table, ms, seconds, thousands};

/// More rows would be a page that nobody reads.
const LATEST: usize = 500;

pub(super) fn page(all: &[Deployment], strange: usize) -> String {
    let apps = by_app(all);
    let span = Span::of(all);
    let strips = charts(&apps, |app, all| {
        span.as_ref()
            .map_or_else(String::new, |span| timeline::html(app, all, span))
    });
    let body = [
        table(&glance(all)),
        section("Timeline", "Each change of colour is another release.", &strips),
        section("Durations by step", "Each step's own time; beside it that of the whole, with what lies between the steps.", &charts(&apps, bars::durations)),
        section("Gaps", "The longest time between two good answers on the published port while releases were swapped, by promote's own requests.", &charts(&apps, bars::gaps)),
        failures::html(all),
        table(&list(all)),
    ]
    .concat();
    document("Deployments", &lead(all, strange), &legend(), &body)
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

/// The result at a glance.
pub(super) fn glance(all: &[Deployment]) -> Table {
    let head = [
        "app",
        "deployments",
        "live",
        "failed",
        "median time, s",
        "longest gap, ms",
        "live now",
    ];
    let row = |(app, all): (&String, &Vec<&Deployment>)| {
        let mut times: Vec<f64> = all
            .iter()
            .filter(|it| it.is_live())
            .map(|it| it.took())
            .collect();
        times.sort_by(f64::total_cmp);
        let median = times.get(times.len() / 2).copied();
        let gaps = all.iter().filter_map(|it| it.seen()).map(|it| it.gap_ms);
        let count = |is: fn(&Deployment) -> bool| all.iter().filter(|it| is(it)).count();
        let now = all.iter().rev().find(|it| it.is_live());
        vec![
            app.clone(),
            thousands(all.len()),
            thousands(count(Deployment::is_live)),
            thousands(count(|it| it.failure().is_some())),
            median.map_or_else(|| "-".to_owned(), seconds),
            gaps.reduce(f64::max).map_or_else(|| "-".to_owned(), ms),
            now.map_or_else(|| "-".to_owned(), |it| it.release()),
        ]
    };
    Table {
        caption: "At a glance".to_owned(),
        left: 1,
        head: head.map(str::to_owned).to_vec(),
        rows: by_app(all).iter().map(row).collect(),
    }
}

fn list(all: &[Deployment]) -> Table {
    let head = [
        "began, UTC",
        "app",
        "image",
        "came to be",
        "took, s",
        "longest gap, ms",
    ];
    let latest = all.iter().rev().take(LATEST);
    let rows = latest.map(|it| {
        let gap = it
            .seen()
            .map_or_else(|| "-".to_owned(), |seen| ms(seen.gap_ms));
        vec![
            text::moment(it.at),
            shown(&it.app),
            it.release(),
            it.outcome(),
            seconds(it.took()),
            gap,
        ]
    });
    Table {
        caption: "All deployments, the newest first".to_owned(),
        left: 4,
        head: head.map(str::to_owned).to_vec(),
        rows: rows.collect(),
    }
}

fn by_app(all: &[Deployment]) -> BTreeMap<String, Vec<&Deployment>> {
    let mut apps: BTreeMap<String, Vec<&Deployment>> = BTreeMap::new();
    for one in all {
        apps.entry(shown(&one.app)).or_default().push(one);
    }
    apps
}

fn shown(app: &str) -> String {
    match app {
        "" => "app not known".to_owned(),
        app => text::plain(app, 60),
    }
}

fn charts(
    apps: &BTreeMap<String, Vec<&Deployment>>,
    chart: impl Fn(&str, &[&Deployment]) -> String,
) -> String {
    apps.iter().map(|(app, all)| chart(app, all)).collect()
}

fn section(title: &str, said: &str, charts: &str) -> String {
    if charts.is_empty() {
        return String::new();
    }
    let (title, said) = (escaped(title), escaped(said));
    format!(
        "<section><h2>{title}</h2><p>{said}</p><div class=\"charts top\">{charts}</div></section>"
    )
}

fn legend() -> String {
    let swatch = |class: &str, text: &str| {
        format!(
            "<li><svg aria-hidden=true><path class={class} d=\"M0 0H22V12H0z\"/></svg>{text}</li>"
        )
    };
    let steps = STEPS.iter().enumerate();
    let steps: String = steps
        .map(|(place, name)| swatch(&format!("s{place}"), name))
        .collect();
    let failed =
        "<li><svg aria-hidden=true><path class=failed d=\"M0 0H22V12H0z\"/></svg>failed</li>";
    format!("<ul class=legend>{steps}{failed}</ul>")
}
