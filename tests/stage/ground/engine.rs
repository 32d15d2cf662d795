//! The engines that a private stage can start: this machine's own, and those of Debian's releases.

use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use super::cgroup::Cgroup;
use super::here::{ROOTLESS, is_podman, is_rootless_docker};
use super::needs::{DEBOOTSTRAP, Need};
use super::{podman, root, rootless};

/// Each engine's name, and the Debian release whose packages hold it if it is not the installed one.
const KNOWN: [(&str, Option<&str>); 12] = [
    ("docker", None),
    ("docker@20.10", Some("bookworm")),
    ("docker@26", Some("trixie")),
    ("docker@28", Some("forky")),
    ("docker@28-containerd", Some("forky")),
    ("docker-rootless", None),
    ("docker@28-rootless", Some("forky")),
    ("podman@4", Some("bookworm")),
    ("podman@5", Some("trixie")),
    ("podman@5.8", Some("forky")),
    ("podman@4-rootless", Some("bookworm")),
    ("podman@5-rootless", Some("trixie")),
];

/// The end of the name of an engine that has containerd keep its images, as Docker 29 does, and the flag for it.
const CONTAINERD: &str = "-containerd";
const KEPT_BY_CONTAINERD: &str = "--feature=containerd-snapshotter=true";

/// What an engine's root folder is made of besides the bare release.
const DOCKER: &str = "docker.io,iptables,nftables,iproute2,ca-certificates";
const PODMAN: &str = "podman,netavark,aardvark-dns,crun,catatonit,uidmap,slirp4netns,passt,iptables,nftables,\
    iproute2,ca-certificates,util-linux";

/// An engine for a private stage.
#[derive(Debug, Clone)]
pub struct Engine {
    name: &'static str,
    release: Option<&'static str>,
    flags: Vec<String>,
    cgroup: Option<Cgroup>,
}

impl Engine {
    /// The names of all engines.
    pub fn names() -> [&'static str; KNOWN.len()] {
        KNOWN.map(|it| it.0)
    }

    /// The engine of that name, to be started with these flags besides the stage's own.
    ///
    /// # Errors
    /// When there is none.
    pub fn named(name: &str, flags: Vec<String>) -> anyhow::Result<Engine> {
        let known = KNOWN.into_iter().find(|it| it.0 == name);
        let (name, release) = known.with_context(|| {
            let names = Engine::names().join(", ");
            format!("no engine is called {name}: use one of {names}")
        })?;
        if is_podman(name) && !flags.is_empty() {
            bail!("{name} has no daemon that flags could be for");
        }
        let own = name
            .ends_with(CONTAINERD)
            .then(|| KEPT_BY_CONTAINERD.to_owned());
        Ok(Engine {
            name,
            release,
            flags: own.into_iter().chain(flags).collect(),
            cgroup: None,
        })
    }

    /// The same, which is to see cgroups of this version.
    #[must_use]
    pub fn with_cgroup(self, cgroup: Option<Cgroup>) -> Engine {
        Engine { cgroup, ..self }
    }

    pub(super) fn flags(&self) -> &[String] {
        &self.flags
    }

    pub(super) fn cgroup(&self) -> Option<Cgroup> {
        self.cgroup
    }

    /// What it takes to run the installed one, or to make the engine's root folder, if it is not made yet.
    pub(super) fn needs(&self) -> anyhow::Result<Vec<Need>> {
        let installed: &[Need] = match self.is_rootless_docker() {
            true => &rootless::NEEDS,
            false => &[],
        };
        Ok(match self.home()? {
            Some((release, home)) if !root::is_made(&self.packages(release), &home) => {
                vec![DEBOOTSTRAP]
            }
            Some(_) => Vec::new(),
            None => installed.to_vec(),
        })
    }

    /// Makes the engine's root folder, if it has one and is not made yet.
    pub(super) fn make(&self) -> anyhow::Result<()> {
        let Some((release, home)) = self.home()? else {
            return Ok(());
        };
        root::make_engine(release, &self.packages(release), &home)
            .with_context(|| format!("{} could not be made from Debian {release}", self.name))
    }

    /// What its root folder of this release holds.
    fn packages(&self, release: &str) -> String {
        let mut packages = if self.is_podman() { PODMAN } else { DOCKER }.to_owned();
        if !self.is_podman() && release != "bookworm" {
            // Newer releases keep the client in a package of its own, and nodes of a swarm run it.
            packages += ",docker-cli";
        }
        if self.is_rootless_docker() {
            packages = format!("{packages},{}", rootless::PACKAGES);
        }
        packages
    }

    /// Has `dockerd`, or podman under both names, be this engine's for all that look in the folder `bin` of the
    /// stage's folder `dir` first.
    pub(super) fn provide(&self, dir: &Path, bin: &Path) -> anyhow::Result<()> {
        let home = self.home()?.map(|it| it.1);
        if self.is_rootless_docker() {
            return rootless::provide(home.as_deref(), dir, bin);
        }
        match home {
            Some(home) if self.is_podman() => {
                podman::provide(&home, dir, bin, self.name.ends_with(ROOTLESS))
            }
            Some(home) => root::enter_for("dockerd", &home, bin),
            None => Ok(()),
        }
    }

    fn is_podman(&self) -> bool {
        is_podman(self.name)
    }

    fn is_rootless_docker(&self) -> bool {
        is_rootless_docker(self.name)
    }

    fn home(&self) -> anyhow::Result<Option<(&'static str, PathBuf)>> {
        let engines = crate::cargo::target_dir()?.join("engines");
        // Docker as another user takes more packages.
        let folder = match self.is_podman() {
            true => self.name.trim_end_matches(ROOTLESS),
            false => self.name.trim_end_matches(CONTAINERD),
        };
        Ok(self.release.map(|it| (it, engines.join(folder))))
    }
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)?;
        self.flags.iter().try_for_each(|flag| write!(f, " {flag}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_name_is_an_error_that_lists_the_known_ones() {
        let error = Engine::named("docker@1", Vec::new()).unwrap_err();
        for name in Engine::names() {
            assert!(error.to_string().contains(name), "{error}");
        }
    }

    #[test]
    fn flags_for_an_engine_without_a_daemon_are_an_error() {
        let error = Engine::named("podman@5", vec!["--debug".to_owned()]).unwrap_err();
        assert!(error.to_string().contains("no daemon"), "{error}");
    }

    #[test]
    fn an_engine_is_shown_with_its_flags() {
        let flags = ["--ipv6=false", "--debug"].map(str::to_owned).to_vec();
        let engine = Engine::named("docker@28", flags).unwrap();
        assert_eq!(engine.to_string(), "docker@28 --ipv6=false --debug");
    }
}
