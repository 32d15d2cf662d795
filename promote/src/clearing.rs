//! After the swap: the candidate finishes what it was led to, then it and the old container go.

use step::{Container, Mount, warn};

use crate::drain::{drain, ports_of};
use crate::promote::Promotion;
use crate::swap::Swapping;
use crate::{alias, sockets};

impl Swapping<'_> {
    /// Waits for what the bridge has led to the candidate; idle connections are closed by the
    /// app's own shutdown.
    pub(crate) fn drain_candidate(&mut self) {
        let Promotion {
            engine,
            args,
            names,
            ..
        } = self.promotion;
        let Some(candidate) = &self.candidate else {
            return;
        };
        let drained = drain(candidate, &self.recipe.publish, args.drain);
        let parted = self.give_name_back(candidate, drained.open);
        if drained.open > 0
            && !parted
            && let Err(error) = engine.stop(&candidate.id, args.stop_timeout)
        {
            warn(&format!(
                "promote: {} did not stop: {error}",
                names.candidate
            ));
        }
        self.candidate_drained = Some(drained);
    }

    /// Takes the drained candidate off the networks where it has the live container's name: an app
    /// that ends while its name is known refuses whoever has just looked it up. Off its network it
    /// could not tell idle clients that it ends, so that is done first.
    fn give_name_back(&self, candidate: &Container, open: usize) -> bool {
        let Promotion { engine, names, .. } = self.promotion;
        let networks = alias::shared_on(candidate, &names.live);
        if open > 0 && !networks.is_empty() {
            // Where the kernel cannot, they find out when they ask next.
            let _ = sockets::reset(candidate.state.pid, &ports_of(&self.recipe.publish));
        }
        for network in &networks {
            if let Err(error) = engine.disconnect(network, &candidate.id) {
                warn(&format!(
                    "promote: {} is still known as {}: {error}",
                    names.candidate, names.live
                ));
            }
        }
        !networks.is_empty()
    }

    /// The deployment is done; what cannot be removed is said, and found by the next promotion.
    pub(crate) fn clear_away(&self) -> Vec<String> {
        let Promotion { engine, names, .. } = self.promotion;
        let has_own_volumes = |c: &&Container| c.mounts.iter().any(Mount::is_anonymous);
        let alone = self
            .candidate
            .as_ref()
            .filter(has_own_volumes)
            .map(|c| c.id.as_str());
        let both = [&self.old, &self.candidate]
            .into_iter()
            .flatten()
            .map(|c| c.id.as_str());
        let rest: Vec<&str> = both.filter(|id| alone != Some(*id)).collect();
        let first = alone.map_or(Ok(()), |id| engine.remove_with_volumes(&[id]));
        let second = if rest.is_empty() {
            Ok(())
        } else {
            engine.remove(&rest)
        };
        let mut left_over = Vec::new();
        for (result, name) in [(first, &names.candidate), (second, &names.old)] {
            if let Err(error) = result {
                warn(&format!("promote: {name} could not be removed: {error}"));
                left_over.push(name.clone());
            }
        }
        left_over
    }
}
