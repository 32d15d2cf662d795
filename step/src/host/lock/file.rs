//! A lock's file: a plain one of one name, opened without following a link and without waiting at a pipe.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};

use rustix::fs::{Mode, OFlags, openat};
use rustix::process::geteuid;

use super::folder::{Folder, LockError, OPEN};

impl Folder {
    /// Opens the file of this name, which is made where it is missing.
    pub(super) fn file(&self, name: &str) -> Result<File, LockError> {
        let folder = self.open()?;
        let refused = |why: &dyn ToString| self.refused(&self.path.join(name), why);
        let file = openat(
            folder.as_fd(),
            name,
            OPEN | OFlags::RDWR | OFlags::CREATE,
            Mode::from_raw_mode(0o660),
        );
        let file = file.map_err(|error| refused(&io::Error::from(error)))?;
        let file = File::from(file);
        let about = is_plain(&file).map_err(|error| LockError {
            hint: "see who has put it there, and remove it".to_owned(),
            ..refused(&error)
        })?;
        // The umask has had its say, and a folder may not hand its group on.
        if about.uid() == geteuid().as_raw() {
            let group = File::from(folder).metadata().map(|it| it.gid());
            let shared = group.and_then(|group| {
                let other = (about.gid() != group).then_some(group);
                other.map_or(Ok(()), |group| fchown(&file, None, Some(group)))?;
                file.set_permissions(Permissions::from_mode(0o660))
            });
            shared.map_err(|error| refused(&error))?;
        }
        Ok(file)
    }
}

/// A plain file of one name.
pub(super) fn is_plain(file: &File) -> io::Result<fs::Metadata> {
    let about = file.metadata()?;
    if about.is_file() && about.nlink() == 1 {
        return Ok(about);
    }
    Err(io::Error::other("it is no plain file of one name"))
}

/// Whether both are the same file.
pub(super) fn is_same(one: &File, other: &File) -> bool {
    let of = |file: &File| file.metadata().map(|it| (it.dev(), it.ino()));
    matches!((of(one), of(other)), (Ok(one), Ok(other)) if one == other)
}

#[cfg(test)]
mod tests {
    use super::super::folder::scratch;
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn links_and_pipes_and_files_of_two_names_are_refused_and_left_as_they_are() {
        let (kept, folder) = scratch();
        folder.file("web.lock").unwrap();
        let precious = kept.path().join("precious");
        fs::write(&precious, "kept").unwrap();
        symlink(&precious, folder.path.join("link")).unwrap();
        fs::hard_link(&precious, folder.path.join("second")).unwrap();
        fs::create_dir(folder.path.join("folder")).unwrap();
        let pipe = std::process::Command::new("mkfifo")
            .arg(folder.path.join("pipe"))
            .status();
        assert!(pipe.unwrap().success());
        for name in ["link", "second", "folder", "pipe"] {
            let error = folder.file(name).unwrap_err();
            assert!(error.to_string().contains(name), "{error}");
        }
        assert_eq!(fs::read_to_string(&precious).unwrap(), "kept");
        assert_eq!(fs::metadata(&precious).unwrap().mode() & 0o777, 0o644);
    }
}
