//! The lock of one app's promotion: a file lock, freed by the kernel however its holder ends.

use std::fs::{File, OpenOptions, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::Name;

/// Held for as long as the value lives.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock of the container's promotions, or returns `None` where another process
    /// holds it. Steps that only look whether it is free hold it for an instant, so a promotion
    /// gives it `patience`.
    ///
    /// # Errors
    /// When the lock file can be neither opened nor made.
    pub fn take(container: &Name, patience: Duration) -> io::Result<Option<Self>> {
        let file = open(container)?;
        let deadline = Instant::now() + patience;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Some(Self { _file: file })),
                Err(TryLockError::WouldBlock) if Instant::now() >= deadline => return Ok(None),
                Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(20)),
                Err(TryLockError::Error(error)) => return Err(error),
            }
        }
    }
}

/// `/run/lock`, which root and members of the docker group share; where it is root's alone
/// (Red Hat), the temporary folder.
fn open(container: &Name) -> io::Result<File> {
    let name = format!("deploy-steps-{container}.lock");
    let shared = open_file(&Path::new("/run/lock").join(&name));
    shared.or_else(|_| open_file(&std::env::temp_dir().join(&name)))
}

/// An existing file is opened without O_CREAT: the kernel refuses O_CREAT on another user's
/// file in a sticky folder (sysctl fs.protected_regular).
fn open_file(path: &Path) -> io::Result<File> {
    let existing = OpenOptions::new().read(true).write(true).open(path);
    existing.or_else(|_| {
        let mut options = OpenOptions::new();
        let made = options
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o666)
            .open(path)?;
        made.set_permissions(Permissions::from_mode(0o666))?;
        Ok(made)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_held_by_one_and_free_after_it() {
        let name: Name = format!("lock-test-{}", std::process::id()).parse().unwrap();
        let first = Lock::take(&name, Duration::ZERO).unwrap();
        assert!(first.is_some());
        assert!(Lock::take(&name, Duration::ZERO).unwrap().is_none());
        drop(first);
        assert!(Lock::take(&name, Duration::ZERO).unwrap().is_some());
    }
}
