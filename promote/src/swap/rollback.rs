//! Undoing a swap: the old container gets its ports and its name back.
//!
//! The order has the port answer soonest. The candidate serves through the bridge, if there is one, until the old
//! container is healthy. Only then does the bridge go. If the rollback fails, the bridge stays: the candidate is all
//! that serves, and the failure has the commands for a person.
//!
//! An engine may fail here as well. So what is done already is left as it is, and all is tried a second time. Docker 29
//! forgets the networks of a container whose start failed, and then starts it without any: they are put back before
//! each start.

use std::thread;
use std::time::{Duration, Instant};

use step::engine::container::Container;
use step::engine::error::EngineError;
use step::host::nft::Nft;
use step::ownership::marks::secrets_of;
use step::recipe::Condition;
use step::terminal::{progress, warn};

use super::cleanup::Then;
use super::error::{Kind, SwapError};
use super::link::Link;
use super::{Swap, cleanup, published, verify};
use crate::bridge::Bridge;
use crate::failure::Failure;
use crate::network;
use crate::promotion::Promotion;

/// Between two queries whether a container is gone.
const PAUSE: Duration = Duration::from_millis(50);

/// Undoes the swap and tells how that went.
pub(super) fn run(mut swap: Swap<'_>, mut error: SwapError) -> Failure {
    progress(&format!("promote: rolling back: {}", error.message));
    // Whatever was verified on the port did not hold: until the old one serves, the candidate does.
    if swap.link.bridge().is_some_and(Bridge::reopen) {
        drain_next(&swap);
    }
    let bridged = matches!(swap.link, Link::Open(_));
    // Nothing comes after it, so what the engine did not do is asked for once more.
    let restored = restore(&swap).or_else(|_| restore(&swap));
    let undone = restored
        .and_then(|()| verify_restored(&swap))
        .and_then(|()| {
            published::as_before(&swap);
            close_bridge(&swap)
        });
    end_bridge(&mut swap, undone.is_ok());
    error.evidence.swap = swap.seen();
    let undone = undone.map_err(|why| (why, manual_commands(&swap, &error, bridged)));
    into_failure(&swap, error, undone)
}

/// The final container answers what clients have asked it while they were redirected to it, if it can.
fn drain_next(swap: &Swap<'_>) {
    let Ok(next) = swap.next_now() else {
        return;
    };
    let drained = swap.drain(&next);
    swap.await_answers(&next);
    // It may work on what it has accepted. One that hangs would not end by itself either.
    if drained.in_flight == 0 {
        cleanup::stop_gracefully(swap.promotion, &next);
    }
}

/// The failure that the error becomes: undone, or why it could not be and what a person is to run.
pub(super) fn into_failure(
    swap: &Swap<'_>,
    mut error: SwapError,
    undone: Result<(), (String, String)>,
) -> Failure {
    match undone {
        Ok(()) => {
            let live = &swap.promotion.names.live;
            match &swap.old {
                Some(old) if old.was_up() => error.evidence.rolled_back_to = Some(live.clone()),
                Some(_) => error.evidence.down_as_before = Some(live.clone()),
                None => {}
            }
            error.undone()
        }
        Err((why, commands)) => Failure::RollbackFailed {
            message: error.message,
            why,
            commands,
            evidence: error.evidence,
        },
    }
}

fn close_bridge(swap: &Swap<'_>) -> Result<(), String> {
    let old = swap.old.as_ref().map(|old| old.container.id.as_str());
    swap.close_bridge(old).map_err(|why| why.to_string())
}

/// The new one goes, the old one is started and named, in the order that has the port answer
/// soonest; what is done already is left as it is.
fn restore(swap: &Swap<'_>) -> Result<(), String> {
    if let Some(next) = &swap.next {
        remove_next(swap.promotion, next).map_err(|error| error.to_string())?;
    }
    restore_old(swap)
}

