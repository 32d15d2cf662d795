//! After the swap: the candidate finishes what it was led to, then it and the old container go.

use step::{Container, Mount, warn};

use crate::alias;
use crate::drain::drain;
use crate::promote::Promotion;
use crate::swap::Swapping;

impl Swapping<'_> {
    /// Waits for what was led to the candidate, which `staying` takes over; idle connections are
    /// closed by the app's own shutdown.
    pub(crate) fn drain_candidate(&mut self, staying: &str) {
        let Promotion {
            engine,
            args,
            names,
            ..
        } = self.promotion;
        let Some(candidate) = &self.candidate else {
            return;
        };
        let named = alias::is_known_as(candidate, &names.live);
        if named && let Some(bridge) = &mut self.bridge {
            // Found as long as it is there, it could never be drained, and would refuse the last.
            if let Ok(Some(staying)) = engine.container(staying) {
                bridge.hand_over(&alias::moves(candidate, &staying, &names.live));
            }
        }
        let drained = drain(candidate, &self.recipe.publish, args.drain);
        // Stopped it loses the name, which it must not keep after a rollback.
        if (named || drained.open > 0)
            && let Err(error) = engine.stop(&candidate.id, args.stop_timeout)
        {
            warn(&format!(
                "promote: {} did not stop: {error}",
                names.candidate
            ));
        }
        self.candidate_drained = Some(drained);
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
