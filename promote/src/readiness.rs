//! Making the candidate ready to serve in the live container's place.

use step::{Condition, Container, Nft, Recipe, both, interrupted, progress, warn};

use crate::alias;
use crate::args::BridgeMode;
use crate::bridge::Bridge;
use crate::drain::drain;
use crate::failure::Failure;
use crate::preflight;
use crate::promote::Promotion;
use crate::replacement;
use crate::stray;

/// A candidate that may serve: with a bridge to it, or the reason why there is none.
pub(crate) struct Ready {
    pub(crate) candidate: Container,
    pub(crate) bridge: Result<Bridge, String>,
}

impl Promotion<'_> {
    /// The candidate ready to serve, and the final container created; on a failure neither.
    pub(crate) fn prepare(
        &self,
        candidate: Container,
        recipe: &Recipe,
        live: Option<&Container>,
        old_was: Condition,
    ) -> Result<(Ready, String), Failure> {
        let (before, beside) = (candidate.clone(), self.clone());
        let verified = &before;
        let (ready, next) = both(
            || make_ready(self, candidate, recipe, live),
            move || replacement::verified(&beside, recipe, verified, live, old_was),
        );
        let (ready, next, failure) = match (ready, next, self.still_wanted()) {
            (Ok(ready), Ok(next), Ok(())) => return Ok((ready, next)),
            (Err(failure), next, _) => (None, next.ok(), failure),
            (Ok(ready), Err(failure), _) => (Some(ready), None, failure),
            (Ok(ready), Ok(next), Err(failure)) => (Some(ready), Some(next), failure),
        };
        let bridge = ready.and_then(|ready| self.stand_down(ready, live));
        Err(self.leave_as_before(&before, recipe, bridge, next.as_deref(), failure))
    }

    /// Nobody is led to the candidate any more; who calls it by the app's name is led to the live container.
    fn stand_down(&self, ready: Ready, live: Option<&Container>) -> Option<Bridge> {
        let Ready { candidate, bridge } = ready;
        let mut bridge = bridge.ok()?;
        if let Err(why) = bridge.close() {
            warn(&format!("promote: {why}"));
        }
        if let Some(live) = live
            && alias::is_known_as(&candidate, live.name())
        {
            bridge.lead_away(alias::moves(&candidate, live, live.name()));
        }
        Some(bridge)
    }

    /// Nothing was touched that cannot be put back: the new container goes, and so does the name
    /// that the candidate has been given.
    fn leave_as_before(
        &self,
        candidate: &Container,
        recipe: &Recipe,
        bridge: Option<Bridge>,
        next: Option<&str>,
        failure: Failure,
    ) -> Failure {
        let removed = next.map_or(Ok(()), |next| self.engine.remove_with_volumes(&[next]));
        let carriers = bridge.as_ref().map(Bridge::forwarder_ports);
        // What it was asked it answers before it is taken off its network.
        drain(
            candidate,
            &recipe.publish,
            &carriers.unwrap_or_default(),
            self.args.drain,
        );
        let returned = alias::take_back(&self.engine, candidate, self.live.as_str());
        for error in [removed, returned].into_iter().filter_map(Result::err) {
            warn(&format!("promote: not all is as before: {error}"));
        }
        failure
    }

    fn still_wanted(&self) -> Result<(), Failure> {
        if interrupted() {
            Err(Failure::Interrupted(self.names.live.clone()))
        } else {
            Ok(())
        }
    }
}

/// Sees that the ports can be had, gives the candidate the app's name and builds the bridge to
/// it, as far as `--bridge` wants it.
fn make_ready(
    promotion: &Promotion<'_>,
    candidate: Container,
    recipe: &Recipe,
    live: Option<&Container>,
) -> Result<Ready, Failure> {
    preflight::ports_free(promotion, recipe, live)?;
    let mode = promotion.args.bridge;
    let without = |candidate, why: &str| {
        stray::remove(&promotion.engine, promotion.live);
        let bridge = Err(why.to_owned());
        Ok(Ready { candidate, bridge })
    };
    let Some(live) = live.filter(|live| live.state.up()) else {
        return without(candidate, "nothing was live before");
    };
    if mode == BridgeMode::Off {
        return without(candidate, "--bridge off");
    }
    let means = Bridge::means(&promotion.engine, &candidate, &recipe.publish);
    if let (Err(why), BridgeMode::Require) = (&means, mode) {
        return Err(Failure::NoBridge(why.clone()));
    }
    let candidate = preflight::share_name(promotion, candidate, live)?;
    let bridge = means.and_then(|nft| build(promotion, nft, &candidate, recipe));
    if bridge.is_err() {
        stray::remove(&promotion.engine, promotion.live);
    }
    match (&bridge, mode) {
        (Err(why), BridgeMode::Require) => return Err(Failure::NoBridge(why.clone())),
        (Err(why), _) => warn(&format!(
            "promote: without a bridge the port is closed for a moment: {why}"
        )),
        (Ok(_), _) => progress(&format!(
            "promote: new connections go to {}",
            promotion.names.candidate
        )),
    }
    Ok(Ready { candidate, bridge })
}

/// After a crash nobody may be serving: a candidate that runs does at once.
pub(crate) fn serve_again(
    promotion: &Promotion<'_>,
    candidate: Option<&Container>,
    recipe: &Recipe,
) -> Result<Bridge, String> {
    if promotion.args.bridge == BridgeMode::Off {
        return Err("--bridge off".to_owned());
    }
    match candidate.filter(|candidate| candidate.state.up()) {
        Some(candidate) => Bridge::means(&promotion.engine, candidate, &recipe.publish)
            .and_then(|nft| build(promotion, nft, candidate, recipe)),
        None => Err("no candidate runs".to_owned()),
    }
}

fn build(
    promotion: &Promotion<'_>,
    nft: Nft,
    candidate: &Container,
    recipe: &Recipe,
) -> Result<Bridge, String> {
    let looking = promotion.args.looking(Some(recipe));
    let limit = promotion.args.drain;
    Bridge::build(
        nft,
        promotion.live,
        candidate,
        &recipe.publish,
        &looking,
        limit,
        &promotion.outside,
    )
}
