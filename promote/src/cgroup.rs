//! Out of the caller's cgroup, where what is to outlive a promotion outlives its unit as well.
//!
//! A service manager that ends a unit kills every process in the unit's cgroup, whatever its session. So does logind with a
//! login whose connection is cut. Heir and forwarders would end with the promotion: nobody would finish it, and clients that
//! a forwarder serves would get nothing. So the heir gets a transient scope. `systemd-run --scope` moves itself there and
//! then becomes the heir, which therefore stays our child and keeps its streams; a transient service would not. A scope took
//! 25 to 80 ms, so forwarders get none of their own: they join the heir's. Another user than root asks the manager of his
//! own units, which outlives his login by ten seconds, or for good where he lingers. Without systemd, or where it refuses, all
//! stay where they are, in sessions of their own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use step::model::name::Name;

/// Where systemd says that it runs this machine (`sd_booted(3)`).
const BOOTED: &str = "/run/systemd/system";
/// The variable by which a user's manager of units is found (`pam_systemd(8)`).
const USERS_MANAGER: &str = "XDG_RUNTIME_DIR";
/// After a shutdown's SIGTERM an heir at work has as long as a container's usual end.
const STOP: &str = "--property=TimeoutStopSec=10s";

/// A cgroup outside of the caller's, by the files that let a process in; of none where there is no such.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cgroup(Vec<PathBuf>);

/// The start of a command that runs this very program in a scope of its own, where this user can have one.
pub(crate) fn scope(live: &Name) -> Option<Command> {
    let is_root = rustix::process::geteuid().is_root();
    let has_manager = is_root || std::env::var_os(USERS_MANAGER).is_some();
    let program = std::env::current_exe().ok();
    let program = program.filter(|_| has_manager && Path::new(BOOTED).exists())?;
    let ours = std::process::id();
    // Replaced by a newer one meanwhile, it is still to be had.
    let program = match program.exists() {
        true => program,
        false => PathBuf::from(format!("/proc/{ours}/exe")),
    };
    let mut command = Command::new("systemd-run");
    command
        .args((!is_root).then_some("--user"))
        .args(["--scope", "--quiet", "--collect", STOP])
        .arg(format!("--unit=deploy-steps-{live}-{ours}"))
        .arg(format!("--description=heir of the promotion of {live}"))
        .arg("--")
        .arg(program);
    Some(command)
}

impl Cgroup {
    /// Where this process is.
    pub(crate) fn of(process: &Child) -> Self {
        let groups = fs::read_to_string(format!("/proc/{}/cgroup", process.id()));
        Self(doors(&groups.unwrap_or_default()))
    }

    /// Moves a process there; where that fails it stays where it is.
    pub(crate) fn take_in(&self, process: &Child) {
        for door in &self.0 {
            let _ = fs::write(door, process.id().to_string());
        }
    }
}

/// The hierarchy by which systemd knows a unit's processes: version 2, the one beside version 1, or its own of version 1.
fn doors(groups: &str) -> Vec<PathBuf> {
    let at = |place: &str, group: &str| {
        let path = format!("/sys/fs/cgroup/{place}{group}/cgroup.procs");
        Some(PathBuf::from(path)).filter(|path| path.exists())
    };
    let of = |line: &str| match line.split_once("::") {
        Some(("0", group)) => [at("", group), at("unified", group)],
        _ => [
            line.split_once(":name=systemd:")
                .and_then(|(_, group)| at("systemd", group)),
            None,
        ],
    };
    groups.lines().flat_map(of).flatten().collect()
}
