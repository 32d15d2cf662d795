//! What is between the host port and the candidate: a bridge, one that was, or none.

use step::terminal::warn;

use crate::bridge::Bridge;
use crate::bridge::error::NoBridge;

/// Between the host port and the candidate.
pub(crate) enum Link {
    Open(Bridge),
    /// There was a bridge, and its forwarders may still have connections.
    Stale,
    /// There was none; where it was wanted, why.
    Off(Option<NoBridge>),
}

impl From<Result<Bridge, NoBridge>> for Link {
    fn from(bridge: Result<Bridge, NoBridge>) -> Self {
        bridge.map_or_else(|why| Self::Off(Some(why)), Self::Open)
    }
}

impl Link {
    pub(crate) fn bridge(&self) -> Option<&Bridge> {
        match self {
            Self::Open(bridge) => Some(bridge),
            Self::Stale | Self::Off(_) => None,
        }
    }

    pub(crate) fn bridge_mut(&mut self) -> Option<&mut Bridge> {
        match self {
            Self::Open(bridge) => Some(bridge),
            Self::Stale | Self::Off(_) => None,
        }
    }

    /// Hands the bridge out, to be left or ended.
    pub(crate) fn take(&mut self) -> Option<Bridge> {
        self.bridge()?;
        match std::mem::replace(self, Self::Stale) {
            Self::Open(bridge) => Some(bridge),
            Self::Stale | Self::Off(_) => None,
        }
    }

    pub(crate) fn is_off(&self) -> bool {
        matches!(self, Self::Off(_))
    }

    /// Whether clients may have been led to the candidate, be it for a moment.
    pub(crate) fn has_led(&self) -> bool {
        match self {
            Self::Open(_) | Self::Stale => true,
            Self::Off(why) => why.as_ref().is_some_and(NoBridge::has_led),
        }
    }
}

/// Says what it costs that there is no bridge, and why there is none.
pub(crate) fn warn_of_gap(why: &NoBridge) {
    warn(&format!(
        "promote: without a bridge the port is closed for a moment: {why}"
    ));
}
