//! The candidate's own ports on loopback, which must not be those that it is to publish.

use std::fs;
use std::time::Duration;

use step::engine::Engine;
use step::engine::error::EngineError;
use step::model::port::Publish;

use crate::plan::Plan;

/// The ports from which the engine chooses (moby, libnetwork/portallocator).
const LOCAL_PORTS: &str = "/proc/sys/net/ipv4/ip_local_port_range";
/// More than a deployment has ports in a row.
const MOST_RESTARTS: usize = 20;

/// The engine may choose for the candidate the very port that it is to publish once it is promoted. A restart has it
/// choose the next one.
pub(crate) fn leave(engine: &Engine, plan: &Plan, id: &str) -> Result<(), EngineError> {
    let range = fs::read_to_string(LOCAL_PORTS).unwrap_or_default();
    let first = range.split_whitespace().next();
    let first: u16 = first.and_then(|first| first.parse().ok()).unwrap_or(0);
    let mut wanted = plan.recipe.publish.clone();
    wanted.retain(|publish| publish.host >= first);
    for _ in 0..MOST_RESTARTS {
        if wanted.is_empty() {
            break;
        }
        let Some(found) = engine.container(id)? else {
            break;
        };
        let is_bound = |wanted: &Publish| {
            let bound = found.network_settings.bound_for(wanted.protocol);
            bound.iter().any(|it| it.host == wanted.host)
        };
        if !wanted.iter().any(is_bound) {
            break;
        }
        engine.stop(id, Duration::ZERO)?;
        engine.start(id)?;
    }
    Ok(())
}
