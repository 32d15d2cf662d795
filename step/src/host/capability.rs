//! The right to change packet rules, lent to `nft` for one call.
//!
//! The package gives `promote` and `prune-app` file capabilities, so that members of the docker group need no sudo. Another
//! program that they start does not have them, unless they are ambient (capabilities(7)). They are that for `nft` alone: the
//! engine's CLI and all others run without. The kernel keeps such sets for each thread, and a child has those of the
//! thread that starts it.

use rustix::thread::{
    CapabilitySet, CapabilitySets, capabilities, configure_capability_in_ambient_set,
    set_capabilities,
};

const RULES: CapabilitySet = CapabilitySet::NET_ADMIN;

/// Does it with the right in the hands of the children that it starts, where this process has the right.
pub(super) fn lent<T>(done: impl FnOnce() -> T) -> T {
    let Some(before) = capabilities(None).ok().filter(is_to_be_lent) else {
        return done();
    };
    let inheritable = before.inheritable | RULES;
    let lent = CapabilitySets {
        inheritable,
        ..before
    };
    // Without it nft says what it may not.
    let is_ambient = set_capabilities(None, lent)
        .and_then(|()| configure_capability_in_ambient_set(RULES, true))
        .is_ok();
    let result = done();
    if is_ambient {
        let _ = configure_capability_in_ambient_set(RULES, false);
    }
    let _ = set_capabilities(None, before);
    result
}

/// Root's children have it anyhow, and so have those of whoever has it as an ambient one.
fn is_to_be_lent(sets: &CapabilitySets) -> bool {
    let is_ambient = rustix::thread::capability_is_in_ambient_set(RULES).unwrap_or(false);
    sets.permitted.contains(RULES) && !is_ambient && !rustix::process::geteuid().is_root()
}
