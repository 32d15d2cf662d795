//! Rules that a promotion which was killed has left behind.

use step::contract::failure::CommonFailure;
use step::engine::Engine;
use step::engine::container::Container;
use step::host::nft::Nft;
use step::model::name::Name;
use step::ownership::Owned;
use step::ownership::marks::keeps_clients;
use step::terminal::{progress, warn};

use crate::failure::Failure;

/// Removes the app's rules, unless they may be what redirects clients to the one container that serves.
pub(crate) fn remove_stray(engine: &Engine, app: &Name, live: &Name) -> Result<(), Failure> {
    let nft = Nft::with_rules_of(live, engine.limits());
    let Some(nft) = nft.filter(|nft| nft.read(live).is_some()) else {
        return Ok(());
    };
    let found = Owned::read(engine, app, live).map_err(CommonFailure::from)?;
    if let Some(candidate) = &found.candidate
        && keeps_clients(candidate, found.live.as_ref())
    {
        progress("prune-app: the bridge stays, clients are connected to the candidate");
        return Ok(());
    }
    let up = |it: &Option<Container>| it.as_ref().is_some_and(|it| it.state.up());
    if up(&found.candidate) && (found.old.is_some() || !up(&found.live)) {
        progress("prune-app: the bridge to the candidate stays, a promotion is unfinished");
        return Ok(());
    }
    match nft.remove(live) {
        Ok(()) => progress("prune-app: removed a stray bridge"),
        Err(why) => warn(&format!(
            "prune-app: a stray bridge could not be removed: {why}"
        )),
    }
    Ok(())
}
