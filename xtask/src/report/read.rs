//! Lines of JSON, put together to deployments.

use std::io::{self, BufRead};
use std::time::{Duration, SystemTime};

use serde_json::Value;
use stage::cargo::STEPS;

use super::deployment::{Deployment, Step};

/// What was read so far.
#[derive(Default)]
pub(super) struct Collected {
    deployments: Vec<Deployment>,
    /// How many lines are neither a report nor empty.
    pub(super) strange: usize,
}

impl Collected {
    /// Adds the lines of one file, whose deployments do not go on in the next one.
    pub(super) fn add(&mut self, mut from: impl BufRead) -> io::Result<()> {
        let mut open = false;
        let mut line = Vec::new();
        while from.read_until(b'\n', &mut line)? > 0 {
            let said = line.trim_ascii();
            if !said.is_empty() {
                self.line(said, &mut open);
            }
            line.clear();
        }
        Ok(())
    }

    fn line(&mut self, line: &[u8], open: &mut bool) {
        let report: Value = serde_json::from_slice(line).unwrap_or_default();
        if report["pipeline"].is_string() && report["steps"].is_array() {
            self.deployments.push(whole(&report));
            *open = false;
        } else if let Some(step) = step_of(&report) {
            match self.deployments.last_mut().filter(|_| *open) {
                Some(last) if goes_on(last, &step) => last.steps.push(step),
                _ => self.deployments.push(Deployment {
                    app: word(&report["app"]),
                    steps: vec![step],
                    ..Deployment::default()
                }),
            }
            *open = true;
        } else {
            self.strange += 1;
        }
    }

    /// By time; what says none stays behind what it was read after.
    pub(super) fn deployments(&self) -> Vec<Deployment> {
        let mut time = SystemTime::UNIX_EPOCH;
        let timed = self.deployments.iter().map(|it| {
            time = it.at.unwrap_or(time);
            (time, it.clone())
        });
        let mut timed: Vec<_> = timed.collect();
        timed.sort_by_key(|it| it.0);
        timed.into_iter().map(|it| it.1).collect()
    }
}

/// The report of `cargo xtask deploy` or `rollback`, or a line of deploy.sh's history.
fn whole(report: &Value) -> Deployment {
    let reports = report["steps"].as_array().into_iter().flatten();
    let mut steps: Vec<Step> = reports.filter_map(step_of).collect();
    let failed = word(&report["failed_step"]);
    // A step that was told something wrong has said so on stderr alone.
    if report["ok"] == false && !failed.is_empty() && steps.iter().all(|it| it.ok) {
        steps.push(Step {
            name: failed,
            code: report["exit_code"].as_i64().unwrap_or(1),
            ..Step::default()
        });
    }
    let at = report["at"].as_str();
    Deployment {
        app: word(&report["app"]),
        at: at
            .and_then(|at| humantime::parse_rfc3339(at).ok())
            .filter(|at| *at > SystemTime::UNIX_EPOCH + Duration::from_secs(1)),
        took_ms: report["took_ms"].as_f64(),
        steps,
        fallback: step_of(&report["fallback"]),
    }
}

fn step_of(report: &Value) -> Option<Step> {
    let name = report["step"].as_str()?;
    let ok = report["ok"].as_bool()?;
    Some(Step {
        name: name.to_owned(),
        ok,
        code: report["error"]["code"].as_i64().unwrap_or(i64::from(!ok)),
        took_ms: report["took_ms"].as_f64().unwrap_or_default().max(0.0),
        report: report.clone(),
    })
}

/// Whether a step that is reported by itself belongs to the deployment that was read last.
fn goes_on(last: &Deployment, step: &Step) -> bool {
    let rank = |name: &str| STEPS.iter().position(|it| *it == name);
    let before = last.steps.last().and_then(|it| rank(&it.name));
    last.app == word(&step.report["app"]) && rank(&step.name) > before
}

fn word(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
