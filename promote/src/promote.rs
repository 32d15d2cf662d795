//! The promotion: where things stand, what is to be done from there, and the report.

use std::time::Duration;

use serde_json::Value;
use step::{
    Baton, Condition, Container, Engine, EngineError, Lock, Name, Names, Previous, Recipe,
    no_way_back, progress, warn,
};

use crate::alias;
use crate::already::{is_made_from, made_from_of};
use crate::args::Args;
use crate::failure::Failure;
use crate::heir::{self, Heir};
use crate::outside::Outside;
use crate::preflight;
use crate::readiness::{Ready, serve_again};
use crate::report::Report;
use crate::situation::{Course, Situation};
use crate::stray;
use crate::swap::Swapping;
use crate::swarm;

/// One promotion of one app.
#[derive(Clone)]
pub(crate) struct Promotion<'a> {
    pub(crate) args: &'a Args,
    pub(crate) engine: Engine,
    pub(crate) app: &'a Name,
    pub(crate) live: &'a Name,
    pub(crate) names: Names,
    /// What is known of the promotion before, which was killed.
    pub(crate) killed: Killed,
    /// Where its helpers outlive the unit in which it runs.
    pub(crate) outside: Outside,
}

/// What a promotion that was killed has left in the lock file.
#[derive(Default, Clone)]
pub(crate) struct Killed {
    /// What its heir reported.
    pub(crate) heir: Option<Value>,
    /// The candidate it promoted, where no heir reported anything.
    pub(crate) candidate_id: Option<String>,
}

pub(crate) fn run(args: &Args) -> Result<Report, Failure> {
    if args.common.swarm {
        return swarm::run(args);
    }
    let (_, live, _) = args.identity.known().map_err(Failure::Usage)?;
    let lock = Lock::take(live, Duration::from_secs(1)).map_err(Failure::NoLock)?;
    let lock = lock.ok_or_else(|| Failure::Locked(live.to_string()))?;
    let killed = Killed {
        heir: heir::word(&lock),
        candidate_id: lock.unfinished(),
    };
    lock.note_at_work().map_err(Failure::NoLock)?;
    let result = run_holding(args, &lock, killed);
    lock.note("").map_err(Failure::NoLock)?;
    result
}

/// Promotes, with the lock in hand.
pub(crate) fn run_holding(args: &Args, lock: &Lock, killed: Killed) -> Result<Report, Failure> {
    let (app, live, names) = args.identity.known().map_err(Failure::Usage)?;
    let engine = Engine::find(&args.common.engine)?.holding(lock);
    let mut promotion = Promotion {
        args,
        engine,
        app,
        live,
        names,
        killed,
        outside: Outside::default(),
    };
    let situation = Situation::read(&promotion.engine, &promotion.names)?;
    let candidate_id = situation.candidate_id();
    if let Some(id) = &candidate_id {
        lock.note_work_on(id).map_err(Failure::NoLock)?;
    }
    let heir = promotion.leave_heir(candidate_id);
    if let Some(heir) = &heir {
        promotion.outside = heir.outside.clone();
    }
    if let Some(calling) = args.calling() {
        return promotion.by_alias(situation, calling);
    }
    match situation.course() {
        Course::Begin => promotion.begin(situation),
        Course::CarryOn => promotion.carry_on(situation),
        Course::Finish if situation.is_by_alias() => Err(Failure::NoCandidate(format!(
            "an unfinished promotion of {} was begun with --network and --alias: give them again",
            promotion.names.live
        ))),
        Course::Finish => promotion.finish(situation),
    }
}

