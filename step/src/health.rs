//! Waiting until an app is healthy, and noticing at once when it never will be.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::look::NetworkLook;
use crate::waiting::Waiting;
use crate::{Crash, Engine, EngineError, Target};

/// How long to go on looking, and how often.
#[derive(Clone, Debug)]
pub struct Patience {
    /// Give up after this long.
    pub within: Duration,
    /// Longest pause between two looks.
    pub interval: Duration,
    /// A fixed number of looks, `interval` apart, instead of `within`.
    pub attempts: Option<u32>,
    /// How many looks in a row must be good.
    pub successes: u32,
}

impl Patience {
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

/// One look.
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
pub struct Proof {
    /// How many looks it took.
    pub attempts: u32,
    /// The last of them.
    pub last: Vec<Attempt>,
}

impl Proof {
    /// What the last look saw.
    pub fn saw(&self) -> &str {
        self.last.last().map_or("nothing", |attempt| &attempt.saw)
    }
}

/// Why an app did not become healthy.
#[derive(Debug)]
pub enum Unhealthy {
    /// Not within the time or the number of looks.
    NotInTime(Proof),
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

/// Looks until the target is healthy. A container is watched besides: its end is noticed
/// within milliseconds, whatever a look is waiting for.
///
/// # Errors
/// [`Unhealthy`].
pub fn await_health(
    engine: Option<&Engine>,
    target: &Target,
    patience: &Patience,
) -> Result<Proof, Unhealthy> {
    if let Some(crash) = &target.crash {
        return Err(Unhealthy::Crashed(crash.clone(), Vec::new()));
    }
    Waiting::new(engine, target, patience).run()
}

/// Looks once, without watching the container.
///
/// # Errors
/// What was seen instead of health.
pub fn look_once(target: &Target) -> Result<String, String> {
    target
        .network
        .as_ref()
        .map_or(Ok(String::new()), NetworkLook::look)
}
