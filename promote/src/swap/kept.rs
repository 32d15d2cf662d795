//! A candidate that is not needed any more, and may have clients.

use step::engine::Engine;
use step::engine::container::Container;
use step::engine::error::EngineError;
use step::model::name::Name;
use step::model::port::Publish;
use step::ownership::marks::recipe_of;

use crate::args::Args;
use crate::bridge::carried::Forwarders;
use crate::bridge::stale;

/// Ends it: it answers what it was asked, the app's own shutdown closes connections and finishes work that was accepted,
/// and it is removed with its rules.
///
/// # Errors
/// When it cannot be removed.
pub(crate) fn end(
    engine: &Engine,
    args: &Args,
    live: &Name,
    candidate: &Container,
) -> Result<(), EngineError> {
    if candidate.state.running {
        Forwarders::of(live).drain(candidate, &published(candidate), args.drain);
        // Where it does not stop it is removed by force.
        let _ = engine.stop(&candidate.id, args.bounded_grace(candidate));
    }
    engine.remove_with_volumes(&[&candidate.id])?;
    stale::remove(engine, live);
    Ok(())
}

/// The TCP ports that the release of this candidate publishes.
pub(crate) fn published(candidate: &Container) -> Vec<Publish> {
    recipe_of(candidate).unwrap_or_default().tcp()
}
