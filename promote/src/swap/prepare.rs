//! Before the swap: the candidate is made ready to serve, and the final container is created.

use step::engine::container::Container;
use step::host::nft::Nft;
use step::join::both;
use step::model::port::{Protocol, Publish};
use step::recipe::Recipe;
use step::signals::interrupted;
use step::terminal::{progress, warn};

use super::link::warn_of_gap;
use super::{Old, create};
use crate::args::BridgeMode;
use crate::bridge::carried::Forwarders;
use crate::bridge::error::NoBridge;
use crate::bridge::opening::Sides;
use crate::bridge::{Bridge, redirect, stale};
use crate::failure::Failure;
use crate::network;
use crate::preflight;
use crate::promotion::Promotion;

/// A candidate that may serve: with a bridge to it, or the reason why there is none.
pub(crate) struct Ready {
    pub(crate) candidate: Container,
    pub(crate) bridge: Result<Bridge, NoBridge>,
}

/// The candidate ready to serve, and the full id of the final container; on a failure neither.
pub(crate) fn run(
    promotion: &Promotion<'_>,
    candidate: Container,
    recipe: &Recipe,
    old: Option<&Old>,
) -> Result<(Ready, String), Failure> {
    let (before, beside) = (candidate.clone(), promotion.clone());
    let (verified, live) = (&before, old.map(|old| &old.container));
    let (ready, next) = both(
        || make_ready(promotion, candidate, recipe, live),
        move || create::verified(&beside, recipe, verified, old),
    );
    let (ready, next, failure) = match (ready, next, still_wanted(promotion)) {
        (Ok(ready), Ok(next), Ok(())) => return Ok((ready, next)),
        (Err(failure), next, _) => (None, next.ok(), failure),
        (Ok(ready), Err(failure), _) => (Some(ready), None, failure),
        (Ok(ready), Ok(next), Err(failure)) => (Some(ready), Some(next), failure),
    };
    let bridge = ready.and_then(|ready| stand_down(ready, live));
    leave_as_before(promotion, &before, recipe, bridge, next.as_deref());
    Err(failure)
}

/// Nobody is redirected to the candidate any more. Clients that call it by the app's name go to the live container.
fn stand_down(ready: Ready, live: Option<&Container>) -> Option<Bridge> {
    let Ready { candidate, bridge } = ready;
    let mut bridge = bridge.ok()?;
    if let Err(why) = bridge.close() {
        warn(&format!("promote: {why}"));
    }
    if let Some(live) = live
        && network::is_known_as(&candidate, live.name())
    {
        bridge.redirect_name(redirect::by_name(&candidate, live, live.name()));
    }
    Some(bridge)
}

/// Nothing was touched that cannot be put back: the final container goes, and so do the names
/// that the candidate has been given.
fn leave_as_before(
    promotion: &Promotion<'_>,
    candidate: &Container,
    recipe: &Recipe,
    bridge: Option<Bridge>,
    next: Option<&str>,
) {
    let Promotion { engine, args, .. } = promotion;
    let removed = next.map_or(Ok(()), |next| engine.remove_with_volumes(&[next]));
    // It answers what it was asked before it is taken off its network.
    Forwarders::of(promotion.live).drain(candidate, &recipe.tcp(), args.drain);
    let now = engine.container(&candidate.id);
    let returned = now.and_then(|now| now.map_or(Ok(()), |now| network::take_back(engine, &now)));
    for error in [removed, returned].into_iter().filter_map(Result::err) {
        warn(&format!("promote: not all is as before: {error}"));
    }
    drop(bridge);
}

fn still_wanted(promotion: &Promotion<'_>) -> Result<(), Failure> {
    if interrupted() {
        Err(Failure::Interrupted(promotion.names.live.clone()))
    } else {
        Ok(())
    }
}

