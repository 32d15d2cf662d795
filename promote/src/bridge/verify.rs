//! Verifies an open bridge by calls through the host ports, as each kind of client makes them.

use std::thread;
use std::time::{Duration, Instant};

use step::engine::container::Container;
use step::health::ProbeConfig;
use step::host::nft::Nft;

use super::calls::{Call, calls};
use super::error::NoBridge;
use super::listing::counted;
use super::plan::Plan;

/// How long the candidate may take to answer through it: from the first moment it has all new connections.
const VERIFIED_WITHIN: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(20);

/// A call of each kind that was served before must be counted by its rule and answered by the candidate.
pub(super) fn verify(
    nft: &Nft,
    plan: &Plan,
    candidate: &Container,
    config: &ProbeConfig,
) -> Result<(), NoBridge> {
    let mut made = Vec::new();
    for one in &plan.redirects {
        for call in calls(&one.door, candidate, one.door.is_asked(config)) {
            let Some(tag) = plan.tag(&call) else {
                continue;
            };
            let is_made = if call.is_asked {
                answered(&call, config)?
            } else {
                connected(&call)?
            };
            made.extend(is_made.then_some((call, tag)));
        }
    }
    let rules = nft.read(&plan.container).ok_or(NoBridge::Unread)?;
    let missed = made.iter().find(|(_, tag)| counted(&rules, tag, None) == 0);
    missed.map_or(Ok(()), |(call, _)| Err(NoBridge::Missed(call.at)))
}

/// Whether it was; not where nobody can call from there.
fn answered(call: &Call, config: &ProbeConfig) -> Result<bool, NoBridge> {
    let end = Instant::now() + VERIFIED_WITHIN;
    loop {
        match call.make(config) {
            None => return Ok(false),
            Some(Ok(_)) => return Ok(true),
            Some(Err(saw)) if Instant::now() > end => {
                return Err(NoBridge::Sick { at: call.at, saw });
            }
            Some(Err(_)) => thread::sleep(PAUSE),
        }
    }
}

fn connected(call: &Call) -> Result<bool, NoBridge> {
    let made = call.connect(VERIFIED_WITHIN).transpose();
    made.map(|it| it.is_some())
        .map_err(|error| NoBridge::Closed { at: call.at, error })
}
