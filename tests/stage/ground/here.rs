//! Which engine the stage of this process has.

use super::rootless;

/// The variable that names the stage's engine and its flags, for everything that runs on the stage.
pub const ENGINE: &str = "DEPLOY_STEPS_ENGINE";

/// The end of an engine's name that is run by a user who is not root.
pub(super) const ROOTLESS: &str = "-rootless";

/// How an engine is called that is a machine's own; the machine's name follows.
pub(super) const MACHINE: &str = "machine ";

/// Whether a stage's engine of this name, flags and all, is podman.
pub(super) fn is_podman(name: &str) -> bool {
    name.starts_with("podman")
}

/// Whether a stage's engine of this name, flags and all, is Docker run by another user than root.
pub(super) fn is_rootless_docker(name: &str) -> bool {
    !is_podman(name) && first_word(name).ends_with(ROOTLESS)
}

/// An engine's name without its flags.
fn first_word(name: &str) -> &str {
    name.split(' ').next().unwrap_or_default()
}

/// Whether this process's stage has an engine that is run by another user than root.
pub fn on_rootless() -> bool {
    std::env::var(ENGINE).is_ok_and(|name| first_word(&name).ends_with(ROOTLESS))
}

/// Whether this process's stage has rootless Docker for an engine.
pub fn on_rootless_docker() -> bool {
    std::env::var(ENGINE).is_ok_and(|name| is_rootless_docker(&name))
}

/// The address of this machine at which its engine reaches registries.
pub fn registries() -> &'static str {
    match on_rootless_docker() {
        true => rootless::REGISTRIES.trim_end_matches("/32"),
        false => "127.0.0.1",
    }
}

/// Whether this process's stage has podman for an engine.
pub fn on_podman() -> bool {
    std::env::var(ENGINE).is_ok_and(|name| is_podman(&name))
}

/// Whether this process runs on a machine, whose engine is a service of its own init.
pub fn on_machine() -> bool {
    std::env::var(ENGINE).is_ok_and(|name| name.starts_with(MACHINE))
}
