//! What was deployed, in tables.

use super::deployment::{Deployment, by_app, shown};
use super::text;
use crate::numbers;
use crate::table::{Table, ms, seconds, texts, thousands};

/// More rows would be a page that nobody reads.
const LATEST: usize = 500;

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
        let live = all.iter().filter(|it| it.is_live());
        let median = numbers::median(live.map(|it| it.took()));
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
        head: texts(head),
        rows: by_app(all).iter().map(row).collect(),
    }
}

/// One row for each deployment.
pub(super) fn list(all: &[Deployment]) -> Table {
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
        head: texts(head),
        rows: rows.collect(),
    }
}
