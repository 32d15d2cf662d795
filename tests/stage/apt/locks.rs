//! The locks by which dpkg and apt keep others out, and who has one.

use std::fmt::{self, Display, Formatter};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};
use rustix::process::{Flock, FlockType, fcntl_getlk};

/// The files, wherever this machine's settings have them.
pub(super) struct Locks([PathBuf; 4]);

/// A lock, and the process that has it; none where that is in a namespace or on a machine of its own.
#[derive(PartialEq)]
pub(super) struct Held {
    lock: PathBuf,
    by: Option<(i32, String)>,
}

impl Locks {
    /// Asks `apt-config`.
    pub(super) fn of(mut apt_config: Command) -> anyhow::Result<Self> {
        let output = apt_config
            .args(["shell", "DPKG", "Dir::State::status/f"])
            .args(["LISTS", "Dir::State::lists/d"])
            .args(["ARCHIVES", "Dir::Cache::archives/d"])
            .output()
            .context("`apt-config` could not be started")?;
        ensure!(output.status.success(), "`apt-config shell` failed");
        let said = String::from_utf8_lossy(&output.stdout);
        let path = |name: &str| {
            let line = said.lines().find_map(|it| it.strip_prefix(name));
            let line = line.and_then(|it| it.strip_prefix('='));
            let path = line.map(|it| PathBuf::from(it.trim_matches('\'')));
            path.with_context(|| format!("`apt-config shell` does not say {name}"))
        };
        let dpkg = path("DPKG")?;
        Ok(Self([
            dpkg.with_file_name("lock-frontend"),
            dpkg.with_file_name("lock"),
            path("LISTS")?.join("lock"),
            path("ARCHIVES")?.join("lock"),
        ]))
    }

    /// The first one that somebody has.
    pub(super) fn held(&self) -> Option<Held> {
        self.0.iter().find_map(|lock| {
            Some(Held {
                by: holder(lock)?,
                lock: lock.clone(),
            })
        })
    }
}

/// Whether somebody has it, and who; one that cannot be opened is for apt-get to tell of.
fn holder(lock: &Path) -> Option<Option<(i32, String)>> {
    let file = File::open(lock).ok()?;
    let wanted = Flock::from(FlockType::WriteLock);
    let found = fcntl_getlk(&file, &wanted).ok()??;
    let pid = found.pid.map(|pid| pid.as_raw_nonzero().get());
    Some(pid.and_then(|pid| {
        let name = fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
        Some((pid, name.trim().replace(char::is_control, "?")))
    }))
}

impl Display for Held {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let lock = self.lock.display();
        match &self.by {
            Some((pid, name)) => write!(f, "{name} (pid {pid}) holds {lock}"),
            None => write!(
                f,
                "a process that is not seen from here, such as one in another container, holds {lock}"
            ),
        }
    }
}
