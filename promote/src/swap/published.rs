//! The final container's published ports: each at its own address, and one as clients reach it.

use std::thread;
use std::time::{Duration, Instant};

use step::engine::container::Container;
use step::health::ProbeConfig;
use step::health::poll::{await_health, probe_once};
use step::health::target::{By, Target};
use step::health::{Probed, RetryPolicy, Unhealthy};
use step::terminal::spinner::waiting;
use step::terminal::warn;

use super::Swap;
use super::error::SwapError;
use super::verify::judge;
use crate::failure::Evidence;
use crate::promotion::Promotion;
use crate::traffic::monitor::answers;
use crate::traffic::watched::{Watched, takes};

/// How long the final container may take to answer through the host port once it is healthy.
const PORT_WITHIN: Duration = Duration::from_secs(3);
/// Between two calls of a port that is not open yet.
const PAUSE: Duration = Duration::from_millis(20);

/// The old container, started again, takes connections on all ports again. It is asked to as long as the candidate
/// serves its clients meanwhile.
pub(super) fn as_before(swap: &Swap<'_>) {
    let Promotion { engine, args, .. } = swap.promotion;
    let Some(old) = swap.old.as_ref().filter(|_| swap.link.bridge().is_some()) else {
        return;
    };
    let Ok(Some(now)) = engine.container(&old.container.id) else {
        return;
    };
    let end = Instant::now() + args.within;
    for port in &old.open {
        while !takes(&now, *port) {
            if Instant::now() > end {
                warn(&format!(
                    "promote: {} takes no connection on its port {port}, as it did before",
                    now.name()
                ));
                break;
            }
            thread::sleep(PAUSE);
        }
    }
}

/// Each published port on which the candidate takes connections is one on which the final container does, before `end`:
/// until then clients of the port go to the candidate. One that opens late is not seen by asking for health.
///
/// Only what the candidate had open beside the live container is waited for. What it opens when that has ended may need
/// a lock, which the final container cannot have yet. Without a bridge the wait would serve nobody.
pub(super) fn as_the_candidate(swap: &Swap<'_>, end: Instant) -> Result<(), SwapError> {
    let engine = &swap.promotion.engine;
    let config = swap.promotion.args.probe_config(Some(&swap.recipe));
    let mut further = further(swap, &config);
    further.retain(|port| swap.sight.open.contains(port) && !swap.link.is_off());
    let Some(candidate) = swap.candidate.as_ref().filter(|_| !further.is_empty()) else {
        return Ok(());
    };
    // Its address is another's once it has ended.
    let candidate = engine.container(&candidate.id)?;
    let Some(candidate) = candidate.filter(|it| it.state.up()) else {
        return Ok(());
    };
    let next = swap.next_now()?;
    for port in further {
        let config = config.connecting(port);
        let at = |of: &Container| Target::container(of, &config, By::OwnAddress);
        let (Ok(there), Ok(here)) = (at(&candidate), at(&next)) else {
            continue;
        };
        if probe_once(&there).is_err() {
            continue;
        }
        let _wait = waiting(format!(
            "promote: waiting for {} at {}",
            next.name(),
            here.shown
        ));
        let left = end.saturating_duration_since(Instant::now());
        let opened = await_health(Some(engine), &here, &RetryPolicy::of(left));
        judge_open(swap, &next, port, opened)?;
    }
    Ok(())
}

/// What the wait for the port has come to.
fn judge_open(
    swap: &Swap<'_>,
    next: &Container,
    port: u16,
    opened: Result<Probed, Unhealthy>,
) -> Result<(), SwapError> {
    let Err(Unhealthy::NotInTime(proof)) = opened else {
        return judge(swap, next, opened);
    };
    let message = format!(
        "the final container is healthy, but takes no connection on its port {port}, as the candidate does: {}",
        proof.saw()
    );
    Err(SwapError::unhealthy(message, Evidence::of(proof.last)))
}

/// The container's published TCP ports behind which nothing was asked over the network.
fn further(swap: &Swap<'_>, config: &ProbeConfig) -> Vec<u16> {
    let asked = swap.recipe.asked(&config.probe);
    let asked = asked.filter(|_| !config.is_inside());
    let ports = swap.recipe.tcp().into_iter().map(|it| it.container);
    let mut further: Vec<u16> = ports.filter(|it| Some(*it) != asked).collect();
    further.sort_unstable();
    further.dedup();
    further
}

/// New connections go to the final container, which answers through the host port as well.
pub(super) fn through_the_host(swap: &Swap<'_>) -> Result<(), SwapError> {
    swap.close_bridge(swap.next.as_deref())?;
    let config = swap.promotion.args.probe_config(Some(&swap.recipe));
    let Some(watched) = Watched::of(&swap.recipe, &config) else {
        if let Some(publish) = swap.recipe.tcp().first() {
            warn(&format!(
                "promote: nobody has called the final container through {publish}: this host does not have the address now"
            ));
        }
        return Ok(());
    };
    let Err(proof) = answers(&watched.target(), PORT_WITHIN) else {
        return Ok(());
    };
    let was_open = swap.sight.open.contains(&watched.publish.container);
    if watched.config.only_connects() && !was_open && !takes_connections(swap, &watched)? {
        // Nor did the candidate.
        return Ok(());
    }
    let message = format!(
        "the final container is healthy, but not through the host port {}: {}",
        watched.publish.host,
        proof.saw()
    );
    Err(SwapError::unhealthy(message, Evidence::of(proof.last)))
}

/// Whether the final container takes connections on this port at its own address.
fn takes_connections(swap: &Swap<'_>, watched: &Watched) -> Result<bool, SwapError> {
    let config = watched.config.connecting(watched.publish.container);
    let own = Target::container(&swap.next_now()?, &config, By::OwnAddress);
    Ok(own.is_ok_and(|own| probe_once(&own).is_ok()))
}
