//! The few numbers that a deployment under load comes down to.

use serde::{Deserialize, Serialize};
use stage::load::Outcome;

use crate::table::{ms, thousands};

/// The few numbers of one deployment; times in milliseconds.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Numbers {
    pub(crate) sent: usize,
    pub(crate) failed: usize,
    /// The longest time between two good answers.
    pub(crate) longest_gap_ms: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) max_ms: f64,
    /// From the first command to the end of the last.
    pub(crate) deploy_ms: u64,
}

impl Numbers {
    pub(crate) fn of(seen: &Outcome, deploy_ms: u64) -> Self {
        Self {
            sent: seen.sent(),
            failed: seen.failed(),
            longest_gap_ms: rounded(seen.longest_gap_ms()),
            p50_ms: rounded(seen.percentile(50.0)),
            p99_ms: rounded(seen.percentile(99.0)),
            max_ms: rounded(seen.percentile(100.0)),
            deploy_ms,
        }
    }

    /// What it cost the clients, in one sentence.
    pub(crate) fn verdict(&self) -> String {
        let (sent, gap) = (thousands(self.sent), ms(self.longest_gap_ms));
        match self.failed {
            0 => format!("No request of {sent} failed; longest gap {gap} ms."),
            failed => format!(
                "{} of {sent} requests failed; longest gap {gap} ms.",
                thousands(failed)
            ),
        }
    }
}

/// To a hundredth, which is finer than anything here can be measured.
pub(crate) fn rounded(ms: f64) -> f64 {
    (ms * 100.0).round() / 100.0
}

/// The one in the middle.
pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}