/// Sees that the ports can be had, gives the candidate the app's names and opens the bridge to
/// it, as far as `--bridge` wants it.
fn make_ready(
    promotion: &Promotion<'_>,
    candidate: Container,
    recipe: &Recipe,
    live: Option<&Container>,
) -> Result<Ready, Failure> {
    preflight::ports_free(promotion, recipe, live)?;
    let mode = promotion.args.bridge;
    let without = |candidate, why| {
        stale::remove(&promotion.engine, promotion.live);
        let bridge = Err(why);
        Ok(Ready { candidate, bridge })
    };
    let Some(live) = live.filter(|live| live.state.up()) else {
        return without(candidate, NoBridge::NothingLive);
    };
    if mode == BridgeMode::Off {
        return without(candidate, NoBridge::Unwanted);
    }
    let led = led(&candidate, recipe);
    if let Some(other) = recipe.publish.iter().find(|it| !led.contains(it)) {
        warn(&format!(
            "promote: the port {other} is closed for a moment: only TCP is redirected, and UDP that the candidate publishes"
        ));
    }
    let plan = required(mode, Bridge::plan(&promotion.engine, &candidate, &led))?;
    let candidate = preflight::share_names(promotion, candidate, recipe, live)?;
    let bridge = plan.and_then(|nft| open(promotion, nft, Some(live), &candidate, recipe));
    if bridge.is_err() {
        stale::remove(&promotion.engine, promotion.live);
    }
    let bridge = required(mode, bridge)?;
    match &bridge {
        Err(why) => warn_of_gap(why),
        Ok(_) => progress(&format!(
            "promote: new connections go to {}",
            promotion.names.candidate
        )),
    }
    Ok(Ready { candidate, bridge })
}

/// The bridge, or why there is none; a failure where there must be one.
fn required<T>(
    mode: BridgeMode,
    bridge: Result<T, NoBridge>,
) -> Result<Result<T, NoBridge>, Failure> {
    match bridge {
        Err(why) if mode == BridgeMode::Require => {
            let evidence = Box::default();
            Err(Failure::NoBridge { why, evidence })
        }
        bridge => Ok(bridge),
    }
}

/// After a crash nobody may be serving: a candidate that runs does at once.
pub(crate) fn serve_again(
    promotion: &Promotion<'_>,
    candidate: Option<&Container>,
    recipe: &Recipe,
) -> Result<Bridge, NoBridge> {
    if promotion.args.bridge == BridgeMode::Off {
        return Err(NoBridge::Unwanted);
    }
    match candidate.filter(|candidate| candidate.state.up()) {
        Some(candidate) => Bridge::plan(&promotion.engine, candidate, &led(candidate, recipe))
            .and_then(|nft| open(promotion, nft, None, candidate, recipe)),
        None => Err(NoBridge::NoCandidate),
    }
}

/// The ports whose clients a bridge can lead.
fn led(candidate: &Container, recipe: &Recipe) -> Vec<Publish> {
    [recipe.tcp(), datagrams(candidate, recipe)].concat()
}

/// Its UDP ports that the candidate publishes as well. An engine may let nothing else pass to it.
fn datagrams(candidate: &Container, recipe: &Recipe) -> Vec<Publish> {
    let open = candidate.network_settings.bound_for(Protocol::Udp);
    let is_open = |it: &Publish| open.iter().any(|open| open.container == it.container);
    recipe.udp().into_iter().filter(is_open).collect()
}

fn open(
    promotion: &Promotion<'_>,
    nft: Nft,
    live: Option<&Container>,
    candidate: &Container,
    recipe: &Recipe,
) -> Result<Bridge, NoBridge> {
    let mut config = promotion.args.probe_config(Some(recipe));
    // Not at all ports where none is named.
    config.probe.port = recipe.asked(&config.probe);
    let limit = promotion.args.drain;
    let sides = Sides {
        container: promotion.live,
        live,
        candidate,
        publish: &recipe.tcp(),
        datagrams: &datagrams(candidate, recipe),
    };
    let (engine, cgroup) = (&promotion.engine, &promotion.cgroup);
    Bridge::open(nft, engine, &sides, &config, limit, cgroup)
}
