//! The candidate of a promotion that was killed: its networks.

use step::engine::container::Container;
use step::engine::error::EngineError;

use crate::network;
use crate::promotion::Promotion;
use crate::state::State;

/// The candidate's full id.
pub(super) fn id(state: &State) -> Option<String> {
    state
        .candidate
        .as_ref()
        .map(|candidate| candidate.id.clone())
}

/// Puts it back on the networks that a kill has left it without.
pub(super) fn put_back(
    promotion: &Promotion<'_>,
    candidate: Container,
) -> Result<Container, EngineError> {
    let engine = &promotion.engine;
    if !candidate.state.up() || !network::put_back(engine, &candidate)? {
        return Ok(candidate);
    }
    Ok(engine.container(&candidate.id)?.unwrap_or(candidate))
}
