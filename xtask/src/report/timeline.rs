//! Which release was live when, and where deployments failed: one strip for each app on one axis of time.

use std::fmt::Write;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::axis;
use super::deployment::Deployment;
use super::text;
use crate::page::{escaped, percent};

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
pub(super) fn html(app: &str, all: &[&Deployment], span: &Span) -> String {
    let dated: Vec<(&Deployment, f64)> = all
        .iter()
        .filter_map(|it| Some((*it, span.place(it.end()?))))
        .collect();
    let Some(last) = dated.last() else {
        return String::new();
    };
    let live: Vec<&(&Deployment, f64)> = dated.iter().filter(|it| it.0.is_live()).collect();
    let (releases, labels) = releases(&live);
    let drawing = releases + &failures(&dated);
    let now = live
        .last()
        .map_or("nothing".to_owned(), |it| it.0.release());
    let failed = dated.iter().filter(|it| it.0.failure().is_some()).count();
    let said = format!(
        "{} deployments, {failed} failed; live at the end: {now}",
        dated.len()
    );
    let (app, said) = (escaped(app), escaped(&said));
    let title = escaped(&text::moment(last.0.at));
    let ticks = axis::html(span.from, span.to, &steps(), |at| {
        label(at, span.to - span.from)
    });
    format!(
        "<figure><figcaption><h3>{app}</h3><p>{said}</p></figcaption><div class=chart><p class=unit aria-hidden=true>live release over time, UTC</p><div class=strip><svg role=img viewBox=\"0 0 100 100\" preserveAspectRatio=none><title>{app}: releases over time</title><desc>{said}; the last one at {title}</desc>{drawing}</svg>{labels}</div>{ticks}</div></figure>"
    )
}

/// A field for each release, and its name where there is room on the narrowest phone.
fn releases(live: &[&(&Deployment, f64)]) -> (String, String) {
    let (mut drawing, mut labels) = (String::new(), String::new());
    for (turn, (one, from)) in live.iter().enumerate() {
        let to = live.get(turn + 1).map_or(100.0, |next| next.1);
        let release = one.release();
        let _ = write!(
            drawing,
            "<path class=v{} d=\"M{from:.2} 0H{to:.2}V100H{from:.2}z\"><title>{}</title></path>",
            turn % 2,
            escaped(&format!("{release} since {} UTC", text::moment(one.at))),
        );
        if release.chars().count() as f64 * 2.4 + 6.0 < to - from {
            let _ = write!(
                labels,
                "<span class=label style=\"left:calc({from:.2}% + 4px)\">{}</span>",
                escaped(&release)
            );
        }
    }
    (drawing, labels)
}

/// A line for each deployment that failed.
fn failures(dated: &[(&Deployment, f64)]) -> String {
    let mut drawing = String::new();
    for (one, at) in dated.iter().filter(|it| it.0.failure().is_some()) {
        let _ = write!(
            drawing,
            "<path class=mark d=\"M{at:.2} 0V100\"><title>{}</title></path>",
            escaped(&format!(
                "{}: {} at {} UTC",
                one.release(),
                one.outcome(),
                text::moment(one.at)
            )),
        );
    }
    drawing
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
