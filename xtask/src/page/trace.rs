//! What a chart draws: requests and their times in slices of time, and what happened when.

use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use stage::load::{Answer, Outcome, Sample};

use crate::numbers::rounded;
use crate::swap::{RATE, Seen, Span};

/// The length of a slice, in milliseconds.
const SLICE_MS: f64 = 50.0;

/// One chart.
#[derive(Debug, Default)]
pub(crate) struct Swap {
    pub(crate) title: String,
    /// What it cost, in one sentence.
    pub(crate) verdict: String,
    /// Whether no request failed.
    pub(crate) good: bool,
    pub(crate) trace: Trace,
}

/// The course of one deployment; all times are in milliseconds since the start of the load.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Trace {
    /// How long a slice is.
    pub(crate) slice_ms: f64,
    /// How many requests were sent a second.
    pub(crate) rate: u32,
    /// Those that answered, in the order in which they first did.
    pub(crate) versions: Vec<String>,
    pub(crate) slices: Vec<Slice>,
    pub(crate) stages: Vec<Stage>,
    /// From the stop of the old container to the start of the new one.
    pub(crate) handover: Option<Stage>,
}

/// The requests that were due in one slice of time.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Slice {
    /// By version, in the order of the versions.
    pub(crate) answered: Vec<usize>,
    pub(crate) failed: usize,
    /// Of the good answers; none without one.
    pub(crate) median_ms: Option<f64>,
    pub(crate) slowest_ms: Option<f64>,
}

/// A part of the deployment.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Stage {
    pub(crate) name: String,
    pub(crate) from_ms: f64,
    pub(crate) to_ms: f64,
}

impl Trace {
    pub(crate) fn of(seen: &Seen, spans: &[Span]) -> Self {
        let stage = |span: &Span| Stage {
            name: span.name.clone(),
            from_ms: since(seen.began, span.from),
            to_ms: since(seen.began, span.to),
        };
        let versions = seen.outcome.versions();
        Self {
            slice_ms: SLICE_MS,
            rate: RATE,
            slices: slices(&seen.outcome, &versions),
            versions: versions.into_iter().map(str::to_owned).collect(),
            stages: spans.iter().map(stage).collect(),
            handover: seen.handover.as_ref().map(stage),
        }
    }

    /// The end of the last slice or stage.
    pub(crate) fn end_ms(&self) -> f64 {
        let stages = self.stages.iter().map(|it| it.to_ms);
        stages.fold(self.slices.len() as f64 * self.slice_ms, f64::max)
    }

    pub(crate) fn failed(&self) -> usize {
        self.slices.iter().map(|it| it.failed).sum()
    }
}

fn since(began: SystemTime, time: SystemTime) -> f64 {
    let after = time.duration_since(began).unwrap_or_default();
    rounded(after.as_secs_f64() * 1000.0)
}

fn slices(outcome: &Outcome, versions: &[&str]) -> Vec<Slice> {
    // The interval between requests is in whole nanoseconds, so one that is due on the edge comes a little early.
    let place = |sample: &Sample| ((sample.at_ms + 0.01) / SLICE_MS) as usize;
    let count = outcome
        .samples
        .iter()
        .map(place)
        .max()
        .map_or(0, |last| last + 1);
    let mut samples = vec![Vec::new(); count];
    for sample in &outcome.samples {
        samples[place(sample)].push(sample);
    }
    samples
        .iter()
        .map(|samples| slice(samples, versions))
        .collect()
}

fn slice(samples: &[&Sample], versions: &[&str]) -> Slice {
    let mut slice = Slice {
        answered: vec![0; versions.len()],
        ..Slice::default()
    };
    let mut times = Vec::new();
    for sample in samples {
        let Answer::Ok { body, .. } = &sample.answer else {
            slice.failed += 1;
            continue;
        };
        if let Some(version) = versions.iter().position(|it| it == body) {
            slice.answered[version] += 1;
        }
        times.push(sample.took_ms);
    }
    times.sort_by(f64::total_cmp);
    slice.median_ms = times.get(times.len() / 2).copied().map(rounded);
    slice.slowest_ms = times.last().copied().map(rounded);
    slice
}
