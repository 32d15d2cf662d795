//! The promotion: where things stand, what is to be done from there, and the report.

use std::time::Duration;

use step::{
    CANDIDATE_LABEL, Container, Engine, Lock, Name, Names, Previous, Recipe, interrupted,
    no_way_back, progress,
};

use crate::args::Args;
use crate::bridge;
use crate::failure::Failure;
use crate::preflight;
use crate::readiness::{Ready, make_ready, serve_again};
use crate::replacement;
use crate::report::Report;
use crate::situation::{Course, Situation};
use crate::swap::{Outcome, Swapping};

/// One promotion of one app.
pub(crate) struct Promotion<'a> {
    pub(crate) args: &'a Args,
    pub(crate) engine: Engine,
    pub(crate) app: &'a Name,
    pub(crate) live: &'a Name,
    pub(crate) names: Names,
}

pub(crate) fn run(args: &Args) -> Result<Report, Failure> {
    let (app, live, names) = args.identity.known().map_err(Failure::Usage)?;
    let engine = Engine::find(&args.common.engine)?;
    let lock = Lock::take(live, Duration::from_secs(1)).map_err(Failure::NoLock)?;
    let _lock = lock.ok_or_else(|| Failure::Locked(live.to_string()))?;
    let promotion = Promotion {
        args,
        engine,
        app,
        live,
        names,
    };
    let situation = Situation::read(&promotion.engine, &promotion.names)?;
    match situation.course() {
        Course::Begin => promotion.begin(situation),
        Course::CarryOn => promotion.carry_on(situation),
        Course::Finish => promotion.finish(situation),
    }
}

impl Promotion<'_> {
    fn begin(&self, situation: Situation) -> Result<Report, Failure> {
        if let Some(stray) = &situation.next {
            self.engine.remove_with_volumes(&[&stray.id])?;
        }
        let Situation {
            live, candidate, ..
        } = situation;
        let Some(candidate) = candidate else {
            bridge::remove_stray(self.live);
            return self.nothing_to_promote(live);
        };
        if let Some(live) = live
            .as_ref()
            .filter(|live| is_made_from(live, &candidate.id))
        {
            return self.clear_candidate(live, &candidate);
        }
        preflight::not_overtaken(&candidate, live.as_ref())?;
        let recipe = preflight::check(self, &candidate, live.as_ref())?;
        let next = replacement::create(self, &recipe, Some(&candidate), live.as_ref())?;
        // Asked before there is a bridge, or the candidate would answer for it.
        let was_healthy = live
            .as_ref()
            .is_some_and(|live| preflight::is_healthy(self, live));
        let ready = preflight::same(self, &candidate, &next)
            .and_then(|()| make_ready(self, candidate, &recipe, live.as_ref()))
            .and_then(|ready| self.still_wanted().map(|()| ready));
        let Ready { candidate, bridge } = match ready {
            Ok(ready) => ready,
            Err(failure) => {
                self.engine.remove_with_volumes(&[&next])?;
                return Err(failure);
            }
        };
        no_way_back();
        let mut swapping = Swapping::new(self, recipe, live, Some(candidate), next).with(bridge);
        swapping.old_was_healthy = was_healthy;
        let outcome = swapping.at_the_rename()?;
        self.report(outcome, false)
    }

    fn still_wanted(&self) -> Result<(), Failure> {
        if interrupted() {
            Err(Failure::Interrupted(self.names.live.clone()))
        } else {
            Ok(())
        }
    }

    /// A promotion whose end was not seen is asked for again: that is no failure. Without a
    /// report to go by, nobody can tell it from a deployment that forgot to start a candidate.
    fn nothing_to_promote(&self, live: Option<Container>) -> Result<Report, Failure> {
        let handed_on = self.args.baton.candidate_id.as_deref();
        let promoted = |live: &Container| handed_on.is_some_and(|id| is_made_from(live, id));
        match live {
            Some(live) if promoted(&live) => {
                progress(&format!(
                    "promote: {} was promoted already",
                    self.names.live
                ));
                Ok(Report {
                    changed: false,
                    ..self.report(done_before(&live), false)?
                })
            }
            Some(live) => Err(Failure::NoCandidate(format!(
                "there is no container {} to promote; {} runs {}",
                self.names.candidate, self.names.live, live.config.image
            ))),
            None => Err(Failure::NoCandidate(format!(
                "there is no container {} to promote",
                self.names.candidate
            ))),
        }
    }

    /// The swap was done, and all that was left to do is this.
    fn clear_candidate(&self, live: &Container, candidate: &Container) -> Result<Report, Failure> {
        progress(&format!(
            "promote: {} was promoted already and is removed",
            self.names.candidate
        ));
        self.engine.remove_with_volumes(&[&candidate.id])?;
        bridge::remove_stray(self.live);
        self.report(done_before(live), true)
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
            bridge::remove_stray(self.live);
        }
        let mut swapping = Swapping::new(self, carried, old, candidate, String::new()).with(bridge);
        let outcome = match next_up {
            Some(next) => {
                swapping.next = next.id;
                swapping.at_the_proof()?
            }
            None => swapping.at_the_creation()?,
        };
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
        let next = live.map(|live| live.id).unwrap_or_default();
        bridge::close_stray(self.live);
        let outcome = Swapping::new(self, recipe, old, candidate, next).at_the_port()?;
        bridge::remove_stray(self.live);
        self.report(outcome, true)
    }
}

/// Whether this candidate is what runs under the live name, which only a proven container has.
fn is_made_from(live: &Container, candidate_id: &str) -> bool {
    live.label(CANDIDATE_LABEL) == Some(candidate_id) && live.state.up()
}

/// The outcome of a swap that an earlier promotion made.
fn done_before(live: &Container) -> Outcome {
    Outcome {
        container_id: live.id.clone(),
        recipe: Recipe::of(live).unwrap_or_default(),
        previous: Previous::of(live),
        swap: None,
        left_over: Vec::new(),
    }
}
