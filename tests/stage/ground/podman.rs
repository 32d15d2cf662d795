//! Podman on a stage: it has no daemon, so every call of its CLI enters the one mount namespace that all of its
//! containers live in, where programs and settings are the other release's and all other paths mean the same.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::Context;

use super::root::{program, quoted};
use super::user;

/// The program that keeps the namespace; started where one would start `dockerd`.
const KEEPER: &str = "podman-keeper";

/// Makes the namespace. What runs in it may hold on to nothing of this machine's other engines: the state under
/// /run is its own, and cgroups lie below one of the stage's own, which goes with the stage. crun refuses the
/// version 2 hierarchy that some machines have beside version 1.
const KEEP: &str = r#"set -e
mount -o bind,ro "$0/etc" /etc
mount -o bind,ro "$0/usr" /usr
mount --bind "$1/containers" /etc/containers
mount -t tmpfs tmpfs /run
if [ -e "$1/passwd" ]; then
    mount --bind "$1/passwd" /etc/passwd
    mount --bind "$1/subids" /etc/subuid
    mount --bind "$1/subids" /etc/subgid
    mkdir -p /run/user/1000
    chown 1000:1000 /run/user/1000
    chmod 666 /dev/net/tun
fi
if mountpoint -q /sys/fs/cgroup/unified; then umount /sys/fs/cgroup/unified; fi
for tree in /sys/fs/cgroup /sys/fs/cgroup/*; do
    if [ ! -e "$tree/cgroup.procs" ]; then continue; fi
    below="$tree/${1##*/}"
    mkdir -p "$below"
    if [ -e "$tree/cpuset.cpus" ] && [ ! -e "$tree/cgroup.controllers" ]; then
        cat "$tree/cpuset.cpus" > "$below/cpuset.cpus"
        cat "$tree/cpuset.mems" > "$below/cpuset.mems"
    fi
    mount --bind "$below" "$tree"
done
echo > "$1/ready"
exec sleep infinity
"#;

/// Writes the programs `podman`, `docker` (the same) and the keeper to the folder `bin`, and podman's settings to
/// the stage's folder `dir`. With `rootless` it is run by a user who has no right but a range of ids.
pub(super) fn provide(home: &Path, dir: &Path, bin: &Path, rootless: bool) -> anyhow::Result<()> {
    fs::create_dir(bin)?;
    let (at, quoted) = (dir.display(), quoted(home));
    let keep = KEEP.replace('\'', r"'\''");
    let keeper = format!("exec unshare --mount -- sh -c '{keep}' {quoted} '{at}'");
    program(&bin.join(KEEPER), &keeper)?;
    // By its own path and search path: what this machine has under the same names is not meant.
    let user = if rootless {
        let start = user::known(&home.join("etc"), dir)?;
        format!("{start} XDG_RUNTIME_DIR=/run/user/{}", user::USER)
    } else {
        String::new()
    };
    let enter = format!(
        "read -r keeper < '{at}/pid'\n\
         exec nsenter --mount=\"/proc/$keeper/ns/mnt\" --wdns=\"$PWD\" -- {user} env PATH=/usr/sbin:/usr/bin \
         PODMAN_IGNORE_CGROUPSV1_WARNING=1 podman \"$@\""
    );
    program(&bin.join("podman"), &enter)?;
    symlink("podman", bin.join("docker"))?;
    settings(home, dir, rootless)
}

/// Starts the keeper and returns when the namespace is there.
pub(super) fn start(dir: &Path) -> anyhow::Result<Child> {
    let log = fs::File::create(dir.join("log"))?;
    let keeper = Command::new(KEEPER)
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .spawn()
        .context("podman's namespace could not be made")?;
    fs::write(dir.join("pid"), format!("{}\n", keeper.id()))?;
    Ok(keeper)
}

/// Whether the namespace is there.
pub(super) fn is_ready(dir: &Path) -> bool {
    dir.join("ready").exists()
}

/// As a machine without systemd wants them; registries on this machine speak plain http.
fn settings(home: &Path, dir: &Path, rootless: bool) -> anyhow::Result<()> {
    let at = dir.join("containers");
    fs::create_dir(&at)?;
    fs::copy(
        home.join("etc/containers/policy.json"),
        at.join("policy.json"),
    )
    .context("podman's policy.json is missing")?;
    let registries = "[[registry]]\nlocation = \"127.0.0.1\"\ninsecure = true\n";
    let mut storage = "[storage]\ndriver = \"overlay\"\n".to_owned();
    if !rootless {
        // A user has both at home.
        let dir = dir.display();
        storage += &format!("graphroot = \"{dir}/data\"\nrunroot = \"{dir}/exec\"\n");
    }
    // A limit that podman sets by itself, and that a kernel without that controller refuses.
    let containers = "[containers]\nlog_driver = \"k8s-file\"\npids_limit = 0\n[engine]\ncgroup_manager = \"cgroupfs\"\n\
         events_logger = \"file\"\n[network]\nnetwork_backend = \"netavark\"\n";
    // Where logins are kept there has to be a file.
    let logins = dir.join("config");
    fs::create_dir(&logins)?;
    fs::write(logins.join("config.json"), "{}")?;
    fs::write(at.join("registries.conf"), registries)?;
    fs::write(at.join("storage.conf"), storage)?;
    fs::write(at.join("containers.conf"), containers)?;
    Ok(())
}
