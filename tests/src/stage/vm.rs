//! A real machine: the root folder of one on a disk, with Debian's own kernel, in qemu by software emulation.
//!
//! Its plug can be pulled, it reboots, it has cgroups of version 2 with all controllers, AppArmor, and the kernel's own
//! modules. It is many times slower than the machine that it runs on: what runs there must be patient.

mod disk;
mod qemu;

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use tempfile::TempDir;

use super::here::MACHINE;
use super::needs::{self, Need};
use super::{ENGINE, Machine, STAGE};
use crate::cargo;
use crate::process::{Run, run_within};
use crate::stage::root::quoted;
use disk::Disk;
use qemu::Qemu;

/// The variable that names the machine which tests boot in qemu, and on such a machine itself that it is one.
pub const VM: &str = "DEPLOY_STEPS_VM";

const NEEDS: [Need; 6] = [
    ("qemu-system-x86_64", "qemu-system-x86"),
    ("qemu-img", "qemu-utils"),
    ("mkfs.ext4", "e2fsprogs"),
    ("ssh", "openssh-client"),
    ("ssh-keygen", "openssh-client"),
    ("setpriv", "util-linux"),
];

/// How long a boot may take, and anything else.
const LIMIT: Duration = Duration::from_secs(900);

/// Where the disk with what was built is seen on the machine.
const BUILT: &str = "/srv/built";

/// Mounts that disk, and shows its folders under their own names.
const MOUNT: &str = r#"mkdir -p /srv/built /var/lib/stage && mount -o ro /dev/vdb /srv/built
for folder; do mkdir -p "$folder" && mount --bind "/srv/built$folder" "$folder"; done"#;

/// Whether this process runs on such a machine, which is slow.
pub fn on_vm() -> bool {
    super::on_machine() && env::var_os(VM).is_some()
}

/// So long, or many times that on such a machine.
pub fn patience(here: Duration) -> Duration {
    if on_vm() { here * 10 } else { here }
}

/// What it takes to make the disk of such a machine, and to boot it.
///
/// # Errors
/// When the target folder is unknown.
pub fn vm_needs(machine: &Machine) -> anyhow::Result<Vec<Need>> {
    Ok([&machine.needs()?[..], &NEEDS].concat())
}

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
    pub fn app(&self) -> std::net::SocketAddr {
        self.qemu.app()
    }

    /// Waits until its services are up and what was built is there.
    ///
    /// # Errors
    /// When that takes longer than a quarter of an hour.
    pub fn wait(&self) -> anyhow::Result<()> {
        let end = Instant::now() + LIMIT;
        while !self.is_up() {
            let said = self.qemu.console();
            ensure!(Instant::now() < end, "the machine is not up:\n{said}");
            thread::sleep(Duration::from_millis(500));
        }
        let folders = folders()?;
        let folders: Vec<String> = folders.iter().map(|it| quoted(it)).collect();
        self.ok(&format!("set -e -- {}\n{MOUNT}", folders.join(" ")))?;
        Ok(())
    }

    fn is_up(&self) -> bool {
        let asked = "systemctl is-system-running --wait; docker version";
        self.qemu.connect() && self.sh(asked).is_ok_and(|run| run.code == 0)
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
    /// When that takes longer than a quarter of an hour.
    pub fn wait_for_reboot(&self, before: &str) -> anyhow::Result<()> {
        let end = Instant::now() + LIMIT;
        while !(self.qemu.connect() && self.boot_id().is_ok_and(|it| it != before)) {
            ensure!(Instant::now() < end, "the machine does not reboot");
            thread::sleep(Duration::from_millis(500));
        }
        self.wait()
    }

    /// Runs a script there.
    ///
    /// # Errors
    /// When it does not end in time.
    pub fn sh(&self, script: &str) -> anyhow::Result<Run> {
        run_within(&mut self.ssh(script), None, LIMIT)
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
        let mut ssh = self.ssh(&format!("read _; {script}"));
        ssh.stdin(Stdio::piped());
        ssh.stdout(Stdio::piped()).stderr(Stdio::null());
        let child = ssh.spawn().context("`ssh` could not be started")?;
        thread::sleep(Duration::from_secs(3));
        Ok(child)
    }

    fn ssh(&self, script: &str) -> Command {
        let mut ssh = self.qemu.ssh();
        ssh.arg(script);
        ssh
    }

    /// Runs one of the tests of this program there.
    ///
    /// # Errors
    /// When it does not end in time.
    pub fn test(&self, words: &[&str]) -> anyhow::Result<Run> {
        let stage = "/var/lib/stage";
        let script = format!(
            "cd {} && exec env RUST_BACKTRACE=0 {STAGE}={stage} {ENGINE}={} {VM}=1 CARGO={BUILT}/cargo {} --nocapture --exact {}",
            quoted(cargo::workspace()),
            quoted(Path::new(&format!("{MACHINE}{}", self.machine))),
            quoted(&env::current_exe()?),
            words.join(" "),
        );
        self.sh(&script)
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

/// Where a program of qemu lies.
fn found(program: &str) -> anyhow::Result<PathBuf> {
    needs::find(program).with_context(|| format!("{program} is not installed"))
}
