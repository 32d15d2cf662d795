//! What is removed when the deployment is done, and what of it stays.

use step::engine::container::Container;
use step::engine::error::EngineError;
use step::terminal::warn;

use super::Swap;

/// The volumes without a name that the old container leaves.
pub(super) fn volumes_of(old: &Container) -> Vec<String> {
    let anonymous = old.anonymous_volumes();
    anonymous.map(|mount| mount.name.clone()).collect()
}

/// The deployment is done; what cannot be removed is said, and found by the next promotion.
pub(super) fn clear_away(swap: &Swap<'_>) -> Vec<String> {
    let names = &swap.promotion.names;
    let old = swap.old.as_ref().filter(|old| !old.gone);
    let old = old.map(|old| (&old.container, &names.old));
    let candidate = swap
        .candidate
        .as_ref()
        .filter(|_| swap.waits.kept.is_none());
    let candidate = candidate.map(|candidate| (candidate, &names.candidate));
    let found: Vec<(&Container, &String)> = old.into_iter().chain(candidate).collect();
    let containers: Vec<&Container> = found.iter().map(|(container, _)| *container).collect();
    if remove(swap, &containers).is_ok() {
        return Vec::new();
    }
    // One may be gone by now, which is no error, and one may be what the other failed for.
    let left = found.into_iter().filter(|(container, name)| {
        let removed = remove(swap, &[container]);
        if let Err(error) = &removed {
            warn(&format!("promote: {name} could not be removed: {error}"));
        }
        removed.is_err()
    });
    left.map(|(_, name)| name.clone()).collect()
}

/// The candidate's own volumes go with it; the old container's data stays.
fn remove(swap: &Swap<'_>, containers: &[&Container]) -> Result<(), EngineError> {
    let engine = &swap.promotion.engine;
    let candidate = swap.candidate.as_ref().map(|candidate| &candidate.id);
    let has_own =
        |c: &&&Container| candidate == Some(&c.id) && c.anonymous_volumes().next().is_some();
    let (alone, rest): (Vec<&Container>, Vec<&Container>) = containers.iter().partition(has_own);
    for container in alone {
        engine.remove_with_volumes(&[&container.id])?;
    }
    let rest: Vec<&str> = rest.iter().map(|c| c.id.as_str()).collect();
    // Where one of several is gone, podman 4 leaves the others, and calls that a success.
    let one_by_one = containers.iter().any(|c| c.is_podman());
    let some = if one_by_one { 1 } else { rest.len().max(1) };
    rest.chunks(some).try_for_each(|ids| engine.remove(ids))
}
