//! What stopped a swap, before it is known whether it could be undone.

use step::engine::error::EngineError;

use crate::bridge::error::{NoBridge, NotClosed};
use crate::failure::{Evidence, Failure};
use crate::preflight::ports::Taken;

/// What stopped a swap.
pub(crate) struct SwapError {
    pub(crate) kind: Kind,
    pub(crate) message: String,
    pub(crate) evidence: Box<Evidence>,
}

/// Which exit code it becomes once it is undone.
pub(crate) enum Kind {
    NotStarted,
    Unhealthy,
    PortTaken(Taken),
    NoBridge(NoBridge),
}

impl SwapError {
    pub(crate) fn not_started(message: String) -> Self {
        Self {
            kind: Kind::NotStarted,
            message,
            evidence: Box::default(),
        }
    }

    pub(crate) fn unhealthy(message: String, evidence: Evidence) -> Self {
        Self {
            kind: Kind::Unhealthy,
            message,
            evidence: Box::new(evidence),
        }
    }

    pub(crate) fn port_taken(taken: Taken) -> Self {
        let message = format!("the host port {} is taken by {}", taken.port, taken.who());
        Self {
            kind: Kind::PortTaken(taken),
            message,
            evidence: Box::default(),
        }
    }

    /// There is none where there must be one.
    pub(crate) fn no_bridge(why: NoBridge) -> Self {
        Self {
            message: format!("no bridge is possible: {why}"),
            kind: Kind::NoBridge(why),
            evidence: Box::default(),
        }
    }

    pub(crate) fn vanished() -> Self {
        Self::not_started("the final container vanished".to_owned())
    }

    /// The failure of a swap that was undone.
    pub(crate) fn undone(self) -> Failure {
        let Self {
            kind,
            message,
            evidence,
        } = self;
        match kind {
            Kind::NotStarted => Failure::NotStarted { message, evidence },
            Kind::Unhealthy => Failure::Unhealthy { message, evidence },
            Kind::PortTaken(taken) => Failure::PortTaken {
                by: taken.who(),
                port: taken.port,
                evidence,
            },
            Kind::NoBridge(why) => Failure::NoBridge { why, evidence },
        }
    }
}

/// The candidate would answer for the final container.
impl From<NotClosed> for SwapError {
    fn from(error: NotClosed) -> Self {
        Self::not_started(error.to_string())
    }
}

/// Whatever the engine did or did not do, the final container is not live.
impl From<EngineError> for SwapError {
    fn from(error: EngineError) -> Self {
        Self::not_started(error.to_string())
    }
}
