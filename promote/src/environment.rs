//! The variables that heir and forwarders are given.
//!
//! A CI runner that ends a job kills whatever has a variable of the job in its environment, wherever it runs (GitHub's
//! `RUNNER_TRACKING_ID`, Jenkins' `BUILD_ID` and `JENKINS_NODE_COOKIE`). So helpers that are to outlive a promotion get what
//! they use and nothing else.

use std::ffi::OsString;

/// What a program needs to find others, and to be understood.
const NAMES: [&str; 8] = [
    "PATH",
    "HOME",
    "USER",
    "LANG",
    "TZ",
    "TMPDIR",
    "XDG_RUNTIME_DIR",
    "DBUS_SESSION_BUS_ADDRESS",
];
/// Those of the engine's CLI, of podman's, of languages, of certificates, and our own.
const BEGINNINGS: [&str; 7] = [
    "DOCKER_",
    "CONTAINER_",
    "CONTAINERS_",
    "LC_",
    "SSL_CERT_",
    "DEPLOY_STEPS_",
    "APP_",
];

/// Those of them that this process has.
pub(crate) fn short() -> impl Iterator<Item = (OsString, OsString)> {
    std::env::vars_os().filter(|(name, _)| {
        let name = name.to_string_lossy();
        NAMES.contains(&&*name) || BEGINNINGS.iter().any(|it| name.starts_with(it))
    })
}
