//! The alias moves: both containers answer it for a moment, then the old one finishes and goes.

use std::thread;

use step::engine::container::Container;
use step::engine::error::EngineError;
use step::terminal::spinner::waiting;
use step::terminal::{progress, warn};

use super::error::SwapError;
use super::outcome::Outcome;
use super::{Swap, callers, cleanup, port, rollback, verify};
use crate::args::Alias;
use crate::bridge::carried::Forwarders;
use crate::bridge::error::NoBridge;
use crate::bridge::handover::Handover;
use crate::failure::Failure;
use crate::network;
use crate::promotion::Promotion;
use crate::traffic::connections::Connections;
use crate::traffic::drain::drain_ports;

/// From a candidate that was verified, whatever names it has got already.
pub(crate) fn run(mut swap: Swap<'_>, alias: Alias<'_>) -> Result<Outcome, Failure> {
    let moved = take_alias(&swap, alias)
        .and_then(|next| take_name(&swap, &next).map(|()| next))
        .and_then(|next| retire_old(&mut swap, &next, alias))
        .and_then(|()| cleanup::give_up_old(&mut swap, false));
    match moved {
        Ok(()) => Ok(cleanup::finish(swap)),
        Err(error) => Err(roll_back(swap, error, alias)),
    }
}

/// The final container is called by the alias as well and by all that the old one is called by, and is healthy where it
/// is called.
fn take_alias(swap: &Swap<'_>, alias: Alias<'_>) -> Result<Container, SwapError> {
    let next = swap.next_now()?;
    let places = callers::places_with(swap, alias);
    let given = network::give(&swap.promotion.engine, &next, &places)?;
    verify::on_its_address(swap)?;
    if !given {
        return Ok(next);
    }
    swap.next_now()
}

/// It gets its restart policy first: a first deployment that is killed here would never get it.
fn take_name(swap: &Swap<'_>, next: &Container) -> Result<(), SwapError> {
    let Promotion { engine, names, .. } = swap.promotion;
    let old = swap.old.as_ref().map(|old| &old.container);
    if old.is_some_and(|old| old.name() != names.old) {
        port::rename_old(swap)?;
    }
    swap.restart_policy().set(engine, &next.id)?;
    if next.name() != names.live {
        engine.rename(&next.id, &names.live)?;
    }
    Ok(())
}

/// The old container finishes its requests while new ones go past it, and ends.
fn retire_old(swap: &mut Swap<'_>, next: &Container, alias: Alias<'_>) -> Result<(), SwapError> {
    let Promotion {
        engine,
        args,
        names,
        live,
        ..
    } = swap.promotion;
    let old = swap.old.as_ref().map(|old| old.container.clone());
    let Some(old) = old.filter(|old| old.state.running) else {
        return retire_stopped(swap, next, alias);
    };
    let handover = Handover::open(engine, live, alias.network, &old, next);
    swap.waits.handed_over = Some(handover.as_ref().map(drop).map_err(NoBridge::to_string));
    if let Err(why) = &handover {
        let_it_be_known(swap.promotion, why);
    }
    verify::settle(swap)?;
    let (bound, forwarders) = (old.network_settings.bound(), Forwarders::of(live));
    let by_proxy = || forwarders.beside(&bound);
    let drained = drain_ports(&old, &ports_of(swap, &old), by_proxy, args.drain);
    swap.waits.drained = Some(drained);
    // From here on nothing else serves.
    verify::on_its_address(swap)?;
    progress(&format!("promote: stopping {}", names.old));
    let stop = || engine.stop(&old.id, args.grace(&old));
    stop().or_else(|_| stop())?;
    if let Ok(handover) = handover {
        handover.linger(engine, alias.network, args.linger);
    }
    verify::on_its_address(swap)
}

/// A promotion that was killed may have stopped it a moment ago.
fn retire_stopped(swap: &Swap<'_>, next: &Container, alias: Alias<'_>) -> Result<(), SwapError> {
    let Promotion {
        engine, args, live, ..
    } = swap.promotion;
    let old = swap.old.as_ref().map(|old| &old.container);
    let left = old.and_then(|old| Handover::adopt(engine, live, old, next));
    verify::settle(swap)?;
    if let Some(handover) = left {
        handover.linger(engine, alias.network, args.linger);
    }
    verify::on_its_address(swap)
}

