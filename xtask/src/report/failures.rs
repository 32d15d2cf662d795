//! What failed, with all that its report tells: everything in it may come from an app that means no good.

use std::fmt::Write;

use serde_json::Value;

use super::deployment::{Deployment, Step, name};
use super::text::{moment, plain};
use crate::page::escaped;

/// The latest, so that the page stays small.
const LATEST: usize = 50;
const LINES: usize = 100;
const LONGEST: usize = 600;
/// What is shown in a place of its own, or says nothing more.
const ELSEWHERE: [&str; 8] = [
    "step",
    "ok",
    "app",
    "container",
    "error",
    "took_ms",
    "log",
    "last_attempts",
];

/// The newest first; nothing without any.
pub(super) fn html(all: &[Deployment]) -> String {
    let failed = all.iter().rev();
    let failed: Vec<(&Deployment, &Step)> =
        failed.filter_map(|it| Some((it, it.failure()?))).collect();
    if failed.is_empty() {
        return String::new();
    }
    let more = match failed.len() {
        count if count > LATEST => format!("<p>The latest {LATEST} of {count}.</p>"),
        _ => String::new(),
    };
    let articles: String = failed.iter().take(LATEST).map(article).collect();
    format!("<section><h2>Failures and their evidence</h2>{more}{articles}</section>")
}

fn article((deployment, step): &(&Deployment, &Step)) -> String {
    let (report, error) = (&step.report, &step.report["error"]);
    let kind = error["kind"]
        .as_str()
        .map_or(String::new(), |kind| format!(" ({})", line(kind)));
    let mut html = format!(
        "<article><h3><span aria-hidden=true>✕</span> {}: {} ended with {}{kind}</h3><p class=soft>{} {}</p>",
        line(&deployment.app),
        escaped(&name(step)),
        step.code,
        escaped(&deployment.release()),
        escaped(&moment(deployment.at)),
    );
    match error["message"].as_str() {
        Some(message) => html += &format!("<p>{}</p>", line(message)),
        None => {
            html +=
                "<p>It printed no report: what it was told was wrong, and it said so on stderr.</p>"
        }
    }
    if let Some(hint) = error["hint"].as_str() {
        let _ = write!(html, "<p class=soft>Hint: {}</p>", line(hint));
    }
    html += &attempts(&report["last_attempts"]);
    html += &log(&report["log"]);
    html += &others(report);
    html += match &deployment.fallback {
        Some(cleared) if cleared.ok => {
            "<p>The candidate was removed, the release before went on serving.</p>"
        }
        Some(_) => "<p class=bad>The candidate could not be removed.</p>",
        None => "",
    };
    html + "</article>"
}

fn attempts(last: &Value) -> String {
    let looks = last.as_array().into_iter().flatten().take(LINES);
    let rows: String = looks
        .map(|it| {
            let at = it["at_ms"].as_f64().unwrap_or_default() / 1000.0;
            format!(
                "<li>{at:.2} s: {}</li>",
                line(it["saw"].as_str().unwrap_or_default())
            )
        })
        .collect();
    match rows.is_empty() {
        true => rows,
        false => format!("<p>The last looks saw:</p><ul>{rows}</ul>"),
    }
}

fn log(lines: &Value) -> String {
    let lines = lines
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str);
    let text: String = lines.take(LINES).map(|it| line(it) + "\n").collect();
    match text.is_empty() {
        true => text,
        false => format!("<p>The last lines of its log:</p><pre>{text}</pre>"),
    }
}

/// All else that the report has, whatever a later step may add to it.
fn others(report: &Value) -> String {
    let all = report.as_object().into_iter().flatten();
    let others = all.filter(|(key, value)| !ELSEWHERE.contains(&&***key) && !value.is_null());
    let items: String = others
        .take(LINES)
        .map(|(key, value)| {
            let said = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            format!("<dt>{}</dt><dd>{}</dd>", line(key), line(&said))
        })
        .collect();
    match items.is_empty() {
        true => items,
        false => format!("<dl>{items}</dl>"),
    }
}

fn line(text: &str) -> String {
    escaped(&plain(text, LONGEST))
}
