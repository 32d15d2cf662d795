//! The user who is not root, for the engines on a stage that are to be run by one.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};

use anyhow::Context;

/// The user's id.
pub(super) const USER: u32 = 1000;

/// The user's home in the stage's folder `dir`.
pub(super) fn home(dir: &Path) -> PathBuf {
    dir.join("home")
}

/// Writes files that make the user known where the others are those of the folder `etc`, with a range of ids and no
/// other right, and returns the start of a command as that user.
pub(super) fn known(etc: &Path, dir: &Path) -> anyhow::Result<String> {
    let own = home(dir);
    let others = fs::read_to_string(etc.join("passwd")).context("the users are unknown")?;
    // First, as another may have the same id.
    let line = format!("deployer:x:{USER}:{USER}::{}:/bin/sh\n", own.display());
    fs::write(dir.join("passwd"), line + &others)?;
    fs::write(dir.join("subids"), "deployer:100000:65536\n")?;
    fs::create_dir(&own)?;
    chown(&own, Some(USER), Some(USER))?;
    // On the way to its home.
    fs::set_permissions(dir, Permissions::from_mode(0o711))?;
    Ok(format!(
        "setpriv --reuid={USER} --regid={USER} --clear-groups env -u DOCKER_CONFIG HOME='{}'",
        own.display()
    ))
}
