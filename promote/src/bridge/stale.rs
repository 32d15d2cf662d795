//! The bridge that a killed promotion has left.

use step::engine::Engine;
use step::host::nft::Nft;
use step::model::name::Name;
use step::terminal::warn;

use super::listing::forwarders;
use super::ruleset;

/// Has whatever a killed promotion has left redirect no new connection, and tells where its forwarders listen, if there
/// was anything.
///
/// # Errors
/// When there may be something, which still redirects to a candidate that nobody must remove then.
pub(crate) fn close(engine: &Engine, container: &Name) -> Result<Option<Vec<u16>>, String> {
    let Ok(nft) = Nft::find(engine.limits()) else {
        return Ok(None);
    };
    let found = nft.read(container).map(|rules| forwarders(&rules));
    let script = ruleset::close(container);
    if found.is_some() && nft.apply(&script).is_ok() {
        return Ok(found);
    }
    nft.remove(container).map(|()| found)
}

/// Removes whatever a killed promotion has left.
pub(crate) fn remove(engine: &Engine, container: &Name) {
    // Not looked for first: an answer that does not come is no sign that there is none.
    if let Ok(nft) = Nft::find(engine.limits())
        && let Err(why) = nft.remove(container)
    {
        warn(&format!(
            "promote: a stray bridge could not be removed: {why}"
        ));
    }
}
