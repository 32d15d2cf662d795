//! The folder of a private stage: locked while its owner lives, and all that a killed owner left removed.

use std::fs::{self, DirBuilder, File};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use anyhow::Context;
use rustix::process::geteuid;

use super::cgroup::{CGROUPS, Cgroup};

const HOME: &str = "/var/tmp";
const PREFIX: &str = "deploy-steps-stage-";
/// The stage's cgroups of version 2 where this machine has none mounted: they were seen on the stage only.
const REMOVE_2: &str = r#"mount -t cgroup2 none /mnt && cd /mnt && [ -d "$0" ] || exit 0
    find "$0" -depth -type d -exec rmdir {} +"#;

/// A stage's folder and its lock, which the kernel frees however this process ends.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    _lock: File,
}

impl Folder {
    pub(super) fn create() -> anyhow::Result<Folder> {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
        let id = format!("{}-{:x}", std::process::id(), now.as_millis());
        let path = Path::new(HOME).join(format!("{PREFIX}{id}"));
        // It gets its name only when it is locked: a folder of that name without a lock is a dead one.
        let new = Path::new(HOME).join(format!(".new-{PREFIX}{id}"));
        let make = || -> io::Result<File> {
            DirBuilder::new().mode(0o700).create(&new)?;
            let lock = File::create(new.join("lock"))?;
            lock.try_lock()?;
            fs::rename(&new, &path)?;
            Ok(lock)
        };
        let lock =
            make().with_context(|| format!("the stage's folder {} failed", path.display()))?;
        Ok(Folder { path, _lock: lock })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Removes the folder and the engine's cgroups; nothing may run on the stage any more.
    pub(super) fn remove(self) -> anyhow::Result<()> {
        remove(&self.path)
    }
}

/// Removes what killed runs have left; what resists is left to the next run.
pub(super) fn sweep() {
    for entry in fs::read_dir(HOME).into_iter().flatten().flatten() {
        let ours = entry.file_name().to_string_lossy().starts_with(PREFIX)
            && fs::symlink_metadata(entry.path())
                .is_ok_and(|it| it.is_dir() && it.uid() == geteuid().as_raw());
        if ours && is_dead(&entry.path()) {
            let _ = remove(&entry.path());
        }
    }
}

fn is_dead(path: &Path) -> bool {
    match File::open(path.join("lock")) {
        Ok(lock) => lock.try_lock().is_ok(),
        Err(error) => error.kind() == ErrorKind::NotFound,
    }
}

fn remove(path: &Path) -> anyhow::Result<()> {
    // After a kill the kernel may still be taking the namespaces down.
    let end = Instant::now() + Duration::from_secs(10);
    loop {
        match unmount(path)
            .and_then(|()| remove_cgroups(path))
            .and_then(|()| remove_all(path))
        {
            Ok(()) => return Ok(()),
            Err(error) if Instant::now() > end => {
                return Err(error).with_context(|| {
                    format!("{} could not be removed, remove it by hand", path.display())
                });
            }
            Err(_) => thread::sleep(Duration::from_millis(50)),
        }
    }
}

// Mounts live in the stage's own namespace and die with it; this is for those made by hand from outside.
fn unmount(path: &Path) -> io::Result<()> {
    let table = fs::read_to_string("/proc/self/mountinfo")?;
    let points = table.lines().filter_map(|line| line.split(' ').nth(4));
    let below: Vec<&str> = points
        .filter(|at| Path::new(at).starts_with(path))
        .collect();
    for point in below.iter().rev() {
        Command::new("umount").args(["-l", point]).status()?;
    }
    Ok(())
}

fn remove_cgroups(path: &Path) -> io::Result<()> {
    let Some(name) = path.file_name() else {
        return Ok(());
    };
    // Version 2 has one tree right here, version 1 one in a folder for each controller.
    remove_tree(&Path::new(CGROUPS).join(name))?;
    for controller in fs::read_dir(CGROUPS).into_iter().flatten().flatten() {
        remove_tree(&controller.path().join(name))?;
    }
    if Cgroup::here() == Cgroup::V1 && geteuid().is_root() {
        let sh = ["--mount", "sh", "-c", REMOVE_2];
        let done = Command::new("unshare")
            .args(sh)
            .arg(name)
            .stderr(Stdio::null())
            .status()?;
        return done
            .success()
            .then_some(())
            .ok_or(io::Error::other("its cgroups are still in use"));
    }
    Ok(())
}

// Cgroups hold files that cannot be removed one by one: only the folders go, the innermost first.
fn remove_tree(cgroup: &Path) -> io::Result<()> {
    for entry in fs::read_dir(cgroup).into_iter().flatten().flatten() {
        if entry.file_type()?.is_dir() {
            remove_tree(&entry.path())?;
        }
    }
    gone(fs::remove_dir(cgroup))
}

fn remove_all(path: &Path) -> io::Result<()> {
    gone(fs::remove_dir_all(path))
}

fn gone(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Ok(())
        }
        other => other,
    }
}