impl Promotion<'_> {
    /// From here on a kill leaves nothing half done.
    fn leave_heir(&self, candidate_id: Option<String>) -> Option<Heir> {
        let baton = Baton {
            candidate_id: Some(candidate_id?),
            ..self.args.baton.clone()
        };
        let heir = Heir::leave(self.live, &baton);
        heir.map_err(|error| {
            warn(&format!(
                "promote: nobody takes over if this is killed: {error}"
            ))
        })
        .ok()
    }

    /// From now on the engine starts it again, as `--restart` says.
    pub(crate) fn keep_up(&self, id: &str) -> Result<(), EngineError> {
        match self.args.restart.as_str() {
            "no" => Ok(()),
            policy => self.engine.set_restart(id, policy).or_else(|error| {
                // One that could not get it later was made with it.
                let found = self.engine.container(id)?;
                let has = found.is_some_and(|it| it.host_config.restart_policy.name == policy);
                has.then_some(()).ok_or(error)
            }),
        }
    }

    fn begin(&self, situation: Situation) -> Result<Report, Failure> {
        if situation.candidate.is_none() {
            stray::remove(&self.engine, self.live);
        }
        self.with_candidate(situation, |live, candidate| self.replace(live, candidate))
    }

    /// Goes on with what is live and the candidate to promote; or tells that there is nothing left to do.
    pub(crate) fn with_candidate(
        &self,
        situation: Situation,
        go_on: impl FnOnce(Option<Container>, Container) -> Result<Report, Failure>,
    ) -> Result<Report, Failure> {
        if let Some(stray) = &situation.next {
            self.engine.remove_with_volumes(&[&stray.id])?;
        }
        let Situation {
            live, candidate, ..
        } = situation;
        let Some(candidate) = candidate else {
            return self.nothing_to_promote(live);
        };
        if let Some(live) = live
            .as_ref()
            .filter(|live| is_made_from(live, &candidate.id))
        {
            return self.clear_candidate(live, &candidate);
        }
        preflight::not_overtaken(&candidate, live.as_ref())?;
        go_on(live, candidate)
    }

    fn replace(&self, live: Option<Container>, candidate: Container) -> Result<Report, Failure> {
        let candidate = alias::put_back(&self.engine, candidate)?;
        let recipe = preflight::check(self, &candidate)?;
        preflight::provable(self, &candidate, &recipe)?;
        // Asked before there is a bridge, or the candidate would answer for it.
        let old_was = live.as_ref().map(|live| preflight::condition(self, live));
        let old_was = old_was.unwrap_or_default();
        let (Ready { candidate, bridge }, next) =
            self.prepare(candidate, &recipe, live.as_ref(), old_was)?;
        no_way_back();
        let swapping = Swapping::new(self, recipe, live, old_was, Some(candidate), next);
        let outcome = swapping.with(bridge).at_the_rename()?;
        self.report(outcome, false)
    }

    fn carry_on(&self, situation: Situation) -> Result<Report, Failure> {
        progress(&format!(
            "promote: carrying on an unfinished promotion of {}",
            self.names.live
        ));
        no_way_back();
        let Situation {
            candidate,
            old,
            next,
            ..
        } = situation;
        let carried = next
            .as_ref()
            .or(candidate.as_ref())
            .and_then(Recipe::of)
            .unwrap_or_default();
        let old_was = next.as_ref().map(condition_of_old).unwrap_or_default();
        let made_from = candidate.as_ref().map(|candidate| candidate.id.clone());
        let made_from = made_from.or_else(|| next.as_ref().and_then(made_from_of));
        let next_up = next.filter(|next| {
            let up = next.state.up();
            if !up {
                // Never started or ended: made anew below, so its loss costs nothing.
                let _ = self.engine.remove_with_volumes(&[&next.id]);
            }
            up
        });
        let bridge = serve_again(self, candidate.as_ref(), &carried);
        if bridge.is_err() {
            stray::remove(&self.engine, self.live);
        }
        let swapping = Swapping::new(self, carried, old, old_was, candidate, String::new());
        let mut swapping = swapping.with(bridge);
        let outcome = match next_up {
            Some(next) => {
                swapping.next = next.id;
                swapping.at_the_proof()?
            }
            None => swapping.at_the_creation()?,
        };
        self.as_asked(made_from.as_deref())?;
        self.report(outcome, true)
    }

    fn finish(&self, situation: Situation) -> Result<Report, Failure> {
        progress(&format!(
            "promote: finishing a promotion of {}",
            self.names.live
        ));
        no_way_back();
        let Situation {
            live,
            candidate,
            old,
            ..
        } = situation;
        let recipe = live.as_ref().and_then(Recipe::of).unwrap_or_default();
        let old_was = live.as_ref().map(condition_of_old).unwrap_or_default();
        let made_from = live.as_ref().and_then(made_from_of);
        let next = live.map(|live| live.id).unwrap_or_default();
        let left = stray::close(&self.engine, self.live).map_err(Failure::StrayBridge)?;
        let mut swapping = Swapping::new(self, recipe, old, old_was, candidate, next);
        swapping.bridged = left.is_some();
        swapping.left_forwarders = left.unwrap_or_default();
        let outcome = swapping.at_the_port()?;
        stray::remove(&self.engine, self.live);
        self.as_asked(made_from.as_deref())?;
        self.report(outcome, true)
    }
}

/// How the container was that this one is to replace, or has replaced.
fn condition_of_old(container: &Container) -> Condition {
    Previous::of(container).map_or(Condition::default(), |previous| previous.condition)
}
