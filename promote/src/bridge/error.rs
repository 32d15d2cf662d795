//! Why nobody can be led to another container meanwhile.

use std::io;
use std::net::SocketAddr;

use step::host::nft::NftError;
use thiserror::Error;

/// New connections still go to the candidate, which would then answer every look for another.
#[derive(Debug, Error)]
#[error("the bridge could not be closed: {0}")]
pub(crate) struct NotClosed(#[from] NftError);

/// Why there is no bridge, or no way from an old address to the new one.
#[derive(Debug, Error)]
pub(crate) enum NoBridge {
    #[error("--bridge off")]
    Unwanted,
    #[error("nothing was live before")]
    NothingLive,
    #[error("no port is published")]
    NoPort,
    #[error("no candidate runs")]
    NoCandidate,
    #[error("the engine is on another machine ({0})")]
    Elsewhere(String),
    #[error(
        "the candidate has no IPv4 address that this machine reaches (a rootless engine, or Docker Desktop)"
    )]
    NoAddress,
    #[error("the candidate's subnet is unknown")]
    NoSubnet,
    #[error("the routes of this machine cannot be read: {0}")]
    NoRoutes(io::Error),
    #[error("there is no route to the candidate")]
    NoRoute,
    #[error("there is no way between them on {0} that this machine sees")]
    NoWay(String),
    #[error("nobody calls the live container on a port of the next release")]
    NobodyCalls,
    #[error("nobody is answered on the live container's port")]
    NobodyAnswered,
    #[error("no forwarder could be started: {0}")]
    NoForwarder(io::Error),
    #[error("the process of {name} cannot be seen: {error}")]
    Unseen { name: String, error: io::Error },
    #[error("{name} cannot be watched: {error}")]
    Unwatched { name: String, error: io::Error },
    #[error("the table cannot be read back")]
    Unread,
    #[error("connections to {0} did not take the bridge")]
    Missed(SocketAddr),
    #[error("{at} answers through the bridge: {saw}")]
    Sick { at: SocketAddr, saw: String },
    #[error("no connection through the bridge at {at}: {error}")]
    Closed { at: SocketAddr, error: io::Error },
    #[error("a firewall stops other hosts on their way to the candidate's address")]
    Blocked,
    #[error(transparent)]
    Rules(#[from] NftError),
}

impl NoBridge {
    /// Whether there was one until this was found.
    pub(crate) fn has_led(&self) -> bool {
        matches!(
            self,
            Self::Unread
                | Self::Missed(_)
                | Self::Sick { .. }
                | Self::Closed { .. }
                | Self::Blocked
        )
    }

    /// What a person does who wants one.
    pub(crate) fn way_out(&self) -> &'static str {
        match self {
            Self::NoPort => {
                "start the candidate with --publish: without a port there is nothing to bridge"
            }
            Self::Elsewhere(_) => "run it on the engine's own machine",
            Self::NoAddress => "run it on an engine of root's",
            Self::NobodyCalls => {
                "start the candidate with a --publish of a port that the live container has"
            }
            Self::Blocked => "let the firewall forward other hosts to the candidate's address",
            Self::Sick { .. } | Self::Missed(_) | Self::Closed { .. } | Self::NobodyAnswered => {
                "see which packet rules or programs of this machine stand in between (`nft list ruleset`)"
            }
            _ => "run it as root or with CAP_NET_ADMIN, with nftables installed",
        }
    }
}
