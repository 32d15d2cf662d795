//! Whether an app is healthy, or why not.

pub mod args;
mod check;
pub mod poll;
mod resolver;
pub mod target;

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::engine::error::EngineError;
use crate::engine::summary::Crash;
use crate::model::probe::Probe;

/// What healthy means, with what must not be written into labels or reports.
#[derive(Clone, Debug)]
pub struct ProbeConfig {
    /// What healthy means.
    pub probe: Probe,
    /// Request headers, which may be secret.
    pub headers: Vec<(String, String)>,
    /// Longest time for one attempt.
    pub timeout: Duration,
}

/// How long to go on looking, and how often.
#[derive(Clone, Debug)]
pub struct RetryPolicy {
    /// Give up after this long.
    pub within: Duration,
    /// Longest pause between two attempts.
    pub interval: Duration,
    /// A fixed number of attempts, `interval` apart, instead of `within`.
    pub attempts: Option<u32>,
    /// How many attempts in a row must be good.
    pub successes: u32,
}

impl RetryPolicy {
    /// Up to `within`, with the usual pauses.
    pub fn of(within: Duration) -> Self {
        Self {
            within,
            interval: Duration::from_secs(1),
            attempts: None,
            successes: 1,
        }
    }

    /// Short at first and after a success, then growing with the time already waited: after a boot of 20 s
    /// still 25 ms, so that half of that is lost by not looking.
    pub(crate) fn pause(&self, waited: Duration, healthy: bool) -> Duration {
        const SHORTEST: Duration = Duration::from_millis(20);
        const CONFIRMING: Duration = Duration::from_millis(50);
        if self.attempts.is_some() {
            return self.interval;
        }
        if healthy {
            CONFIRMING
        } else {
            (waited / 800).max(SHORTEST)
        }
        .min(self.interval)
    }
}

/// One attempt.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Attempt {
    /// When it began, in milliseconds since the waiting began.
    pub at_ms: u64,
    /// How long it took.
    pub took_ms: u64,
    /// Whether it was good.
    pub ok: bool,
    /// What was seen.
    pub saw: String,
}

/// A healthy app.
#[derive(Debug)]
pub struct Probed {
    /// How many attempts it took.
    pub attempts: u32,
    /// The last of them.
    pub last: Vec<Attempt>,
}

impl Probed {
    /// What the last attempt saw.
    pub fn saw(&self) -> &str {
        self.last.last().map_or("nothing", |attempt| &attempt.saw)
    }
}

/// Why an app did not become healthy.
#[derive(Debug)]
pub enum Unhealthy {
    /// Not within the time or the number of attempts.
    NotInTime(Probed),
    /// The container does not exist any more.
    Gone,
    /// The container exited, was restarted or killed.
    Crashed(Crash, Vec<Attempt>),
    /// SIGINT or SIGTERM arrived.
    Interrupted,
    /// The engine could not be asked.
    Engine(EngineError),
}

impl From<EngineError> for Unhealthy {
    fn from(error: EngineError) -> Self {
        match error {
            EngineError::Interrupted { .. } => Self::Interrupted,
            error => Self::Engine(error),
        }
    }
}
