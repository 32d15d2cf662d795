//! Rules that a promotion which was killed has left behind.

use step::engine::Engine;
use step::engine::error::EngineError;
use step::host::nft::Nft;
use step::model::name::{Name, Names};
use step::terminal::{progress, warn};

/// Removes the app's rules, unless they may be what redirects clients to the one container that serves.
pub(crate) fn remove_stray(engine: &Engine, live: &Name, names: &Names) -> Result<(), EngineError> {
    let Ok(nft) = Nft::find(engine.limits()) else {
        return Ok(());
    };
    if !nft.may_have(live) || nft.read(live).is_none() {
        return Ok(());
    }
    let found = engine.containers(&[&names.live, &names.old, &names.candidate])?;
    let up = |name: &str| {
        found
            .iter()
            .any(|container| container.name() == name && container.state.up())
    };
    let unfinished = found.iter().any(|container| container.name() == names.old);
    if up(&names.candidate) && (unfinished || !up(&names.live)) {
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
