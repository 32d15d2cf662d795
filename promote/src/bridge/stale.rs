//! The bridge that a killed promotion has left.

use step::engine::Engine;
use step::host::nft::{Nft, NftError};
use step::model::name::Name;
use step::terminal::warn;

use super::ruleset;

/// Has whatever a killed promotion has left redirect no new connection, and tells whether there was anything.
///
/// # Errors
/// When there may be something, which still redirects to a candidate that nobody must remove then.
pub(crate) fn close(engine: &Engine, container: &Name) -> Result<bool, NftError> {
    let Some(nft) = Nft::with_rules_of(container, engine.limits()) else {
        return Ok(false);
    };
    let found = nft.read(container).is_some();
    if found && nft.apply(&ruleset::close(container)).is_ok() {
        return Ok(true);
    }
    nft.remove(container).map(|()| found)
}

/// Removes whatever a killed promotion has left.
pub(crate) fn remove(engine: &Engine, container: &Name) {
    if let Some(nft) = Nft::with_rules_of(container, engine.limits())
        && let Err(why) = nft.remove(container)
    {
        warn(&format!(
            "promote: a stray bridge could not be removed: {why}"
        ));
    }
}
