//! A candidate that is not needed any more, and may have clients.

use step::engine::Engine;
use step::engine::container::Container;
use step::engine::error::EngineError;
use step::model::name::Name;
use step::ownership::marks::recipe_of;

use crate::args::Args;
use crate::bridge::carried::Forwarders;
use crate::bridge::stale;
use crate::traffic::drain::drain;

/// Ends it: what it was asked it answers, connections are closed by the app's own shutdown, and it is removed with its
/// rules.
///
/// # Errors
/// When it cannot be removed.
pub(crate) fn end(
    engine: &Engine,
    args: &Args,
    live: &Name,
    candidate: &Container,
) -> Result<(), EngineError> {
    let forwarders = Forwarders::of(live);
    let publish = recipe_of(candidate).unwrap_or_default().tcp();
    let drained = drain(candidate, &publish, || forwarders.connections(), args.drain);
    if drained.may_be_open() {
        // Where it does not stop it is removed by force.
        let _ = engine.stop(&candidate.id, args.grace(candidate));
    }
    engine.remove_with_volumes(&[&candidate.id])?;
    stale::remove(engine, live);
    Ok(())
}
