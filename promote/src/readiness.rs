//! Making the candidate ready to serve in the live container's place.

use step::{Condition, Container, Recipe, both, interrupted, progress, warn};

use crate::alias;
use crate::args::BridgeMode;
use crate::bridge::{self, Bridge};
use crate::failure::Failure;
use crate::preflight;
use crate::promote::Promotion;
use crate::replacement;

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
        let wanted = ready.and_then(|ready| self.still_wanted().map(|()| ready));
        match (wanted, next) {
            (Ok(ready), Ok(next)) => Ok((ready, next)),
            (Ok(_), Err(failure)) => Err(self.leave_as_before(&before, None, failure)),
            (Err(failure), next) => {
                Err(self.leave_as_before(&before, next.ok().as_deref(), failure))
            }
        }
    }

    /// Nothing was touched that cannot be put back: the new container goes, and so does the name
    /// that the candidate has been given.
    fn leave_as_before(
        &self,
        candidate: &Container,
        next: Option<&str>,
        failure: Failure,
    ) -> Failure {
        let removed = next.map_or(Ok(()), |next| self.engine.remove_with_volumes(&[next]));
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
        bridge::remove_stray(&promotion.engine, promotion.live);
        let bridge = Err(why.to_owned());
        Ok(Ready { candidate, bridge })
    };
    let Some(live) = live.filter(|live| live.state.up()) else {
        return without(candidate, "nothing was live before");
    };
    if mode == BridgeMode::Off {
        return without(candidate, "--bridge off");
    }
    let candidate = preflight::share_name(promotion, candidate, live)?;
    let bridge = build(promotion, &candidate, recipe);
    if bridge.is_err() {
        bridge::remove_stray(&promotion.engine, promotion.live);
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
        Some(candidate) => build(promotion, candidate, recipe),
        None => Err("no candidate runs".to_owned()),
    }
}

fn build(
    promotion: &Promotion<'_>,
    candidate: &Container,
    recipe: &Recipe,
) -> Result<Bridge, String> {
    if recipe.publish.is_empty() {
        return Err("no port is published".to_owned());
    }
    let looking = promotion.args.looking(Some(recipe));
    Bridge::build(
        &promotion.engine,
        promotion.live,
        candidate,
        &recipe.publish,
        &looking,
    )
}
