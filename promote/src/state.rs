//! Which of an app's four containers exist, and the phase of a promotion that this means.

use step::engine::container::Container;
use step::ownership::Owned;
use step::ownership::marks::{MadeAs, Marks, candidate_of};

/// The containers of one app.
pub(crate) type State = Owned<Container>;

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

/// The candidate that is being promoted, as far as it can be known.
pub(crate) fn candidate_id(state: &State) -> Option<String> {
    let unfinished = state.live.as_ref().filter(|_| state.old.is_some());
    let candidate = state.candidate.as_ref().map(|it| it.id.clone());
    candidate.or_else(|| unfinished.map(|live| candidate_of(live).unwrap_or(live.id.clone())))
}

/// Whether what has the live name is a candidate that has taken it over, and was not made from one.
pub(crate) fn is_by_alias(state: &State) -> bool {
    let live = state.live.as_ref().and_then(Marks::of);
    live.is_some_and(|live| live.made_as == MadeAs::Candidate)
}

/// Whether a promotion that makes a final container is under way.
pub(crate) fn is_by_port(state: &State) -> bool {
    let made = state.live.as_ref().and_then(candidate_of).is_some();
    state.old.is_some() && (state.next.is_some() || made)
}

pub(crate) fn phase(state: &State) -> Phase {
    match (&state.old, &state.live) {
        (None, _) => Phase::Fresh,
        (Some(_), None) => Phase::Interrupted,
        (Some(_), Some(_)) => Phase::Committed,
    }
}

/// Whether this candidate, or what was made from it, is what runs under the live name, which only
/// a verified container has.
pub(crate) fn is_made_from(live: &Container, candidate_id: &str) -> bool {
    let made = candidate_of(live).as_deref() == Some(candidate_id);
    (made || live.id == candidate_id) && live.state.up()
}
