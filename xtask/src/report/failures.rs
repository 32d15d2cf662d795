//! What failed, with all that its report tells: everything in it may come from an app that means no good.

use maud::{Markup, html};
use serde_json::Value;

use super::deployment::{Deployment, Step, name};
use super::text::{moment, plain};

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
pub(super) fn html(all: &[Deployment]) -> Markup {
    let failed = all.iter().rev();
    let failed: Vec<(&Deployment, &Step)> =
        failed.filter_map(|it| Some((it, it.failure()?))).collect();
    html! {
        @if !failed.is_empty() {
            section {
                h2 { "Failures and their evidence" }
                @if failed.len() > LATEST { p { "The latest " (LATEST) " of " (failed.len()) "." } }
                @for (deployment, step) in failed.iter().take(LATEST) { (article(deployment, step)) }
            }
        }
    }
}

fn article(deployment: &Deployment, step: &Step) -> Markup {
    let (report, error) = (&step.report, &step.report["error"]);
    html! {
        article {
            h3 {
                span aria-hidden="true" { "✕" }
                " " (line(&deployment.app)) ": " (name(step)) " ended with " (step.code)
                @if let Some(kind) = error["kind"].as_str() { " (" (line(kind)) ")" }
            }
            p.soft { (deployment.release()) " " (moment(deployment.at)) }
            @match error["message"].as_str() {
                Some(message) => p { (line(message)) },
                None => p { "It printed no report: what it was told was wrong, and it said so on stderr." },
            }
            @if let Some(hint) = error["hint"].as_str() { p.soft { "Hint: " (line(hint)) } }
            (attempts(&report["last_attempts"]))
            (log(&report["log"]))
            (others(report))
            @match &deployment.fallback {
                Some(it) if it.ok => p { "The candidate was removed, the release before went on serving." },
                Some(_) => p.bad { "The candidate could not be removed." },
                None => {},
            }
        }
    }
}

fn attempts(last: &Value) -> Markup {
    let mut looks = list(last).peekable();
    html! {
        @if looks.peek().is_some() {
            p { "The last attempts saw:" }
            ul {
                @for it in looks {
                    @let at = it["at_ms"].as_f64().unwrap_or_default() / 1000.0;
                    li { (format_args!("{at:.2} s: ")) (line(it["saw"].as_str().unwrap_or_default())) }
                }
            }
        }
    }
}

fn log(lines: &Value) -> Markup {
    let mut lines = list(lines).filter_map(Value::as_str).peekable();
    html! {
        @if lines.peek().is_some() {
            p { "The last lines of its log:" }
            pre { @for it in lines { (line(it)) "\n" } }
        }
    }
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten().take(LINES)
}

/// All else that the report has, whatever a later step may add to it.
fn others(report: &Value) -> Markup {
    let all = report.as_object().into_iter().flatten();
    let others = all.filter(|(key, value)| !ELSEWHERE.contains(&&***key) && !value.is_null());
    let mut others = others.take(LINES).peekable();
    html! {
        @if others.peek().is_some() {
            dl {
                @for (key, value) in others {
                    dt { (line(key)) }
                    dd { (line(value.as_str().unwrap_or(&value.to_string()))) }
                }
            }
        }
    }
}

fn line(text: &str) -> String {
    plain(text, LONGEST)
}
