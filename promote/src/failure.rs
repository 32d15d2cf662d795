//! Every way a promotion can fail.

pub(crate) mod way_out;

use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;
use step::contract::failure::{self, CommonFailure};
use step::engine::error::EngineError;
use step::engine::summary::Crash;
use step::engine::swarm::task::TaskStatus;
use step::exit_code::{Code, Verdict};
use step::health::Attempt;
use step::host::nft::NftError;
use thiserror::Error;

use crate::bridge::error::NoBridge;
use crate::report::Seen;

use way_out::WayOut;

#[derive(Debug, Error)]
pub(crate) enum Failure {
    #[error(transparent)]
    Common(#[from] CommonFailure),
    #[error("promoting {0} was interrupted before anything was stopped")]
    Interrupted(String),
    #[error("{0}")]
    NoCandidate(String, WayOut),
    #[error("the final container could not be verified: {0}; nothing was touched")]
    NotVerifiable(String),
    #[error("another promotion of {0} is running")]
    Locked(String),
    #[error("the host port {port} is taken by {by}{}", undone(.evidence))]
    PortTaken {
        port: String,
        by: String,
        evidence: Box<Evidence>,
    },
    #[error(
        "the host port {port} is taken, and {live} is on the host's network and may have it itself; no live container was touched"
    )]
    PortOfHost { port: String, live: String },
    #[error("the final container would differ from the candidate in {0}; nothing was touched")]
    NotVerified(String),
    #[error("no bridge is possible: {why}{}", undone(.evidence))]
    NoBridge {
        why: NoBridge,
        evidence: Box<Evidence>,
    },
    #[error(
        "an earlier promotion's bridge could not be closed: {0}; the candidate goes on serving"
    )]
    StrayBridge(NftError),
    #[error("{live} is live, but its port {port} did not answer for {gap_ms} ms, longer than the {} ms allowed", .allowed.as_millis())]
    GapTooLong {
        live: String,
        port: String,
        gap_ms: u64,
        allowed: Duration,
        evidence: Box<Evidence>,
    },
    #[error("the candidate is deployment {deploy_id}, and {newer} is live; nothing was touched")]
    Overtaken { deploy_id: u64, newer: u64 },
    #[error("{message}{}", undone(.evidence))]
    Unhealthy {
        message: String,
        evidence: Box<Evidence>,
    },
    #[error("{message}{}", undone(.evidence))]
    NotStarted {
        message: String,
        evidence: Box<Evidence>,
    },
    #[error("{message}; and the rollback failed: {why}")]
    RollbackFailed {
        message: String,
        why: String,
        commands: String,
        evidence: Box<Evidence>,
    },
}

/// What a failed promotion says besides its error.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub(crate) struct Evidence {
    /// The container that serves after the rollback.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) rolled_back_to: Option<String>,
    /// The container that is as before, and was down.
    #[serde(skip)]
    pub(crate) down_as_before: Option<String>,
    /// What clients saw of the attempt, on the host port.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) swap: Option<Seen>,
    /// How the final container ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) crash: Option<Crash>,
    /// The last attempts at the final container.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) last_attempts: Vec<Attempt>,
    /// The final container's last log lines.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) log: Vec<String>,
    /// With --swarm, the service's tasks, the newest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) tasks: Vec<TaskStatus>,
}

impl Evidence {
    /// Of attempts alone.
    pub(crate) fn of(last_attempts: Vec<Attempt>) -> Self {
        Self {
            last_attempts,
            ..Self::default()
        }
    }
}

fn undone(evidence: &Evidence) -> String {
    match (&evidence.rolled_back_to, &evidence.down_as_before) {
        (Some(name), _) => format!("; rolled back, {name} serves as before"),
        (None, Some(name)) => format!("; rolled back, {name} is down as before"),
        (None, None) => "; no live container was touched".to_owned(),
    }
}

/// Whether the engine said so. A container that is down may have been on one that is gone.
fn lacks_network(message: &str) -> bool {
    message.contains("network") && message.contains("not found")
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
            Self::Interrupted(_) => Verdict::new(
                Code::Interrupted,
                "the live container serves as before, the candidate still runs; run promote again",
            ),
            Self::NoCandidate(_, way) => Verdict::new(Code::NoCandidate, way.hint()),
            Self::NotVerifiable(_) => Verdict::new(Code::NoCandidate, WayOut::Reach.hint()),
            Self::Locked(_) => Verdict::new(
                Code::Locked,
                "wait until it ends; the lock is freed however it ends",
            ),
            Self::PortTaken { .. } => Verdict::new(
                Code::PortTaken,
                "`docker ps` and `ss -lntup` show who has it: free it and run promote again, or start the candidate with another --publish",
            ),
            Self::PortOfHost { live, .. } => Verdict::new(
                Code::PortTaken,
                format!(
                    "a published port must be free: publish another one, or close it for a moment by `docker rename {live} {live}-before && docker stop {live}-before` and run promote again"
                ),
            ),
            Self::NotVerified(_) => Verdict::new(
                Code::NotVerified,
                "it has changed since the candidate was started: start-candidate --replace, then probe-health, then promote",
            ),
            Self::NoBridge { why, evidence } => {
                let again = match evidence.rolled_back_to {
                    Some(_) => {
                        ", with start-candidate --replace before it if the candidate has ended"
                    }
                    None => "",
                };
                Verdict::new(
                    Code::NoBridge,
                    format!(
                        "{}; or give --bridge auto, and bear a short gap{again}",
                        why.way_out()
                    ),
                )
            }
            Self::StrayBridge(_) => Verdict::new(
                Code::Unexpected,
                "new connections go to the candidate as long as `nft list tables` shows the app's table; see why nft fails, then run promote again",
            ),
            Self::GapTooLong { .. } => Verdict::new(
                Code::GapTooLong,
                "nothing is left to do: the release is healthy, and `swap` says what clients saw; --bridge require refuses a swap that would have no bridge",
            ),
            Self::Overtaken { .. } => Verdict::new(
                Code::Overtaken,
                "the newer release stays; remove the candidate with prune-app --candidate",
            ),
            Self::Unhealthy { .. } => Verdict::new(
                Code::RolledBackUnhealthy,
                "the candidate was healthy, the final container was not: compare last_attempts and log; remove the candidate with prune-app --candidate",
            ),
            Self::NotStarted { message, .. } if lacks_network(message) => Verdict::new(
                Code::RolledBackNotStarted,
                "make the network again by docker network create; or remove the live container if it is down, and give --network after the `--`; then start-candidate --replace, probe-health and promote",
            ),
            Self::NotStarted { .. } => Verdict::new(
                Code::RolledBackNotStarted,
                "mend what the message or the log names, then start-candidate --replace, probe-health and promote; or remove the candidate with prune-app --candidate",
            ),
            Self::RollbackFailed { commands, .. } => {
                Verdict::new(Code::RollbackFailed, commands.clone())
            }
        }
    }

    fn evidence(self) -> Evidence {
        match self {
            Self::PortTaken { evidence, .. }
            | Self::NoBridge { evidence, .. }
            | Self::GapTooLong { evidence, .. }
            | Self::Unhealthy { evidence, .. }
            | Self::NotStarted { evidence, .. }
            | Self::RollbackFailed { evidence, .. } => *evidence,
            Self::Common(_)
            | Self::Interrupted(_)
            | Self::NoCandidate(..)
            | Self::NotVerifiable(_)
            | Self::PortOfHost { .. }
            | Self::Locked(_)
            | Self::StrayBridge(_)
            | Self::NotVerified(_)
            | Self::Overtaken { .. } => Evidence::default(),
        }
    }
}
