//! A machine that runs in qemu, and what is done with it.

use std::env;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use tempfile::TempDir;

use super::VM;
use super::disk::{self, Disk};
use super::qemu::Qemu;
use crate::cargo;
use crate::ground::here::MACHINE;
use crate::ground::root::quoted;
use crate::ground::{ENGINE, Machine, STAGE};
use crate::process::{Run, run_within};

/// How long a boot may take, and anything else.
const LIMIT: Duration = Duration::from_secs(900);

/// Mounts the disk with what was built, and shows its folders under their own names.
const MOUNT: &str = r#"mkdir -p /srv/built /var/lib/stage && mount -o ro /dev/vdb /srv/built
for folder; do mkdir -p "$folder" && mount --bind "/srv/built$folder" "$folder"; done"#;

/// What tests of this program find there: a folder as a stage's, and a cargo that has nothing to build.
const ROOM: &str = "RUST_BACKTRACE=0 CARGO=/srv/built/cargo";
const FOLDER: &str = "/var/lib/stage";

/// A machine that runs in qemu, on a copy of its disk; both are gone when it is dropped.
#[derive(Debug)]
pub struct Vm {
    // In this order they end.
    qemu: Qemu,
    machine: String,
    dir: TempDir,
}

impl Vm {
    /// Boots the machine that [`VM`] names, with a fresh disk.
    ///
    /// # Errors
    /// When its disk cannot be made, or it does not come up.
    pub fn boot() -> anyhow::Result<Vm> {
        let name = env::var(VM).context("no machine is named: cargo xtask test --vm debian@13")?;
        let machine = Machine::named(&name)?;
        machine.make()?;
        let disk = Disk::of(machine.path()?);
        disk.make()?;
        // Not where the others are, as that may be memory.
        let dir = tempfile::tempdir_in("/var/tmp")?;
        disk::built(&dir.path().join("tree"), &dir.path().join("built"))?;
        let vm = Vm {
            qemu: Qemu::start(&disk, dir.path())?,
            machine: name,
            dir,
        };
        vm.wait()?;
        Ok(vm)
    }

    /// Where the machine's port 8080 answers here.
    pub fn app(&self) -> SocketAddr {
        self.qemu.app()
    }

    /// Waits until its services are up and what was built is there.
    ///
    /// # Errors
    /// When that takes longer than a quarter of an hour.
    pub fn wait(&self) -> anyhow::Result<()> {
        let up = "systemctl is-system-running --wait; docker version";
        self.until(|| self.ok(up).is_ok())?;
        let folders = folders()?;
        let folders: Vec<String> = folders.iter().map(|it| quoted(it)).collect();
        self.ok(&format!("set -e -- {}\n{MOUNT}", folders.join(" ")))?;
        Ok(())
    }

    /// What it calls its present boot.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn boot_id(&self) -> anyhow::Result<String> {
        self.ok("cat /proc/sys/kernel/random/boot_id")
    }

    /// Waits until it is up after the boot that is called `before`.
    ///
    /// # Errors
    /// When that takes longer than twice a quarter of an hour.
    pub fn wait_for_reboot(&self, before: &str) -> anyhow::Result<()> {
        self.until(|| self.boot_id().is_ok_and(|it| it != before))?;
        self.wait()
    }

    /// Waits until it answers, and `is` so.
    fn until(&self, is: impl Fn() -> bool) -> anyhow::Result<()> {
        let end = Instant::now() + LIMIT;
        while !(self.qemu.login().is_open() && is()) {
            let said = self.qemu.console();
            ensure!(Instant::now() < end, "the machine is not up:\n{said}");
            thread::sleep(Duration::from_millis(500));
        }
        Ok(())
    }

    /// Runs a script there.
    ///
    /// # Errors
    /// When it does not end in time.
    pub fn sh(&self, script: &str) -> anyhow::Result<Run> {
        let mut ssh = self.qemu.login().command();
        run_within(ssh.arg(script), None, LIMIT)
    }

    /// Runs a script there that must not fail; what it said.
    ///
    /// # Errors
    /// When it fails.
    pub fn ok(&self, script: &str) -> anyhow::Result<String> {
        let run = self.sh(script)?;
        ensure!(run.code == 0, "{script}: {run:?}");
        Ok(run.stdout.trim().to_owned())
    }

    /// A script there that begins when a line is written to it: the login is over by then.
    ///
    /// # Errors
    /// When ssh cannot be started.
    pub fn ready(&self, script: &str) -> anyhow::Result<Child> {
        let mut ssh = self.qemu.login().command();
        ssh.arg(format!("read _; {script}"));
        ssh.stdin(Stdio::piped());
        ssh.stdout(Stdio::null()).stderr(Stdio::null());
        let child = ssh.spawn().context("`ssh` could not be started")?;
        thread::sleep(Duration::from_secs(3));
        Ok(child)
    }

    /// Runs one of the tests of this program there.
    ///
    /// # Errors
    /// When it does not end in time.
    pub fn test(&self, words: &[&str]) -> anyhow::Result<Run> {
        let here = quoted(cargo::workspace());
        let engine = format!("{MACHINE}{}", self.machine);
        let engine = quoted(Path::new(&engine));
        let (program, words) = (quoted(&env::current_exe()?), words.join(" "));
        self.sh(&format!(
            "cd {here} && exec env {ROOM} {STAGE}={FOLDER} {ENGINE}={engine} {VM}=1 \
             {program} --nocapture --exact {words}"
        ))
    }

    /// The power fails.
    ///
    /// # Errors
    /// When qemu cannot be killed.
    pub fn pull_plug(&mut self) -> anyhow::Result<()> {
        self.qemu.kill()
    }

    /// The power is back.
    ///
    /// # Errors
    /// When qemu cannot be started.
    pub fn plug_in(&mut self) -> anyhow::Result<()> {
        self.qemu.again(self.dir.path())
    }
}

/// The folders that are there under the same names.
fn folders() -> anyhow::Result<Vec<PathBuf>> {
    let mut folders = vec![cargo::workspace().to_owned(), cargo::target_dir()?];
    folders.dedup_by(|inner, outer| inner.starts_with(outer));
    Ok(folders)
}
