//! Verifies the final container on its own address, at once and while it settles; and the old one after a rollback.

use std::thread;
use std::time::{Duration, Instant};

use step::engine::container::Container;
use step::engine::summary::Crash;
use step::health::poll::await_health;
use step::health::target::{By, Target};
use step::health::{Attempt, Probed, RetryPolicy, Unhealthy};
use step::ownership::marks::{recipe_of, secrets_of};
use step::terminal::spinner::waiting;

use super::Swap;
use super::error::SwapError;
use crate::failure::Evidence;
use crate::promotion::Promotion;

/// How long the final container may be sick while it settles: a busy app may miss one probe.
const SICK_FOR: Duration = Duration::from_secs(1);
/// Between two probes while it settles.
const PROBE_EVERY: Duration = Duration::from_millis(250);

/// The final container is healthy on its own address.
pub(super) fn on_its_address(swap: &Swap<'_>) -> Result<(), SwapError> {
    let Promotion { engine, args, .. } = swap.promotion;
    let (next, target) = own_target(swap)?;
    let _wait = waiting(format!(
        "promote: waiting for {} at {}",
        next.name(),
        target.shown
    ));
    let probed = await_health(Some(engine), &target, &args.patience());
    judge(swap, &next, probed)
}

/// The final container, and its own address.
fn own_target(swap: &Swap<'_>) -> Result<(Container, Target), SwapError> {
    let next = swap.next_now()?;
    let config = swap.promotion.args.probe_config(Some(&swap.recipe));
    let target = Target::container(&next, &config, By::OwnAddress);
    let target = target.map_err(|why| unhealthy(swap, &next, &why, None, Vec::new()))?;
    Ok((next, target))
}

/// What the wait for its health has come to.
pub(super) fn judge(
    swap: &Swap<'_>,
    next: &Container,
    probed: Result<Probed, Unhealthy>,
) -> Result<(), SwapError> {
    match probed {
        Ok(_) => Ok(()),
        Err(Unhealthy::Engine(error)) => Err(error.into()),
        Err(Unhealthy::Gone | Unhealthy::Interrupted) => Err(SwapError::vanished()),
        Err(Unhealthy::Crashed(crash, last)) => {
            Err(unhealthy(swap, next, "it ended", Some(crash), last))
        }
        Err(Unhealthy::NotInTime(proof)) => {
            let why = format!("the last attempt saw: {}", proof.saw());
            Err(unhealthy(swap, next, &why, None, proof.last))
        }
    }
}

/// The final container stays healthy for as long as `--settle` says.
pub(super) fn settle(swap: &Swap<'_>) -> Result<(), SwapError> {
    let Promotion { engine, args, .. } = swap.promotion;
    if args.settle.is_zero() {
        return Ok(());
    }
    let _wait = waiting(format!("promote: watching it for {:?}", args.settle));
    let (next, target) = own_target(swap)?;
    let end = Instant::now() + args.settle;
    while Instant::now() < end {
        thread::sleep(PROBE_EVERY);
        let probed = await_health(Some(engine), &target, &RetryPolicy::of(SICK_FOR));
        judge(swap, &next, probed)?;
    }
    Ok(())
}

fn unhealthy(
    swap: &Swap<'_>,
    next: &Container,
    why: &str,
    crash: Option<Crash>,
    last_attempts: Vec<Attempt>,
) -> SwapError {
    let engine = &swap.promotion.engine;
    let evidence = Evidence {
        crash,
        last_attempts,
        log: engine.log_tail(&next.id, 20, &secrets_of(next)),
        ..Evidence::default()
    };
    SwapError::unhealthy(
        format!("the final container was not healthy: {why}"),
        evidence,
    )
}

/// The old container, started again, is healthy.
pub(super) fn old(swap: &Swap<'_>, id: &str) -> Result<(), String> {
    let Promotion {
        engine,
        args,
        names,
        ..
    } = swap.promotion;
    // A rollback does not end with one answer that did not come.
    let old = engine.container(id).or_else(|_| engine.container(id));
    let old = old.map_err(|error| error.to_string())?;
    let old = old.ok_or_else(|| format!("{} does not exist any more", names.live))?;
    let recipe = recipe_of(&old);
    let config = args.probe_config(recipe.as_ref().or(Some(&swap.recipe)));
    let target = Target::container(&old, &config, By::OwnAddress)?;
    let _wait = waiting(format!("promote: waiting for {} again", names.live));
    let healthy = await_health(Some(engine), &target, &args.patience());
    healthy
        .map(drop)
        .map_err(|_| format!("{} runs again but is not healthy", names.live))
}
