//! How many files the process may have open: each connection takes two, and the usual limit of a login is a thousand.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Those that `nft` and the streams from it take, and as many again.
pub(super) const KEPT: u64 = 32;

/// Allows all that this process may have but `kept`, and no fewer than are allowed already.
pub(super) fn allow(kept: u64) {
    let allowed = getrlimit(Resource::Nofile);
    let most = allowed.maximum.map(|all| all.saturating_sub(kept));
    // None is no limit.
    let current = most.and_then(|most| Some(most.max(allowed.current?)));
    // What is allowed already does.
    let _ = setrlimit(Resource::Nofile, Rlimit { current, ..allowed });
}