/// One that has looked the alias up before it moved knows no container but the old one: it
/// must know the other as well before it can try again there.
fn let_it_be_known(promotion: &Promotion<'_>, why: &NoBridge) {
    warn(&format!(
        "promote: {} is called until it ends, and who calls must try again: {why}",
        promotion.names.old
    ));
    let _wait = waiting("promote: the new address is getting known");
    thread::sleep(promotion.args.linger);
}

/// All ports on which the container may be called.
fn ports_of(swap: &Swap<'_>, container: &Container) -> Vec<u16> {
    let config = swap.promotion.args.probe_config(Some(&swap.recipe));
    let bound = container.network_settings.bound();
    let bound = bound.iter().map(|publish| publish.container);
    let exposed = container.config.exposed();
    bound.chain(exposed).chain(config.probe.port).collect()
}

/// Undoes the move and tells how that went.
pub(crate) fn roll_back(mut swap: Swap<'_>, mut error: SwapError, alias: Alias<'_>) -> Failure {
    progress(&format!("promote: rolling back: {}", error.message));
    let restored = give_back_name(&swap).or_else(|_| give_back_name(&swap));
    let undone = restored
        .and_then(|()| rollback::verify_restored(&swap))
        .and_then(|()| give_back_alias(&swap, alias));
    error.evidence.swap = swap.seen();
    let undone = undone.map_err(|why| (why, manual_commands(&swap)));
    rollback::into_failure(&swap, error, undone)
}

fn manual_commands(swap: &Swap<'_>) -> String {
    let Promotion { engine, names, .. } = swap.promotion;
    let found = engine.container(&names.live).ok().flatten();
    let named = found.is_some_and(|found| Some(&found.id) == swap.next.as_ref());
    let away = named.then(|| format!("docker rename {} {}", names.live, names.candidate));
    let stop = format!("docker stop {}", names.candidate);
    let steps: Vec<String> = away
        .into_iter()
        .chain(rollback::commands_for_old(swap))
        .chain([stop])
        .collect();
    format!(
        "run promote again with the same flags, which resumes from what it finds; or by hand: {}",
        steps.join(" && ")
    )
}

fn give_back_name(swap: &Swap<'_>) -> Result<(), String> {
    let Promotion { engine, names, .. } = swap.promotion;
    let said = |error: EngineError| error.to_string();
    if let Some(next) = swap.next_if_there().map_err(said)? {
        if next.host_config.restart_policy.restarts() {
            engine.set_restart(&next.id, "no").map_err(said)?;
        }
        if next.name() == names.live {
            engine.rename(&next.id, &names.candidate).map_err(said)?;
        }
    }
    rollback::restore_old(swap)
}

/// It finishes what it has begun to answer. One that cannot lose the alias must not run.
fn give_back_alias(swap: &Swap<'_>, alias: Alias<'_>) -> Result<(), String> {
    let Promotion {
        engine, args, live, ..
    } = swap.promotion;
    let said = |error: EngineError| error.to_string();
    let Some(next) = swap.next_if_there().map_err(said)? else {
        return Ok(());
    };
    let old = swap.old.as_ref();
    let old = old.map(|old| engine.container(&old.container.id));
    let old = old.transpose().map_err(said)?.flatten();
    let handover = old
        .filter(|_| next.state.up())
        .map(|old| Handover::open(engine, live, alias.network, &next, &old));
    if matches!(handover, Some(Ok(_))) {
        let uncarried = || Ok(Connections::default());
        drain_ports(&next, &ports_of(swap, &next), uncarried, args.drain);
    }
    let taken = network::take_back(engine, &next);
    let gone = taken.or_else(|_| engine.stop(&next.id, args.grace(&next)));
    if let Some(Ok(handover)) = handover {
        handover.linger(engine, alias.network, args.linger);
    }
    gone.map_err(said)
}
