//! What was measured, as data, and each row as it is shown.

use std::thread;

use serde::{Deserialize, Serialize};
use stage::docker::docker;

use super::fronts::Front;
use crate::numbers::{self, Numbers};
use crate::page::{Swap, Trace};
use crate::swap::RATE;
use crate::table::{Table, ms, seconds, thousands};

/// All that a bench has measured.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Bench {
    /// How often every way replaced every app.
    pub(crate) runs: u32,
    /// New connections a second.
    pub(crate) rate: u32,
    /// The engine's version.
    pub(crate) engine: String,
    /// The machine's processors.
    pub(crate) processors: usize,
    pub(crate) rows: Vec<Row>,
    pub(crate) fronts: Vec<Front>,
    /// What deployments cost beside that.
    #[serde(default)]
    pub(crate) costs: Vec<Table>,
    /// What was not measured, and why.
    pub(crate) left_out: Vec<String>,
}

/// One app replaced in one way.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Row {
    pub(crate) app: String,
    pub(crate) way: String,
    /// Ordered by failed requests.
    pub(crate) runs: Vec<Numbers>,
    /// The course of the run in the middle.
    pub(crate) trace: Trace,
}

impl Bench {
    pub(crate) fn begin(runs: u32) -> anyhow::Result<Self> {
        Ok(Self {
            runs,
            rate: RATE,
            engine: docker(["version", "--format", "{{.Server.Version}}"])?,
            processors: thread::available_parallelism()?.get(),
            ..Self::default()
        })
    }
}

impl Row {
    fn median(&self, pick: impl Fn(&Numbers) -> f64) -> f64 {
        numbers::median(self.runs.iter().map(pick)).unwrap_or_default()
    }

    // The runs are in this order.
    pub(super) fn failed(&self) -> String {
        let failed = |run: Option<&Numbers>| run.map_or(0, |run| run.failed);
        let (least, most) = (failed(self.runs.first()), failed(self.runs.last()));
        let median = thousands(failed(self.runs.get(self.runs.len() / 2)));
        if least == most {
            return median;
        }
        format!("{median} ({}-{})", thousands(least), thousands(most))
    }

    pub(super) fn line(&self) -> Vec<String> {
        vec![
            self.app.clone(),
            self.way.clone(),
            thousands(self.median(|run| run.sent as f64) as usize),
            self.failed(),
            ms(self.median(|run| run.longest_gap_ms)),
            ms(self.median(|run| run.p50_ms)),
            ms(self.median(|run| run.p99_ms)),
            ms(self.median(|run| run.max_ms)),
            seconds(self.median(|run| run.deploy_ms as f64)),
        ]
    }

    pub(super) fn swap(&self) -> Swap {
        let numbers = self
            .runs
            .get(self.runs.len() / 2)
            .cloned()
            .unwrap_or_default();
        Swap {
            title: self.way.clone(),
            verdict: numbers.verdict(),
            good: numbers.failed == 0,
            trace: self.trace.clone(),
        }
    }
}
