//! Which release was live when, and where deployments failed: one strip for each app on one axis of time.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use maud::{Markup, html};

use super::axis;
use super::deployment::Deployment;
use super::text;
use crate::page::{percent, svg};

const MINUTE: f64 = 60.0;
const HOUR: f64 = 60.0 * MINUTE;
const DAY: f64 = 24.0 * HOUR;

/// The time from the first deployment to the end of the last, in seconds since 1970.
pub(super) struct Span {
    from: f64,
    to: f64,
}

impl Span {
    /// None where no report says when it was.
    pub(super) fn of(all: &[Deployment]) -> Option<Self> {
        let from = all.iter().filter_map(|it| it.at).min()?;
        let to = all.iter().filter_map(Deployment::end).max()?;
        let (from, to) = (seconds(from), seconds(to));
        // Room for the last one to be seen.
        let to = to + ((to - from) / 50.0).max(1.0);
        Some(Self { from, to })
    }

    fn place(&self, at: SystemTime) -> f64 {
        percent(seconds(at) - self.from, self.to - self.from)
    }
}

/// The strip of one app; nothing where none of its reports says when it was.
pub(super) fn html(app: &str, all: &[&Deployment], span: &Span) -> Markup {
    let dated: Vec<(&Deployment, f64)> = all
        .iter()
        .filter_map(|it| Some((*it, span.place(it.end()?))))
        .collect();
    let Some((last, _)) = dated.last() else {
        return Markup::default();
    };
    let live: Vec<_> = dated.iter().filter(|it| it.0.is_live()).collect();
    let now = live
        .last()
        .map_or("nothing".to_owned(), |it| it.0.release());
    let fields = fields(&live);
    let failed = dated.iter().filter(|it| it.0.failure().is_some());
    let said = format!(
        "{} deployments, {} failed; live at the end: {now}",
        dated.len(),
        failed.clone().count()
    );
    let drawing = html! {
        (releases(&fields))
        @for (one, at) in failed { (failure(one, *at)) }
    };
    let title = format!("{app}: releases over time");
    let desc = format!("{said}; the last one at {}", text::moment(last.at));
    let room = span.to - span.from;
    html! {
        figure {
            figcaption { h3 { (app) } p { (said) } }
            div.chart {
                p.unit aria-hidden="true" { "live release over time, UTC" }
                div.strip { (svg(100.0, &title, &desc, &drawing)) (labels(&fields)) }
                (axis::html(span.from, span.to, &steps(), |at| label(at, room)))
            }
        }
    }
}

/// Each release, when it went live and when the next one did.
fn fields<'a>(live: &[&(&'a Deployment, f64)]) -> Vec<(&'a Deployment, f64, f64)> {
    let ends = live.iter().skip(1).map(|it| it.1).chain([100.0]);
    let fields = live.iter().zip(ends).map(|(it, to)| (it.0, it.1, to));
    fields.collect()
}

fn releases(fields: &[(&Deployment, f64, f64)]) -> Markup {
    html! {
        @for (turn, (one, from, to)) in fields.iter().enumerate() {
            path class={ "v" (turn % 2) } d=(format_args!("M{from:.2} 0H{to:.2}V100H{from:.2}z")) {
                title { (one.release()) " since " (text::moment(one.at)) " UTC" }
            }
        }
    }
}

/// The release's name where there is room on the narrowest phone.
fn labels(fields: &[(&Deployment, f64, f64)]) -> Markup {
    html! {
        @for (one, from, to) in fields {
            @let release = one.release();
            @if release.chars().count() as f64 * 2.4 + 6.0 < to - from {
                span.label style=(format_args!("left:calc({from:.2}% + 4px)")) { (release) }
            }
        }
    }
}

/// A line where a deployment failed.
fn failure(one: &Deployment, at: f64) -> Markup {
    html! {
        path.mark d=(format_args!("M{at:.2} 0V100")) {
            title { (one.release()) ": " (one.outcome()) " at " (text::moment(one.at)) " UTC" }
        }
    }
}

fn seconds(at: SystemTime) -> f64 {
    at.duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs_f64()
}

fn steps() -> Vec<f64> {
    let sixty = [1.0, 2.0, 5.0, 10.0, 30.0];
    let hours = [1.0, 3.0, 6.0, 12.0].map(|hours| hours * HOUR);
    let days = [1.0, 2.0, 7.0, 14.0, 30.0, 90.0, 365.0].map(|days| days * DAY);
    [&sixty[..], &sixty.map(|it| it * MINUTE), &hours, &days].concat()
}

fn label(at: f64, span: f64) -> String {
    // Ticks lie between two moments that were read from a date.
    let moment = text::moment(Some(UNIX_EPOCH + Duration::from_secs_f64(at.max(0.0))));
    let (from, to) = match span {
        span if span <= 4.0 * MINUTE => (11, 19),
        span if span <= DAY => (11, 16),
        span if span <= 4.0 * DAY => (5, 16),
        _ => (0, 10),
    };
    moment.get(from..to).unwrap_or(&moment).to_owned()
}
