//! What an earlier promotion has done already, or has left to this one.

use step::{CANDIDATE_LABEL, Container, Previous, Recipe, printable, progress};

use crate::drain::drain;
use crate::failure::Failure;
use crate::promote::Promotion;
use crate::report::Report;
use crate::stray;
use crate::swap::Outcome;

impl Promotion<'_> {
    /// A promotion whose end was not seen is asked for again: that is no failure. Without a
    /// report to go by, nobody can tell it from a deployment that forgot to start a candidate.
    pub(crate) fn nothing_to_promote(&self, live: Option<Container>) -> Result<Report, Failure> {
        let handed_on = self.args.baton.candidate_id.as_deref();
        let by_heir = |live: &Container| {
            let word = self.killed.heir.as_ref();
            word.is_some_and(|word| word["ok"] == true && word["container_id"] == live.id)
        };
        let begun = self.killed.candidate_id.as_deref();
        let promoted = |live: &Container| {
            let mut ids = handed_on.into_iter().chain(begun);
            by_heir(live) || ids.any(|id| is_made_from(live, id))
        };
        let told = self
            .killed
            .heir
            .as_ref()
            .and_then(|word| word["error"]["message"].as_str());
        let told = told.map_or(String::new(), |message| {
            format!(
                "; the heir of a killed promotion reported: {}",
                printable(message, 300)
            )
        });
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
                "there is no container {} to promote; {} runs {}{told}",
                self.names.candidate, self.names.live, live.config.image
            ))),
            None => Err(Failure::NoCandidate(format!(
                "there is no container {} to promote{told}",
                self.names.candidate
            ))),
        }
    }

    /// The swap was done, and all that was left to do is this.
    pub(crate) fn clear_candidate(
        &self,
        live: &Container,
        candidate: &Container,
    ) -> Result<Report, Failure> {
        progress(&format!(
            "promote: {} was promoted already and is removed",
            self.names.candidate
        ));
        // It was killed when it had its name, which may have been before it had its restart policy.
        self.keep_up(&live.id)?;
        let left = stray::close(&self.engine, self.live).map_err(Failure::StrayBridge)?;
        if let Some(forwarders) = left {
            let publish = Recipe::of(candidate).unwrap_or_default().publish;
            let drained = drain(candidate, &publish, &forwarders, self.args.drain);
            if drained.may_be_open() {
                // Where it does not stop it is removed by force.
                let _ = self.engine.stop(&candidate.id, self.args.stop_timeout);
            }
        }
        self.engine.remove_with_volumes(&[&candidate.id])?;
        stray::remove(&self.engine, self.live);
        self.report(done_before(live), true)
    }

    /// What was finished may be another deployment's than the one this was asked for.
    pub(crate) fn as_asked(&self, made_from: Option<&str>) -> Result<(), Failure> {
        let asked = self.args.baton.candidate_id.as_deref();
        if asked.is_none() || made_from.is_none() || asked == made_from {
            return Ok(());
        }
        Err(Failure::NoCandidate(format!(
            "the unfinished promotion of another candidate of {} was finished, not that of the one that was handed on",
            self.names.live
        )))
    }
}

/// Whether this candidate, or what was made from it, is what runs under the live name, which only
/// a proven container has.
pub(crate) fn is_made_from(live: &Container, candidate_id: &str) -> bool {
    let made = live.label(CANDIDATE_LABEL) == Some(candidate_id);
    (made || live.id == candidate_id) && live.state.up()
}

/// The candidate that a container was made from.
pub(crate) fn made_from_of(container: &Container) -> Option<String> {
    container.label(CANDIDATE_LABEL).map(str::to_owned)
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
