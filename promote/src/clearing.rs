//! After the swap: the candidate finishes what it was led to, then it and the old container go.

use step::{Container, EngineError, Mount, both, progress, warn};

use crate::alias;
use crate::bridge::Bridge;
use crate::drain::drain;
use crate::promote::Promotion;
use crate::replacement;
use crate::swap::{Outcome, Swapping};
use crate::trouble::Trouble;

impl Swapping<'_> {
    /// All that is left is to clear away.
    pub(crate) fn done(mut self) -> Outcome {
        let mut bridge = self.bridge.take();
        bridge.iter_mut().for_each(Bridge::unwatch);
        let left_over = if self.has_no_callers() {
            both(|| self.clear_away(), move || drop(bridge)).0
        } else {
            let left_over = self.clear_away();
            // Until it is gone the candidate may still be closing what it was led to, and be looked up by name.
            drop(bridge);
            left_over
        };
        let swap = self.measured();
        progress(&format!(
            "promote: {} is live with {}",
            self.promotion.names.live, self.recipe.image
        ));
        Outcome {
            previous: replacement::previous(&self.recipe, self.old.as_ref()),
            container_id: self.next,
            recipe: self.recipe,
            swap,
            left_over,
        }
    }

    /// Drains the candidate, and removes the old container meanwhile.
    ///
    /// An engine that was restarted meanwhile has started the old container as well, for its
    /// policy, and it may have the port: then the new one must show once more that it serves.
    pub(crate) fn give_up_old(&mut self) -> Result<(), Trouble> {
        let engine = self.promotion.engine.clone();
        let old = self.old.as_ref().map(|old| old.id.clone());
        let ((), removed) = both(
            || self.drain_candidate(),
            move || old.map_or(Ok(()), |old| engine.remove_ended(&old)),
        );
        self.old_is_gone = removed.is_ok();
        removed.or_else(|_| self.prove())
    }

    fn drain_candidate(&mut self) {
        if self.bridged || self.has_the_name() {
            let staying = self.next.clone();
            self.drain_candidate_for(&staying);
        }
    }

    /// Whether the candidate is called by the app's name as well.
    pub(crate) fn has_the_name(&self) -> bool {
        let live = &self.promotion.names.live;
        let candidate = self.candidate.as_ref();
        candidate.is_some_and(|candidate| alias::is_known_as(candidate, live))
    }

    /// Whether the candidate has nobody left: no connection, nor a name by which one could come.
    fn has_no_callers(&self) -> bool {
        let drained = self.candidate_drained.as_ref();
        !self.has_the_name() && drained.is_some_and(|drained| !drained.may_be_open())
    }

    /// Waits for what was led to the candidate, which `staying` takes over; idle connections are
    /// closed by the app's own shutdown.
    pub(crate) fn drain_candidate_for(&mut self, staying: &str) {
        let Promotion {
            engine,
            args,
            names,
            ..
        } = self.promotion;
        let Some(candidate) = &self.candidate else {
            return;
        };
        let mut forwarders = self.left_forwarders.clone();
        forwarders.extend(self.bridge.iter().flat_map(Bridge::forwarder_ports));
        let named = self.has_the_name();
        if named && let Some(bridge) = &mut self.bridge {
            // Found as long as it is there, it could never be drained, and would refuse the last.
            if let Ok(Some(staying)) = engine.container(staying) {
                bridge.lead_away(alias::moves(candidate, &staying, &names.live));
            }
        }
        let drained = drain(candidate, &self.recipe.publish, &forwarders, args.drain);
        // Stopped it loses the name, which it must not keep after a rollback.
        if named || drained.may_be_open() {
            let id = candidate.id.clone();
            // It may say its last to those it was led to.
            self.bridge.iter_mut().for_each(Bridge::unwatch);
            self.let_end(&id, &names.candidate);
        }
        self.candidate_drained = Some(drained);
    }

    /// Has a container end by itself, which has connections to close.
    pub(crate) fn let_end(&self, id: &str, name: &str) {
        let Promotion { engine, args, .. } = self.promotion;
        if let Err(error) = engine.stop(id, args.stop_timeout) {
            warn(&format!("promote: {name} did not stop: {error}"));
        }
    }

    /// The deployment is done; what cannot be removed is said, and found by the next promotion.
    pub(crate) fn clear_away(&self) -> Vec<String> {
        let names = &self.promotion.names;
        let old = self.old.as_ref().filter(|_| !self.old_is_gone);
        let found = [
            (old, &names.old),
            (self.candidate.as_ref(), &names.candidate),
        ];
        let both = found
            .into_iter()
            .filter_map(|(container, name)| Some((container?, name)));
        let both: Vec<(&Container, &String)> = both.collect();
        let containers: Vec<&Container> = both.iter().map(|(container, _)| *container).collect();
        if self.remove(&containers).is_ok() {
            return Vec::new();
        }
        // One may be gone by now, which is no error, and one may be what the other failed for.
        let left = both.into_iter().filter(|(container, name)| {
            let removed = self.remove(&[container]);
            if let Err(error) = &removed {
                warn(&format!("promote: {name} could not be removed: {error}"));
            }
            removed.is_err()
        });
        left.map(|(_, name)| name.clone()).collect()
    }

    /// The candidate's own volumes go with it; the old container's data stays.
    fn remove(&self, containers: &[&Container]) -> Result<(), EngineError> {
        let engine = &self.promotion.engine;
        let candidate = self.candidate.as_ref().map(|candidate| &candidate.id);
        let has_own =
            |c: &&&Container| candidate == Some(&c.id) && c.mounts.iter().any(Mount::is_anonymous);
        let (alone, rest): (Vec<&Container>, Vec<&Container>) =
            containers.iter().partition(has_own);
        for container in alone {
            engine.remove_with_volumes(&[&container.id])?;
        }
        let rest: Vec<&str> = rest.iter().map(|c| c.id.as_str()).collect();
        // Where one of several is gone, podman 4 leaves the others, and calls that a success.
        let one_by_one = containers.iter().any(|c| c.is_podmans());
        let some = if one_by_one { 1 } else { rest.len().max(1) };
        rest.chunks(some).try_for_each(|ids| engine.remove(ids))
    }
}
