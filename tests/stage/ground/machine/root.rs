//! A machine's root folder: what is installed in it, and how it is made.

use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, ensure};

use crate::cargo;
use crate::ground::private::sealed;
use crate::ground::root::{self, debootstrap};

/// What makes a release a system; all else is installed in it, as debootstrap knows no alternatives.
const SYSTEM: &str = "systemd-sysv,dbus,udev,libpam-systemd,ca-certificates";

/// What the steps' users have, what the tests ask for, and firewalls and servers that are tried beside the steps.
/// The last line is for cargo, which may have to link.
const PACKAGES: &str = "docker.io docker-compose docker-registry iproute2 iptables nftables conntrack ipset kmod procps psmisc \
    openssh-server openssh-client sudo chromium shellcheck faketime jq curl nodejs man-db \
    ufw firewalld nginx haproxy \
    gcc libc6-dev git python3";

/// Newer releases keep the client in a package of its own.
const CLIENT: &str = "docker-cli";

/// What the packages would have run from the first boot on: others than the tests' own servers, and what is at work
/// now and then.
const OFF: &str = "docker-registry ufw firewalld nginx haproxy apt-daily.timer apt-daily-upgrade.timer man-db.timer \
    dpkg-db-backup.timer fstrim.timer";

const INSTALL: &str = include_str!("install.sh");

/// The root folder of a machine.
#[derive(Debug)]
pub(super) struct Root {
    release: &'static str,
    home: PathBuf,
}

impl Root {
    /// That of the machine of this name and release.
    pub(super) fn of(name: &str, release: &'static str) -> anyhow::Result<Root> {
        let home = cargo::target_dir()?.join("machines").join(name);
        Ok(Root { release, home })
    }

    /// Where it lies once it is made.
    pub(super) fn path(&self) -> &Path {
        &self.home
    }

    /// Whether it is there, made as it would be made now.
    pub(super) fn is_made(&self) -> bool {
        root::is_made(&self.recipe(), &self.home)
    }

    /// Makes it, unless it is there already.
    pub(super) fn make(&self) -> anyhow::Result<()> {
        root::make(&self.recipe(), &self.home, |half| {
            debootstrap(self.release, SYSTEM, half)?;
            self.install(half)
        })
        .with_context(|| format!("a machine could not be made from Debian {}", self.release))
    }

    fn packages(&self) -> impl Iterator<Item = &'static str> {
        let client = (self.release != "bookworm").then_some(CLIENT);
        PACKAGES.split_whitespace().chain(client)
    }

    fn install(&self, half: &Path) -> anyhow::Result<()> {
        let status = sealed(&[])
            .args(["sh", "-c", INSTALL, "sh"])
            .arg(half)
            .arg(OFF)
            .args(self.packages())
            .stdin(Stdio::null())
            .stdout(io::stderr().as_fd().try_clone_to_owned()?)
            .status()
            .context("`sh` could not be started")?;
        ensure!(status.success(), "its packages could not be installed");
        Ok(())
    }

    /// All that it is made of.
    fn recipe(&self) -> String {
        let packages: Vec<&str> = self.packages().collect();
        let words = packages.join(" ");
        let release = self.release;
        format!("{release}\n{SYSTEM}\n{words}\n{OFF}\n{INSTALL}")
    }
}
