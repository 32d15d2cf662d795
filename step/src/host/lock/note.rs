//! A note beside a lock, for whoever takes it next: what its holder worked on, or what an heir has reported.
//!
//! It is a hint and proves nothing by itself: what it says is held against the containers' labels. The lock is a file
//! that several users write to, so the note is a file of its own, and only root's and one's own are read. The kernel
//! says whose it is, so nobody else can have written it. Losing it costs nothing, so what fails here is no failure.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;

use rustix::fs::{AtFlags, Mode, OFlags, openat, renameat, unlinkat};
use rustix::process::geteuid;

use super::file::is_plain;
use super::folder::{Folder, OPEN};

/// More than a note is ever long.
pub const LONGEST: usize = 4096;

/// The text in the note; empty where there is none that is to be read.
pub(super) fn read(folder: &Folder, name: &str) -> String {
    let read = || -> io::Result<String> {
        let folder = folder.open().map_err(io::Error::other)?;
        let file = openat(folder.as_fd(), name, OPEN | OFlags::RDONLY, Mode::empty())?;
        let file = File::from(file);
        let (about, mut text) = (is_plain(&file)?, String::new());
        if ![0, geteuid().as_raw()].contains(&about.uid()) || about.len() > LONGEST as u64 {
            return Ok(text);
        }
        file.take(LONGEST as u64).read_to_string(&mut text)?;
        Ok(text)
    };
    read().unwrap_or_default()
}

/// Puts a note in the place of the one before, at once; an empty one takes it away.
pub(super) fn write(folder: &Folder, name: &str, text: &str) {
    let write = || -> io::Result<()> {
        let folder = folder.open().map_err(io::Error::other)?;
        let new = format!("{name}.new");
        let _ = unlinkat(folder.as_fd(), &new, AtFlags::empty());
        if text.is_empty() || text.len() > LONGEST {
            return Ok(unlinkat(folder.as_fd(), name, AtFlags::empty())?);
        }
        let flags = OPEN | OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL;
        let mut file = File::from(openat(
            folder.as_fd(),
            &new,
            flags,
            Mode::from_raw_mode(0o640),
        )?);
        file.write_all(text.as_bytes())?;
        Ok(renameat(folder.as_fd(), &new, folder.as_fd(), name)?)
    };
    let _ = write();
}

#[cfg(test)]
mod tests {
    use super::super::folder::scratch;
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_note_replaces_the_one_before_and_an_empty_one_takes_it_away() {
        let (_kept, folder) = scratch();
        write(&folder, "web.note", "a long note");
        write(&folder, "web.note", "short");
        assert_eq!(read(&folder, "web.note"), "short");
        write(&folder, "web.note", "");
        assert_eq!(read(&folder, "web.note"), "");
        assert_eq!(fs::read_dir(&folder.path).unwrap().count(), 0);
    }

    #[test]
    fn a_link_a_pipe_and_more_than_a_note_are_not_read() {
        let (kept, folder) = scratch();
        folder.open().unwrap();
        let secret = kept.path().join("secret");
        fs::write(&secret, "secret").unwrap();
        symlink(&secret, folder.path.join("link")).unwrap();
        let pipe = std::process::Command::new("mkfifo")
            .arg(folder.path.join("pipe"))
            .status();
        assert!(pipe.unwrap().success());
        fs::write(folder.path.join("long"), "x".repeat(1 << 20)).unwrap();
        for name in ["link", "pipe", "long"] {
            assert_eq!(read(&folder, name), "", "{name}");
        }
        write(&folder, "link", "new");
        assert_eq!(read(&folder, "link"), "new");
        assert_eq!(fs::read_to_string(secret).unwrap(), "secret");
    }
}
