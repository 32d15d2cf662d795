//! Every way a probe can fail.

use schemars::JsonSchema;
use serde::Serialize;
use step::contract::failure::{self, CommonFailure};
use step::engine::error::EngineError;
use step::engine::summary::Crash;
use step::exit_code::{Code, Verdict};
use step::health::Attempt;
use thiserror::Error;

#[derive(Debug, Error)]
pub(crate) enum Failure {
    #[error(transparent)]
    Common(#[from] CommonFailure),
    #[error("probing {0} was interrupted")]
    Interrupted(String),
    #[error("{} was not healthy after {} attempts, the last saw: {}", .1.container, .0, .1.last())]
    NotHealthy(u32, Box<Seen>),
    #[error("there is no container {0}")]
    NoContainer(String),
    #[error("{0} is another container than the one that was started")]
    OtherContainer(String),
    #[error("{} {}", .0.container, .0.end())]
    Crashed(Box<Seen>),
    #[error("a task of {} {}", .1.container, .0)]
    TaskFailed(String, Box<Seen>),
    #[error("{0} has no address to probe: {1}")]
    NoAddress(String, String),
    #[error("the engine is on another machine ({0}), its containers cannot be probed from here")]
    Elsewhere(String),
}

/// What was seen until the failure.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Seen {
    /// The container's name, or the URL.
    pub(crate) container: String,
    /// The last attempts, at most five.
    pub(crate) last_attempts: Vec<Attempt>,
    /// How the container ended.
    #[serde(flatten)]
    pub(crate) crash: Option<Crash>,
    /// Its last log lines.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) log: Vec<String>,
}

impl Seen {
    fn last(&self) -> &str {
        self.last_attempts
            .last()
            .map_or("nothing", |attempt| &attempt.saw)
    }

    fn end(&self) -> String {
        match &self.crash {
            Some(crash) if crash.oom_killed => {
                "was killed by the kernel for want of memory".to_owned()
            }
            Some(crash) if crash.restarts > 0 => {
                format!("ended and was restarted {} times", crash.restarts)
            }
            Some(crash) if crash.status == "created" => "was never started".to_owned(),
            // With cgroups of version 2 the engine now and then does not hear that memory ran out.
            Some(crash) if crash.exit_code == 137 => {
                "ended with exit code 137: killed by somebody, or by the kernel when memory ran out"
                    .to_owned()
            }
            Some(crash) => format!("ended with exit code {}", crash.exit_code),
            None => "ended".to_owned(),
        }
    }
}

/// What a failed probe says besides its error.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Evidence {
    #[serde(flatten)]
    seen: Option<Seen>,
}

impl From<EngineError> for Failure {
    fn from(error: EngineError) -> Self {
        CommonFailure::from(error).into()
    }
}

impl failure::Failure for Failure {
    type Evidence = Evidence;

    fn verdict(&self) -> Verdict {
        match self {
            Self::Common(failure) => failure.verdict(),
            Self::Interrupted(_) => {
                Verdict::new(Code::Interrupted, "nothing was changed; run it again")
            }
            Self::NotHealthy(..) => Verdict::new(
                Code::Unhealthy,
                "look at the attempts and the log lines; --path, --port, --host and --expect-status say what healthy means, --within how long to wait",
            ),
            Self::NoContainer(_) => Verdict::new(
                Code::NoContainer,
                "start it first: start-candidate; or check --app and --container",
            ),
            Self::OtherContainer(_) => Verdict::new(
                Code::NoContainer,
                "another deployment has replaced it; start again from start-candidate",
            ),
            Self::Crashed(_) | Self::TaskFailed(..) => Verdict::new(
                Code::Crashed,
                "the log lines say why; after a candidate's failure, prune-app --candidate removes it",
            ),
            Self::NoAddress(..) => Verdict::new(
                Code::NoAddress,
                "publish the port, name another with --port, or look from inside with --exec, or with --docker-health where there is a HEALTHCHECK",
            ),
            Self::Elsewhere(_) => Verdict::new(
                Code::NoAddress,
                "run the steps on that machine, for example over ssh",
            ),
        }
    }

    fn evidence(self) -> Evidence {
        let seen = match self {
            Self::NotHealthy(_, seen) | Self::Crashed(seen) | Self::TaskFailed(_, seen) => {
                Some(*seen)
            }
            Self::Common(_)
            | Self::Interrupted(_)
            | Self::NoContainer(_)
            | Self::OtherContainer(_)
            | Self::NoAddress(..)
            | Self::Elsewhere(_) => None,
        };
        Evidence { seen }
    }
}
