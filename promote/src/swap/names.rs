//! After a failed promotion the live container has its names for itself again.

use step::engine::container::Container;
use step::terminal::warn;

use super::kept;
use crate::bridge::carried::Forwarders;
use crate::bridge::stale;
use crate::failure::Failure;
use crate::network;
use crate::promotion::Promotion;

/// Takes from the candidate with this full id whatever a promotion has given it, this one or one that was killed. Where
/// nothing is live, or a rollback has failed, the candidate may be all that serves.
pub(crate) fn take_back(promotion: &Promotion<'_>, candidate: Option<String>, failure: &Failure) {
    let Promotion { engine, names, .. } = promotion;
    let Some(id) = candidate.filter(|_| !matches!(failure, Failure::RollbackFailed { .. })) else {
        return;
    };
    let found = engine.containers(&[&names.live, &id]).unwrap_or_default();
    let mut others = found.iter().filter(|it| it.id != id);
    let is_candidate = |it: &&Container| it.id == id && it.name() == names.candidate;
    let candidate = found.iter().find(is_candidate);
    let candidate = candidate.filter(|it| network::is_called(it));
    let Some(candidate) = candidate.filter(|_| others.any(|live| live.state.up())) else {
        return;
    };
    // A killed one may have left a bridge to it as well: it first answers what it was asked there.
    match stale::close(engine, promotion.live) {
        Ok(true) => {
            let publish = kept::published(candidate);
            Forwarders::of(promotion.live).drain(candidate, &publish, promotion.args.drain);
        }
        Ok(false) => {}
        Err(why) => {
            return warn(&format!(
                "promote: {} is still called: {why}",
                names.candidate
            ));
        }
    }
    if let Err(error) = network::take_back(engine, candidate) {
        let name = &names.candidate;
        warn(&format!(
            "promote: {name} may still be called by the app's names: {error}"
        ));
    }
    stale::remove(engine, promotion.live);
}
