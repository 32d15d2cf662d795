//! One deployment as its reports tell it.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use serde_json::Value;

use super::text;
use crate::pipeline::GAP_TOO_LONG;

#[derive(Clone, Debug, Default)]
pub(super) struct Deployment {
    pub(super) app: String,
    /// When it began, if a report of the whole said so.
    pub(super) at: Option<SystemTime>,
    /// How long the whole took, if that was reported.
    pub(super) took_ms: Option<f64>,
    pub(super) steps: Vec<Step>,
    /// What cleared away after a failure.
    pub(super) fallback: Option<Step>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Step {
    pub(super) name: String,
    pub(super) ok: bool,
    pub(super) code: i64,
    pub(super) took_ms: f64,
    pub(super) report: Value,
}

/// What clients saw of a swap, by promote's own requests.
pub(super) struct Seen {
    pub(super) gap_ms: f64,
    pub(super) probes: u64,
    pub(super) failed: u64,
    /// Why there was no bridge.
    pub(super) bridge_off: Option<String>,
}

impl Deployment {
    /// The step that failed. A cleaning up that was not complete is no failed deployment.
    pub(super) fn failure(&self) -> Option<&Step> {
        let live = self.is_live();
        let mut failed = self.steps.iter().filter(|it| !it.ok);
        failed.find(|it| !(live && it.name == "prune-app"))
    }

    pub(super) fn is_live(&self) -> bool {
        self.promotion()
            .is_some_and(|it| it.ok || it.code == i64::from(GAP_TOO_LONG))
    }

    fn promotion(&self) -> Option<&Step> {
        self.steps.iter().find(|it| it.name == "promote")
    }

    /// When it was done.
    pub(super) fn end(&self) -> Option<SystemTime> {
        // More than a century is no time that a deployment takes.
        let took = self.took().min(3e12);
        Some(self.at? + Duration::from_millis(took as u64))
    }

    /// In milliseconds.
    pub(super) fn took(&self) -> f64 {
        let steps = || self.steps.iter().map(|it| it.took_ms).sum();
        self.took_ms.unwrap_or_else(steps).max(0.0)
    }

    /// Its image without the registry's name, or what else is known.
    pub(super) fn release(&self) -> String {
        let images = self.steps.iter().rev();
        let image = images.filter_map(|it| it.report["image"].as_str()).next();
        let Some(image) = image else {
            return "image not known".to_owned();
        };
        let name = image.rsplit('/').next().unwrap_or(image);
        let name = match name.split_once("@sha256:") {
            Some((name, digest)) => format!("{name}@{}", text::cut(digest, 12)),
            None => name.to_owned(),
        };
        text::plain(&name, 60)
    }

    pub(super) fn outcome(&self) -> String {
        match self.failure() {
            Some(step) if self.is_live() => {
                format!("live, but {} ended with {}", name(step), step.code)
            }
            Some(step) => format!("{} ended with {}", name(step), step.code),
            None if self.is_live() => "live".to_owned(),
            None => "not promoted".to_owned(),
        }
    }

    pub(super) fn seen(&self) -> Option<Seen> {
        let swap = &self.promotion()?.report["swap"];
        Some(Seen {
            gap_ms: swap["longest_gap_ms"].as_f64()?.max(0.0),
            probes: swap["probes"].as_u64()?,
            failed: swap["failed"].as_u64()?,
            bridge_off: swap["bridge_off_because"]
                .as_str()
                .map(|why| text::plain(why, 200)),
        })
    }
}

/// The step's name as it may be shown.
pub(super) fn name(step: &Step) -> String {
    text::plain(&step.name, 40)
}

/// The deployments of each app, under its name as it may be shown.
pub(super) fn by_app(all: &[Deployment]) -> BTreeMap<String, Vec<&Deployment>> {
    let mut apps: BTreeMap<String, Vec<&Deployment>> = BTreeMap::new();
    for one in all {
        apps.entry(shown(&one.app)).or_default().push(one);
    }
    apps
}

/// The app's name as it may be shown.
pub(super) fn shown(app: &str) -> String {
    match app {
        "" => "app not known".to_owned(),
        app => text::plain(app, 60),
    }
}
