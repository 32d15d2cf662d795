//! Docker on a stage run by another user than root: in a user and a network namespace of its own, whose way out is
//! slirp4netns and whose way in is rootlesskit, with containers that have no address outside of it.

use std::fs;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};

use super::needs::Need;
use super::{root, user};

/// The network of the one address at which this machine's registries listen: that engine's loopback is another.
pub(super) const REGISTRIES: &str = "192.0.2.1/32";

/// What the installed one takes besides Docker's own.
pub(super) const NEEDS: [Need; 3] = [
    ("rootlesskit", "rootlesskit"),
    ("newuidmap", "uidmap"),
    ("slirp4netns", "slirp4netns"),
];

/// What one of another release takes besides Docker's own.
pub(super) const PACKAGES: &str = "rootlesskit,uidmap,slirp4netns,util-linux";

/// Programs and settings are the other release's, or as they are where there is none; all other paths mean the same.
const ENTER: &str = r#"set -e
mount -o bind,ro "$0/etc" /etc
mount -o bind,ro "$0/usr" /usr
mount --bind "$1/passwd" /etc/passwd
mount --bind "$1/subids" /etc/subuid
mount --bind "$1/subids" /etc/subgid
chmod 666 /dev/net/tun
shift
exec "$@"
"#;

/// The engine's own folder in the stage's.
pub(super) fn folder(dir: &Path) -> PathBuf {
    user::home(dir)
}

/// Writes a program `dockerd` to the folder `bin` that is run as another user whoever starts it, with the programs of
/// the root folder `home` if there is one.
pub(super) fn provide(home: Option<&Path>, dir: &Path, bin: &Path) -> anyhow::Result<()> {
    let root = home.unwrap_or(Path::new("/"));
    let start = user::known(&root.join("etc"), dir)?;
    // What rootlesskit keeps here is nothing of the machine's.
    let run = folder(dir).join("run");
    fs::create_dir(&run)?;
    chown(&run, Some(user::USER), Some(user::USER))?;
    let (root, dir, run) = (root::quoted(root), root::quoted(dir), root::quoted(&run));
    let enter = ENTER.replace('\'', r"'\''");
    fs::create_dir(bin)?;
    root::program(
        &bin.join("dockerd"),
        &format!(
            "exec unshare --mount -- sh -c '{enter}' {root} {dir} {start} XDG_RUNTIME_DIR={run} \
             PATH=/usr/sbin:/usr/bin:/sbin:/bin sh /usr/share/docker.io/contrib/dockerd-rootless.sh \"$@\""
        ),
    )
}