/// The old container runs, if it did before, and has its name.
pub(super) fn restore_old(swap: &Swap<'_>) -> Result<(), String> {
    let Promotion { engine, names, .. } = swap.promotion;
    let said = |error: EngineError| error.to_string();
    let Some(old) = &swap.old else {
        return Ok(());
    };
    let before = &old.container;
    let now = engine.container(&before.id).map_err(said)?;
    let now = now.ok_or_else(|| format!("{} does not exist any more", names.old))?;
    if old.was_up() && !now.state.running {
        network::rejoin(engine, before, &now).map_err(said)?;
        let reply = engine.start(&before.id).map_err(said)?;
        if reply.code != Some(0) {
            return Err(format!(
                "{} does not start: {}{}",
                names.old,
                secrets_of(before).show(&reply.stderr, 300),
                held_for_nobody(&reply.stderr)
            ));
        }
    }
    if now.name() != names.live {
        engine.rename(&before.id, &names.live).map_err(said)?;
    }
    Ok(())
}

/// An engine that was given up removes it all the same, and says so when it is asked again.
fn remove_next(promotion: &Promotion<'_>, next: &str) -> Result<(), EngineError> {
    let Promotion { engine, args, .. } = promotion;
    let end = Instant::now() + args.usual_grace();
    let removed = engine.remove_with_volumes(&[next]);
    while removed.is_err() && engine.container(next)?.is_some() {
        if Instant::now() > end {
            return removed;
        }
        thread::sleep(PAUSE);
    }
    Ok(())
}

pub(super) fn verify_restored(swap: &Swap<'_>) -> Result<(), String> {
    let old = swap.old.as_ref();
    let old = old.filter(|old| old.was == Condition::Healthy);
    old.map_or(Ok(()), |old| verify::old(swap, &old.container.id))
}

/// The candidate finishes what it has begun to answer; without an old container it goes on serving.
fn end_bridge(swap: &mut Swap<'_>, old_serves: bool) {
    if !old_serves {
        swap.link.take().into_iter().for_each(Bridge::leave);
        return;
    }
    if swap.link.bridge().is_none() && !swap.candidate_has_name() {
        return;
    }
    let staying = swap.old.as_ref().map(|old| old.container.id.clone());
    cleanup::drain_candidate(swap, staying.as_deref(), Then::RunsOn);
    drop(swap.link.take());
}

fn manual_commands(swap: &Swap<'_>, error: &SwapError, bridged: bool) -> String {
    let next = swap.next.as_ref();
    let remove = next.map_or_else(String::new, |id| format!("docker rm -f {id}; "));
    let rules = Nft::table(swap.promotion.live);
    let unbridge = bridged.then(|| format!("nft delete table inet {rules}"));
    let steps: Vec<String> = commands_for_old(swap).into_iter().chain(unbridge).collect();
    let first = match &error.kind {
        Kind::PortTaken(taken) => format!("free the host port {}, then ", taken.port),
        Kind::NotStarted | Kind::Unhealthy | Kind::NoBridge(_) => String::new(),
    };
    format!(
        "{first}run promote again, which resumes from what it finds; or by hand: {remove}{steps}",
        steps = steps.join(" && "),
    )
}

/// The commands that have the old container run under its name, each only of use after the one before it. Whatever
/// the engine forgets when a start fails is put back now, and may be forgotten once more by the next one that fails.
pub(super) fn commands_for_old(swap: &Swap<'_>) -> Vec<String> {
    let Promotion { engine, names, .. } = swap.promotion;
    let Some(old) = swap.old.as_ref().map(|old| &old.container) else {
        return Vec::new();
    };
    let now = engine.container(&old.id).ok().flatten();
    let name = now.as_ref().map_or(names.old.as_str(), Container::name);
    let mut steps = Vec::new();
    if let Some(now) = &now {
        steps = network::rejoin_commands(old, now);
        if let Err(error) = network::rejoin(engine, old, now) {
            warn(&format!("promote: {name} has lost its networks: {error}"));
        }
    }
    steps.push(format!("docker start {name}"));
    if name != names.live {
        steps.push(format!("docker rename {name} {}", names.live));
    }
    steps
}

/// A Docker Engine whose power failed while it started a container keeps that container's port after its boot. Its proxy
/// listens there, and neither another start nor another promotion helps.
fn held_for_nobody(stderr: &str) -> &'static str {
    if stderr.contains("port is already allocated") {
        "; if no container has the port, the engine keeps it since a power cut: systemctl restart docker"
    } else {
        ""
    }
}
