//! Which of an app's four containers exist, and the phase of a promotion that this means.

use step::engine::Engine;
use step::engine::container::Container;
use step::engine::error::EngineError;
use step::model::name::Names;
use step::recipe::{CANDIDATE_LABEL, Recipe};

/// The containers of one app.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) live: Option<Container>,
    pub(crate) candidate: Option<Container>,
    pub(crate) old: Option<Container>,
    pub(crate) next: Option<Container>,
}

/// How far an earlier promotion got.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Nothing has been touched yet.
    Fresh,
    /// The live container already has its name `-old`.
    Interrupted,
    /// The final container is verified and named; what is left is cleaning up.
    Committed,
}

impl State {
    pub(crate) fn read(engine: &Engine, names: &Names) -> Result<Self, EngineError> {
        let mut found = engine.containers(&names.all())?;
        let mut take = |name: &str| {
            let at = found
                .iter()
                .position(|container| container.name() == name)?;
            Some(found.swap_remove(at))
        };
        Ok(Self {
            live: take(&names.live),
            candidate: take(&names.candidate),
            old: take(&names.old),
            next: take(&names.next),
        })
    }

    /// The candidate that is being promoted, as far as it can be known.
    pub(crate) fn candidate_id(&self) -> Option<String> {
        let unfinished = self.live.as_ref().filter(|_| self.old.is_some());
        let candidate = self
            .candidate
            .as_ref()
            .map(|candidate| candidate.id.clone());
        candidate.or_else(|| unfinished.map(|live| made_from_of(live).unwrap_or(live.id.clone())))
    }

    /// Whether what has the live name is a candidate that has taken it over, and was not made from one.
    pub(crate) fn is_by_alias(&self) -> bool {
        let live = self.live.as_ref();
        live.is_some_and(|live| Recipe::of(live).is_some() && made_from_of(live).is_none())
    }

    /// Whether a promotion that makes a final container is under way.
    pub(crate) fn is_by_port(&self) -> bool {
        let made = self.live.as_ref().and_then(made_from_of).is_some();
        self.old.is_some() && (self.next.is_some() || made)
    }

    pub(crate) fn phase(&self) -> Phase {
        match (&self.old, &self.live) {
            (None, _) => Phase::Fresh,
            (Some(_), None) => Phase::Interrupted,
            (Some(_), Some(_)) => Phase::Committed,
        }
    }
}

/// Whether this candidate, or what was made from it, is what runs under the live name, which only
/// a verified container has.
pub(crate) fn is_made_from(live: &Container, candidate_id: &str) -> bool {
    let made = live.label(CANDIDATE_LABEL) == Some(candidate_id);
    (made || live.id == candidate_id) && live.state.up()
}

/// The candidate that a container was made from.
pub(crate) fn made_from_of(container: &Container) -> Option<String> {
    container.label(CANDIDATE_LABEL).map(str::to_owned)
}
