//! A real machine: the root folder of one on a disk, with Debian's own kernel, in qemu by software emulation.
//!
//! Its plug can be pulled, it reboots, it has cgroups of version 2 with all controllers, AppArmor, and the kernel's own
//! modules. It is many times slower than the machine that it runs on: what runs there must be patient.

mod disk;
mod login;
mod qemu;
mod running;

use std::env;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;

use super::Machine;
use super::needs::{self, Need};
pub use running::Vm;

/// The variable that names the machine which tests boot in qemu, and on such a machine itself says that it is one.
pub const VM: &str = "DEPLOY_STEPS_VM";

const NEEDS: [Need; 6] = [
    ("qemu-system-x86_64", "qemu-system-x86"),
    ("qemu-img", "qemu-utils"),
    ("mkfs.ext4", "e2fsprogs"),
    ("ssh", "openssh-client"),
    ("ssh-keygen", "openssh-client"),
    ("setpriv", "util-linux"),
];

/// How many times slower than this machine it is, with something to spare.
const SLOWER: u32 = 10;

/// Whether this process runs on such a machine, which is slow.
pub fn on_vm() -> bool {
    super::on_machine() && env::var_os(VM).is_some()
}

/// So long, or many times that on such a machine.
pub fn patience(here: Duration) -> Duration {
    if on_vm() { here * SLOWER } else { here }
}

/// What it takes to make the disk of such a machine, and to boot it.
///
/// # Errors
/// When the target folder is unknown.
pub fn vm_needs(machine: &Machine) -> anyhow::Result<Vec<Need>> {
    Ok([&machine.needs()?[..], &NEEDS].concat())
}

/// Where an installed program lies.
fn found(program: &str) -> anyhow::Result<PathBuf> {
    needs::find(program).with_context(|| format!("{program} is not installed"))
}
