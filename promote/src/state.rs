//! Which of an app's four containers exist, and the phase of a promotion that this means.

use step::contract::failure::CommonFailure;
use step::engine::Engine;
use step::engine::container::Container;
use step::model::name::Name;
use step::ownership::Owned;
use step::ownership::marks::{MadeAs, Marks, candidate_of};

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
    pub(crate) fn read(engine: &Engine, app: &Name, live: &Name) -> Result<Self, CommonFailure> {
        let Owned {
            live,
            candidate,
            old,
            next,
        } = Owned::read(engine, app, live)?;
        Ok(Self {
            live,
            candidate,
            old,
            next,
        })
    }

    /// The candidate that is being promoted, as far as it can be known.
    pub(crate) fn candidate_id(&self) -> Option<String> {
        let unfinished = self.live.as_ref().filter(|_| self.old.is_some());
        let candidate = self
            .candidate
            .as_ref()
            .map(|candidate| candidate.id.clone());
        candidate.or_else(|| unfinished.map(|live| candidate_of(live).unwrap_or(live.id.clone())))
    }

    /// Whether what has the live name is a candidate that has taken it over, and was not made from one.
    pub(crate) fn is_by_alias(&self) -> bool {
        let live = self.live.as_ref().and_then(Marks::of);
        live.is_some_and(|live| live.made_as == MadeAs::Candidate)
    }

    /// Whether a promotion that makes a final container is under way.
    pub(crate) fn is_by_port(&self) -> bool {
        let made = self.live.as_ref().and_then(candidate_of).is_some();
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
    let made = candidate_of(live).as_deref() == Some(candidate_id);
    (made || live.id == candidate_id) && live.state.up()
}
