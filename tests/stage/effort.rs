//! How much of what can be repeated the tests repeat: a sample by default, all of it before a release.

/// The variable that says it: `all` or `full`; `cargo xtask test --all` sets it.
pub const EFFORT: &str = "DEPLOY_STEPS_TESTS";
/// The value for all that a contributor runs before a push.
pub const ALL: &str = "all";
/// The value for every case there is, which takes hours.
const FULL: &str = "full";

/// The one of these that is meant: for a sample, for all, for every case there is.
pub fn of<T>([sample, all, full]: [T; 3]) -> T {
    match std::env::var(EFFORT).as_deref() {
        Ok(ALL) => all,
        Ok(FULL) => full,
        _ => sample,
    }
}
