//! The swap itself; a promotion that carries on enters it at a later stage.

use std::time::Duration;

use step::{
    Condition, Container, Looking, Previous, Publish, Recipe, Reply, Target, both, printable,
    redact, waiting,
};

use crate::bridge::Bridge;
use crate::drain::{Drained, UNKNOWN, drain};
use crate::failure::Failure;
use crate::promote::Promotion;
use crate::trouble::Trouble;
use crate::watcher::{Swap, Watcher};
use crate::{ports, replacement};

/// A watcher's request that takes longer has failed, as far as a client is concerned.
const WATCHER_TIMEOUT: Duration = Duration::from_millis(500);

/// A swap that was done.
pub(crate) struct Outcome {
    pub(crate) container_id: String,
    pub(crate) recipe: Recipe,
    pub(crate) previous: Option<Previous>,
    pub(crate) swap: Option<Swap>,
    pub(crate) left_over: Vec<String>,
}

/// A swap under way.
pub(crate) struct Swapping<'a> {
    pub(crate) promotion: &'a Promotion<'a>,
    pub(crate) recipe: Recipe,
    pub(crate) old: Option<Container>,
    pub(crate) candidate: Option<Container>,
    /// The full id of the final container; empty until there is one.
    pub(crate) next: String,
    /// What a rollback may ask of the old container.
    pub(crate) old_was: Condition,
    pub(crate) bridge: Option<Bridge>,
    /// Whether there was one, even if it is gone by now.
    pub(crate) bridged: bool,
    /// The ports of forwarders that a promotion which was killed has left.
    pub(crate) left_forwarders: Vec<u16>,
    /// Why there is no bridge.
    pub(crate) bridge_off_because: Option<String>,
    watcher: Watcher,
    pub(crate) drained: Option<Drained>,
    /// Whether calls to the old container's address were led to the new one; `None` where they need not be.
    pub(crate) handed_over: Option<Result<(), String>>,
    pub(crate) candidate_drained: Option<Drained>,
    /// Whether the old container has been removed.
    pub(crate) old_is_gone: bool,
}

impl<'a> Swapping<'a> {
    /// Starts to watch the host port, where there is something live to be watched.
    pub(crate) fn new(
        promotion: &'a Promotion<'a>,
        recipe: Recipe,
        old: Option<Container>,
        old_was: Condition,
        candidate: Option<Container>,
        next: String,
    ) -> Self {
        let args = promotion.args;
        let looking = args.looking(Some(&recipe));
        let up = old.as_ref().is_some_and(|old| old.state.up());
        let watched = watched_port(&recipe, looking.probe.port).filter(|_| up);
        let looking = Looking {
            timeout: WATCHER_TIMEOUT,
            ..looking
        };
        let target = watched.map(|publish| Target::host_port(publish, &looking));
        let watcher = Watcher::start(target);
        Self {
            promotion,
            recipe,
            old,
            candidate,
            next,
            old_was,
            watcher,
            bridge: None,
            bridged: false,
            left_forwarders: Vec::new(),
            bridge_off_because: None,
            drained: None,
            handed_over: None,
            candidate_drained: None,
            old_is_gone: false,
        }
    }

    /// Takes a bridge, or the reason why there is none.
    pub(crate) fn with(mut self, bridge: Result<Bridge, String>) -> Self {
        self.bridged = bridge.is_ok();
        match bridge {
            Ok(bridge) => self.bridge = Some(bridge),
            Err(why) => self.bridge_off_because = Some(why),
        }
        self
    }

    /// From the first touch of the live container on.
    pub(crate) fn at_the_rename(mut self) -> Result<Outcome, Failure> {
        let done = self.rename_old().and_then(|()| self.take_over());
        self.conclude(done)
    }

    /// Makes the new container once more, if the candidate still is what was verified.
    pub(crate) fn at_the_creation(mut self) -> Result<Outcome, Failure> {
        let done = self.create_again().and_then(|()| self.take_over());
        self.conclude(done)
    }

    /// From a new container that runs already.
    pub(crate) fn at_the_proof(self) -> Result<Outcome, Failure> {
        let done = self.name_proven();
        self.conclude(done)
    }

    /// From a new container that has its final name already.
    pub(crate) fn at_the_port(self) -> Result<Outcome, Failure> {
        let done = self.prove_again().and_then(|()| self.prove_for_clients());
        self.conclude(done)
    }

    pub(crate) fn rename_old(&self) -> Result<(), Trouble> {
        let Some(old) = &self.old else {
            return Ok(());
        };
        let Promotion {
            engine,
            args,
            names,
            ..
        } = self.promotion;
        let renamed = engine.rename(&old.id, &names.old);
        if renamed.is_ok() || self.old_was == Condition::Healthy {
            return Ok(renamed?);
        }
        // The engine cannot rename a container between two of its restarts.
        engine.stop(&old.id, args.stop_timeout)?;
        Ok(engine.rename(&old.id, &names.old)?)
    }

