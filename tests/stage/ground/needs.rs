//! The programs that a stage takes, and how they get onto this machine.

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;

use anyhow::{bail, ensure};
use rustix::process::geteuid;

use super::Ground;
use crate::apt;

/// A program, and the Debian package that holds it.
pub type Need = (&'static str, &'static str);

const ALWAYS: [Need; 3] = [
    ("docker-registry", "docker-registry"),
    ("nft", "nftables"),
    ("ip", "iproute2"),
];
const PRIVATE: [Need; 5] = [
    ("dockerd", "docker.io"),
    ("docker", "docker.io"),
    ("iptables", "iptables"),
    ("unshare", "util-linux"),
    ("setpriv", "util-linux"),
];

/// Makes root folders; signatures are only checked where the keys are.
pub(super) const DEBOOTSTRAP: Need = ("debootstrap", "debootstrap debian-archive-keyring");

/// What a stage on `ground` takes.
pub(super) fn of(ground: Ground) -> Vec<Need> {
    let private = PRIVATE.iter().filter(|_| ground == Ground::Private);
    ALWAYS.iter().chain(private).copied().collect()
}

/// Sees to it that all `needs` are there; one sentence when something is missing.
///
/// # Errors
/// When something is missing and cannot be installed, or is not to be.
pub fn provide(install: bool, needs: &[Need]) -> anyhow::Result<()> {
    let missing = missing(needs);
    if missing.is_empty() {
        return Ok(());
    }
    let names = list(&missing, |it| it.0);
    let packages = list(&missing, |it| it.1);
    if find("apt-get").is_none() {
        bail!("missing here: {names}; install them (on Debian they are in {packages})");
    }
    if !install {
        bail!("missing here: {names}; run this again with --install, or install {packages}");
    }
    ensure!(
        geteuid().is_root(),
        "missing here: {names}; only root can install {packages}: run this as root"
    );
    apt::get(&["update"])?;
    apt_install(&packages)?;
    // Newer releases keep the client in a package of its own.
    if self::missing(needs).iter().any(|it| it.0 == "docker") {
        apt_install("docker-cli")?;
    }
    let still = self::missing(needs);
    ensure!(
        still.is_empty(),
        "still missing after the installation: {}; install them by hand",
        list(&still, |it| it.0)
    );
    Ok(())
}

/// Where programs are looked for: PATH, and the folders for administrators that some users' PATH lacks.
pub(super) fn path() -> OsString {
    let mut path = env::var_os("PATH").unwrap_or_default();
    path.push(":/usr/sbin:/sbin");
    path
}

/// Where a program lies, if it is installed.
pub fn find(program: &str) -> Option<PathBuf> {
    which::which_in(program, Some(path()), "/").ok()
}

fn missing(needs: &[Need]) -> Vec<Need> {
    let missing = needs.iter().filter(|it| find(it.0).is_none());
    missing.copied().collect()
}

fn list(needs: &[Need], what: fn(&Need) -> &'static str) -> String {
    let mut names: Vec<&str> = needs.iter().map(what).collect();
    names.dedup();
    names.join(" ")
}

fn apt_install(packages: &str) -> anyhow::Result<()> {
    let mut args = vec!["install", "-y", "--no-install-recommends"];
    args.extend(packages.split(' '));
    apt::get(&args)
}
