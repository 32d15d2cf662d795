//! A machine at native speed: a Debian release with systemd as its first process, cgroups of version 2, and its own
//! Docker, journal, logins, sshd and network, in namespaces.
//!
//! Its root folder is made once and stays as it is: each machine works on a layer of its own above it. The workspace and
//! cargo's folders are there under the same names, so that the tests that are built here run there.

mod boot;
mod root;

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};

use super::here::MACHINE;
use super::inner::ELSEWHERE;
use super::needs::{self, DEBOOTSTRAP, Need};
use super::private::{self, Signals, watch};
use super::{ENGINE, STAGE};
use crate::cargo;
use crate::process::scrub;
use boot::Booted;
use root::Root;

/// Each machine's name, and the Debian release it is.
const KNOWN: [(&str, &str); 3] = [
    ("debian@12", "bookworm"),
    ("debian@13", "trixie"),
    ("debian@14", "forky"),
];

/// The programs that start one.
const NEEDS: [Need; 3] = [
    ("unshare", "util-linux"),
    ("nsenter", "util-linux"),
    ("setpriv", "util-linux"),
];

/// What would lead a command to services of the user who called it, which are not on the machine.
const OUTSIDE: [&str; 6] = [
    "DBUS_SESSION_BUS_ADDRESS",
    "DOCKER_HOST",
    "INVOCATION_ID",
    "JOURNAL_STREAM",
    "TMPDIR",
    "XDG_RUNTIME_DIR",
];

/// A Debian release to be booted in namespaces.
#[derive(Debug, Clone)]
pub struct Machine {
    name: &'static str,
    release: &'static str,
}

impl Machine {
    /// The names of all machines.
    pub fn names() -> [&'static str; KNOWN.len()] {
        KNOWN.map(|it| it.0)
    }

    /// The machine of that name.
    ///
    /// # Errors
    /// When there is none.
    pub fn named(name: &str) -> anyhow::Result<Machine> {
        let known = KNOWN.into_iter().find(|it| it.0 == name);
        let (name, release) = known.with_context(|| {
            let names = Machine::names().join(", ");
            format!("no machine is called {name}: use one of {names}")
        })?;
        Ok(Machine { name, release })
    }

    /// Whether its root folder is there, made as it would be made now.
    ///
    /// # Errors
    /// When the target folder is unknown.
    pub fn is_made(&self) -> anyhow::Result<bool> {
        Ok(self.root()?.is_made())
    }

    /// Makes its root folder, unless it is there already; this takes a network, and some minutes.
    ///
    /// # Errors
    /// When a package cannot be had.
    pub fn make(&self) -> anyhow::Result<()> {
        self.root()?.make()
    }

    /// What it takes to start one, and to make its root folder, if it is not made yet.
    ///
    /// # Errors
    /// When the target folder is unknown.
    pub fn needs(&self) -> anyhow::Result<Vec<Need>> {
        let make = (!self.is_made()?).then_some(DEBOOTSTRAP);
        Ok(NEEDS.into_iter().chain(make).collect())
    }

    /// Boots one, runs `argv` in it, and returns its exit code; the machine ends with the command.
    pub(super) fn run(&self, argv: &[OsString]) -> anyhow::Result<i32> {
        ensure!(!argv.is_empty(), "no command to run: name one after --");
        let root = self.root()?;
        root.make()?;
        let shared = shared()?;
        private::in_folder(|dir, signals| {
            let mut machine = Booted::start(dir, root.path(), &shared)?;
            let code = machine.wait(signals).and_then(|()| match signals.caught() {
                Some(code) => Ok(code),
                None => self.work(&machine, dir, &shared, argv, signals),
            });
            machine.end()?;
            code
        })
    }

    fn work(
        &self,
        machine: &Booted,
        dir: &Path,
        shared: &[PathBuf],
        argv: &[OsString],
        signals: &Signals,
    ) -> anyhow::Result<i32> {
        let here = env::current_dir()?;
        let is_there = shared.iter().any(|it| here.starts_with(it));
        let mut folder = OsString::from("--wdns=");
        folder.push(if is_there { &here } else { cargo::workspace() });
        let mut command = machine.enter()?;
        command
            .arg(folder)
            // A cgroup of its own, as a login's or a service's command has.
            .args(["--", "systemd-run", "--quiet", "--scope", "--"])
            .args(argv);
        for name in ELSEWHERE.iter().chain(&OUTSIDE) {
            command.env_remove(name);
        }
        let mut child = scrub(&mut command)
            .env("PATH", needs::path())
            .env("DOCKER_CONFIG", dir.join("config"))
            .env(STAGE, dir)
            .env(ENGINE, format!("{MACHINE}{}", self.name))
            .spawn()
            .context("`setpriv` could not be started")?;
        watch(&mut child, signals)
    }

    /// Where its root folder lies once it is made.
    pub(super) fn path(&self) -> anyhow::Result<PathBuf> {
        Ok(self.root()?.path().to_owned())
    }

    fn root(&self) -> anyhow::Result<Root> {
        Root::of(self.name, self.release)
    }
}

/// What a machine has for itself.
const ITS_OWN: [&str; 6] = ["/dev", "/proc", "/run", "/sys", "/tmp", "/var/tmp"];

/// The folders that are the same on the machine as here: the workspace, and where cargo has its things.
///
/// # Errors
/// When one of them is where a machine has a folder of its own.
fn shared() -> anyhow::Result<Vec<PathBuf>> {
    let home = PathBuf::from(env::var_os("HOME").unwrap_or_default());
    let of_cargo = [("CARGO_HOME", ".cargo"), ("RUSTUP_HOME", ".rustup")];
    let of_cargo = of_cargo.map(|(name, usual)| match env::var_os(name) {
        Some(path) => PathBuf::from(path),
        None => home.join(usual),
    });
    let mut shared = vec![cargo::workspace().to_owned(), cargo::target_dir()?];
    shared.extend(of_cargo);
    shared.retain(|it| it.is_dir());
    shared.sort();
    // What lies in another one is there already.
    shared.dedup_by(|inner, outer| inner.starts_with(outer));
    for folder in &shared {
        let hidden = ITS_OWN.into_iter().find(|its| folder.starts_with(its));
        ensure!(
            hidden.is_none(),
            "{} would be hidden by the machine's own {}: move it elsewhere",
            folder.display(),
            hidden.unwrap_or_default()
        );
    }
    Ok(shared)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_name_is_an_error_that_lists_the_known_ones() {
        let error = Machine::named("debian@1").unwrap_err();
        for name in Machine::names() {
            assert!(error.to_string().contains(name), "{error}");
        }
    }
}
