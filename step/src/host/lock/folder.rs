//! The one folder that the locks are in: its mode says who may lock, and nothing else does.
//!
//! In a folder that everybody may write to, anybody makes, replaces or holds a lock, and of two users one may find no
//! file that he can open. So the folder is our own: `/run/deploy-steps`, of root's and of those who may use the engine.
//! Whoever is in the engine's group is as good as root, so a file in there is believed to be a lock whoever made it. It
//! has to be a plain file of one name: a link would lead elsewhere, and a second name could be one that others can open.
//! It is never read or cut short. Where the folder cannot be used there is no other one: two promotions with a lock
//! each would be worse than none.
//!
//! A user with an engine of his own shares it with nobody: his folder is in `XDG_RUNTIME_DIR`.

use std::ffi::OsStr;
use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, RenameFlags, openat, renameat_with};
use rustix::process::geteuid;
use thiserror::Error;

/// Of root's and the engine's group.
const SHARED: &str = "/run/deploy-steps";
/// Those who may use root's engine.
const GROUP: &str = "docker";
/// No link is followed, and nothing is waited for.
pub(super) const OPEN: OFlags = OFlags::NOFOLLOW
    .union(OFlags::NONBLOCK)
    .union(OFlags::CLOEXEC);

/// Why there is no lock to be had.
#[derive(Debug, Error)]
#[error("{} cannot be used for locks: {why}", .path.display())]
pub struct LockError {
    pub(super) path: PathBuf,
    pub(super) why: String,
    /// The command that makes the folder.
    pub(crate) hint: String,
}

/// A folder of locks.
#[derive(Clone, Debug)]
pub struct Folder {
    pub(super) path: PathBuf,
    /// Who must own it.
    owner: u32,
    /// The command that makes it.
    made_by: String,
}

impl Folder {
    /// That of root and the engine's group.
    pub fn shared() -> Self {
        Self {
            path: SHARED.into(),
            owner: 0,
            made_by: format!("sudo install -d -m 2770 -g {GROUP} {SHARED}"),
        }
    }

    /// That of a user who has an engine of his own.
    pub fn own() -> Self {
        let user = geteuid().as_raw();
        let given = std::env::var_os("XDG_RUNTIME_DIR").filter(|it| !it.is_empty());
        let run = given.map_or_else(|| format!("/run/user/{user}").into(), PathBuf::from);
        Self::at(run.join("deploy-steps"))
    }

    fn at(path: PathBuf) -> Self {
        Self {
            owner: geteuid().as_raw(),
            made_by: format!("install -d -m 700 {}", path.display()),
            path,
        }
    }

    pub(super) fn refused(&self, path: &Path, why: &dyn ToString) -> LockError {
        LockError {
            path: path.to_owned(),
            why: why.to_string(),
            hint: format!("make its folder by `{}`", self.made_by),
        }
    }

    /// Opens it, checked; whoever is to own it makes it where it is missing.
    pub(super) fn open(&self) -> Result<OwnedFd, LockError> {
        let opened = self.open_there().or_else(|error| match error.kind() {
            ErrorKind::NotFound if geteuid().as_raw() == self.owner => {
                self.make().and_then(|()| self.open_there())
            }
            _ => Err(error),
        });
        let refused = |why: &dyn ToString| self.refused(&self.path, why);
        let folder = opened.map_err(|error| match error.kind() {
            ErrorKind::NotFound => refused(&"there is no such folder"),
            ErrorKind::NotADirectory => LockError {
                hint: format!("remove what is there, then make it by `{}`", self.made_by),
                ..refused(&"it is a link or no folder")
            },
            _ => refused(&error),
        })?;
        let found = File::from(folder);
        let about = found.metadata().map_err(|error| refused(&error))?;
        if about.uid() != self.owner {
            return Err(refused(&format!("it belongs to user {}", about.uid())));
        }
        if about.mode() & 0o002 != 0 {
            return Err(refused(&"everybody may write to it"));
        }
        Ok(found.into())
    }

    fn open_there(&self) -> io::Result<OwnedFd> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OPEN;
        Ok(openat(CWD, &self.path, flags, Mode::empty())?)
    }

    /// It gets its name when it has its group and its mode: others may look for it meanwhile.
    fn make(&self) -> io::Result<()> {
        let name = self.path.file_name().unwrap_or(OsStr::new("locks"));
        let new = format!(".{}.{}", name.to_string_lossy(), std::process::id());
        let new = self.path.with_file_name(new);
        // Of a process that had this one's number and was killed.
        let _ = fs::remove_dir(&new);
        DirBuilder::new().mode(0o700).create(&new)?;
        let shared = self.path == Path::new(SHARED);
        let made = group().filter(|_| shared).map_or(Ok(()), |group| {
            chown(&new, None, Some(group))?;
            fs::set_permissions(&new, Permissions::from_mode(0o2770))
        });
        let made = made.and_then(|()| {
            let moved = renameat_with(CWD, &new, CWD, &self.path, RenameFlags::NOREPLACE);
            moved.map_err(io::Error::from)
        });
        made.or_else(|error| {
            let _ = fs::remove_dir(&new);
            match error.kind() {
                // Somebody else was faster.
                ErrorKind::AlreadyExists => Ok(()),
                _ => Err(error),
            }
        })
    }
}

/// The number of the engine's group, where there is one.
fn group() -> Option<u32> {
    let groups = fs::read_to_string("/etc/group").unwrap_or_default();
    let mut lines = groups.lines().map(|line| line.split(':'));
    let mut found = lines.find(|line| line.clone().next() == Some(GROUP))?;
    found.nth(2)?.parse().ok()
}

/// A folder for a test alone, with what keeps it.
#[cfg(test)]
pub(super) fn scratch() -> (tempfile::TempDir, Folder) {
    let kept = tempfile::tempdir().unwrap();
    let folder = Folder::at(kept.path().join("locks"));
    (kept, folder)
}

#[cfg(test)]
mod tests {
    use super::super::file::is_same;
    use super::*;
    use std::os::unix::fs::symlink;

    fn why(found: Result<File, LockError>) -> String {
        found.unwrap_err().to_string()
    }

    #[test]
    fn what_is_missing_is_made_and_is_its_owners_alone() {
        let (_kept, folder) = scratch();
        let file = folder.file("web.lock").unwrap();
        assert_eq!(file.metadata().unwrap().mode() & 0o7777, 0o660);
        let mode = fs::metadata(&folder.path).unwrap().mode();
        assert_eq!(mode & 0o7777, 0o700);
        assert!(is_same(&file, &folder.file("web.lock").unwrap()));
        let all = fs::read_dir(folder.path.parent().unwrap()).unwrap();
        assert_eq!(all.count(), 1);
    }

    #[test]
    fn a_folder_that_is_a_link_or_that_all_may_write_to_is_refused() {
        let (kept, folder) = scratch();
        let other = kept.path().join("other");
        fs::create_dir(&other).unwrap();
        symlink(&other, &folder.path).unwrap();
        let error = folder.file("web.lock").unwrap_err();
        assert!(error.to_string().contains("a link"), "{error}");
        assert!(error.hint.contains("remove what is there"), "{error:?}");
        fs::remove_file(&folder.path).unwrap();
        fs::create_dir(&folder.path).unwrap();
        fs::set_permissions(&folder.path, Permissions::from_mode(0o1777)).unwrap();
        assert!(why(folder.file("web.lock")).contains("everybody may write"));
        assert_eq!(fs::read_dir(&other).unwrap().count(), 0);
    }
}