    fn create_again(&mut self) -> Result<(), Trouble> {
        let promotion = self.promotion;
        let candidate = self
            .candidate
            .as_ref()
            .filter(|candidate| candidate.state.up());
        let candidate = candidate.ok_or_else(|| {
            Trouble::not_started(format!(
                "{} does not run any more",
                promotion.names.candidate
            ))
        })?;
        let old = self.old.as_ref();
        let made = replacement::verified(promotion, &self.recipe, candidate, old, self.old_was);
        self.next = made.map_err(|failure| Trouble::not_started(failure.to_string()))?;
        Ok(())
    }

    fn take_over(&mut self) -> Result<(), Trouble> {
        let Promotion {
            engine,
            args,
            names,
            ..
        } = self.promotion;
        if let Some(old) = self.old.clone().filter(|old| old.state.running) {
            self.take_callers(&old);
            self.drained = Some(self.drain_published(&old));
            if self.bridge.as_ref().is_some_and(Bridge::is_lost) {
                return Err(Trouble::not_started(format!(
                    "{} ended during the swap",
                    names.candidate
                )));
            }
            let _wait = waiting(format!("promote: stopping {}", names.old));
            // An engine that gave no answer may stop it later, under whatever was begun instead.
            let stop = || engine.stop(&old.id, args.stop_timeout);
            stop().or_else(|_| stop())?;
        }
        self.keep_old_down()?;
        let wait = waiting(format!("promote: starting {}", names.next));
        let reply = engine.start(&self.next)?;
        drop(wait);
        if reply.code != Some(0) {
            return Err(self.not_started(&reply));
        }
        self.name_proven()
    }

    /// Waits for what is with a container on the published ports, or with the engine's proxy on the way to it.
    pub(crate) fn drain_published(&self, container: &Container) -> Drained {
        let publish = &self.recipe.publish;
        let by_proxy: Vec<u16> = publish.iter().map(|publish| publish.host).collect();
        drain(container, publish, &by_proxy, self.promotion.args.drain)
    }

    fn not_started(&self, reply: &Reply) -> Trouble {
        let engine = &self.promotion.engine;
        if let Ok(Some(port)) = ports::taken(engine, &self.recipe.publish, None) {
            return Trouble::port_taken(port);
        }
        let next = engine.container(&self.next).ok().flatten();
        let secrets = next.as_ref().map(Container::secrets).unwrap_or_default();
        let said = next
            .map(|next| next.state.error)
            .filter(|error| !error.is_empty());
        let said = printable(
            &redact(&said.unwrap_or_else(|| reply.stderr.clone()), &secrets),
            300,
        );
        let log = engine.log_tail(&self.next, 20, &secrets);
        Trouble::not_started(format!("the new container did not start: {said}")).with_log(log)
    }

    /// Proves the new container on its own address; only then gives it the live name and proves it for clients.
    fn name_proven(&self) -> Result<(), Trouble> {
        let Promotion { engine, names, .. } = self.promotion;
        self.prove()?;
        self.give_callers_name()?;
        if self.is_on_podman() {
            // Two changes of one container at once: the one would undo the other.
            self.promotion.keep_up(&self.next)?;
            engine.rename(&self.next, &names.live)?;
            return self.prove_for_clients();
        }
        let (beside, next) = (self.promotion.clone(), self.next.as_str());
        let (proven, (renamed, kept_up)) = both(
            || self.prove_port(),
            move || {
                let further = beside.clone();
                both(
                    || beside.engine.rename(next, &beside.names.live),
                    move || further.keep_up(next),
                )
            },
        );
        proven.and(renamed.and(kept_up).map_err(Trouble::from))?;
        self.settle()
    }

    /// A kill may have come between its name and its restart policy.
    fn prove_again(&self) -> Result<(), Trouble> {
        self.prove()?;
        Ok(self.promotion.keep_up(&self.next)?)
    }

    fn conclude(mut self, done: Result<(), Trouble>) -> Result<Outcome, Failure> {
        if let Err(trouble) = done {
            return Err(self.roll_back(trouble));
        }
        if let Err(trouble) = self.give_up_old() {
            return Err(self.roll_back(trouble));
        }
        Ok(self.done())
    }

    /// What clients saw; nothing where nothing was live.
    pub(crate) fn measured(&mut self) -> Option<Swap> {
        let seen = self.watcher.finish();
        self.old.as_ref()?;
        let waited = |drained: &Option<Drained>| {
            drained
                .as_ref()
                .map_or(0, |drained| step::millis(drained.waited))
        };
        Some(Swap {
            bridge: if self.bridged { "on" } else { "off" },
            bridge_off_because: self.bridge_off_because.clone(),
            drained_ms: waited(&self.drained),
            candidate_drained_ms: waited(&self.candidate_drained),
            drained_by: self.drained.as_ref().map_or(UNKNOWN, |drained| drained.by),
            handed_over: self.handed_over.as_ref().map(Result::is_ok),
            not_handed_over_because: self.handed_over.clone().and_then(Result::err),
            ..seen
        })
    }
}

/// The published port behind which health is asked, else the first.
pub(crate) fn watched_port(recipe: &Recipe, port: Option<u16>) -> Option<&Publish> {
    let asked = recipe
        .publish
        .iter()
        .find(|publish| Some(publish.container) == port);
    asked.or(recipe.publish.first())
}
