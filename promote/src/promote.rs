//! The promotion: the lock, the heir, where things stand, and the strategy that goes on from there.

use std::time::Duration;

use step::contract::failure::CommonFailure;
use step::contract::handoff::Handoff;
use step::engine::Engine;
use step::host::lock::Lock;
use step::model::name::Name;
use step::terminal::warn;

use crate::args::Args;
use crate::cgroup::Cgroup;
use crate::failure::Failure;
use crate::heir::{self, Heir, STEP};
use crate::promotion::{Killed, Promotion};
use crate::report::Report;
use crate::state::{self, State};
use crate::strategy;

pub(crate) fn run(args: &Args) -> Result<Report, Failure> {
    if args.common.swarm {
        return strategy::swarm::run(args);
    }
    let (_, live, _) = args.identity.known().map_err(CommonFailure::Usage)?;
    let engine = Engine::find(&args.common.engine)?;
    let lock = engine.lock(live, Duration::from_secs(1))?;
    let lock = lock.ok_or_else(|| Failure::Locked(live.to_string()))?;
    let killed = Killed {
        heir: heir::last_report(&lock),
        candidate_id: lock.unfinished(STEP),
    };
    let result = run_holding(args, &engine, &lock, killed);
    lock.note(STEP, "");
    result
}

/// Promotes, with the lock in hand.
pub(crate) fn run_holding(
    args: &Args,
    engine: &Engine,
    lock: &Lock,
    killed: Killed,
) -> Result<Report, Failure> {
    let (app, live, names) = args.identity.known().map_err(CommonFailure::Usage)?;
    let engine = engine.clone().holding(lock);
    let state = State::read(&engine, app, live).map_err(CommonFailure::from)?;
    let candidate_id = state::candidate_id(&state);
    if let Some(id) = &candidate_id {
        lock.note_work(STEP, id);
    }
    let heir = candidate_id.and_then(|id| leave_heir(args, live, id));
    let promotion = Promotion {
        killed,
        has_heir: heir.is_some(),
        cgroup: heir
            .as_ref()
            .map_or_else(Cgroup::default, |heir| heir.cgroup.clone()),
        ..Promotion::new(args, engine, app, live, names)
    };
    let result = match args.moved_alias() {
        Some(alias) => strategy::alias::run(&promotion, state, alias),
        None => strategy::port::run(&promotion, state),
    };
    if let Some(heir) = heir.filter(|_| keeps_candidate(&result))
        && !heir.keep(args.keep_connections)
    {
        warn(
            "promote: nobody ends the candidate when its clients have left, but the next deployment",
        );
    }
    result
}

/// Whether the candidate stays for its clients, also where the release is live and its gap was too long.
fn keeps_candidate(result: &Result<Report, Failure>) -> bool {
    let swap = match result {
        Ok(report) => report.swap.as_ref(),
        Err(Failure::GapTooLong { evidence, .. }) => evidence.swap.as_ref(),
        Err(_) => None,
    };
    swap.is_some_and(|it| it.kept.is_some())
}

/// From here on a kill leaves nothing half done.
fn leave_heir(args: &Args, live: &Name, candidate_id: String) -> Option<Heir> {
    let handoff = Handoff {
        candidate_id: Some(candidate_id),
        ..args.handoff.clone()
    };
    let unheard = |error| {
        warn(&format!(
            "promote: nobody takes over if this is killed: {error}"
        ));
    };
    Heir::leave(live, &handoff, &args.how.header)
        .map_err(unheard)
        .ok()
}
