//! The lock of one app's promotion: a file lock, which the kernel frees however its holder ends.
//!
//! A lock that is a file's existence stays after a kill, and somebody must judge whether it is stale. A file lock needs
//! no judgement. It belongs to the open file: a child that has the file as its stdin holds the lock until it ends, too.
//! So a killed promotion's last command holds it until the engine is done.
//!
//! What stands in the file is a hint for whoever waits: an heir is at work, or which process was, on what. The lock,
//! not the note, decides. Other steps hold it for a moment to test it.

use std::fs::{File, OpenOptions, Permissions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crate::model::name::Name;
use crate::terminal::spinner::{Spinner, waiting};

/// The note of an heir that waits for the lock or works.
const HEIR: &str = "an heir is at work";
/// The note of a promotion that works; its process id follows.
const AT_WORK: &str = "at work: ";
/// How long others wait for an heir, which may have a slow app to boot and another to drain.
const LONGEST_WAIT: Duration = Duration::from_secs(300);
/// More than a note is ever long.
const LONGEST_NOTE: u64 = 1 << 20;

/// Held for as long as the value lives.
#[derive(Debug)]
pub struct Lock {
    pub(crate) file: Arc<File>,
}

impl Lock {
    /// Takes the lock of the container's promotions, or returns `None` where another process
    /// holds it. Other steps hold the lock for a moment to test it, hence `patience`. Where an heir holds it, or a
    /// killed promotion's last command, everyone waits, up to 5 minutes.
    ///
    /// # Errors
    /// When the lock file can be neither opened nor made.
    pub fn take(container: &Name, patience: Duration) -> io::Result<Option<Self>> {
        let file = open(&of_promotions(container))?;
        let mut deadline = Instant::now() + patience;
        let mut wait: Option<Spinner> = None;
        loop {
            match file.try_lock() {
                Ok(()) => {
                    let file = Arc::new(file);
                    return Ok(Some(Self { file }));
                }
                Err(TryLockError::WouldBlock) if Instant::now() < deadline => {
                    thread::sleep(Duration::from_millis(20));
                }
                Err(TryLockError::WouldBlock) if wait.is_none() && will_end(&noted(&file)) => {
                    wait = Some(waiting(format!(
                        "waiting for what a killed promotion of {container} has left to do"
                    )));
                    deadline = Instant::now() + LONGEST_WAIT;
                }
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(error)) => return Err(error),
            }
        }
    }

    /// The lock, for a step that must not work beside a promotion; `None` where one runs. It has the patience that tells
    /// a promotion from another step that tests the lock.
    ///
    /// # Errors
    /// As [`Lock::take`].
    pub fn if_no_promotion(container: &Name) -> io::Result<Option<Self>> {
        Self::take(container, Duration::from_millis(200))
    }

    /// Keeps the app's images from being removed while a container is made from one: the engine itself may remove an
    /// image from under a container that is just being created. `None` after `patience`, and one goes on without it.
    ///
    /// # Errors
    /// As [`Lock::take`].
    pub fn use_images(app: &Name, patience: Duration) -> io::Result<Option<Self>> {
        await_images(app, patience, File::try_lock_shared)
    }

    /// The other side of [`Lock::use_images`]: held while images of the app are removed.
    ///
    /// # Errors
    /// As [`Lock::take`].
    pub fn remove_images(app: &Name, patience: Duration) -> io::Result<Option<Self>> {
        await_images(app, patience, File::try_lock)
    }

    /// As [`Lock::take`], for the heir of a promotion that was killed.
    ///
    /// # Errors
    /// As [`Lock::take`].
    pub fn inherit(container: &Name, patience: Duration) -> io::Result<Option<Self>> {
        write(&open(&of_promotions(container))?, HEIR)?;
        Self::take(container, patience)
    }

    /// Notes that this process has begun to change things.
    ///
    /// # Errors
    /// As [`Lock::note`].
    pub fn note_at_work(&self) -> io::Result<()> {
        self.note(&format!("{AT_WORK}{}", std::process::id()))
    }

    /// Adds to it what the work is on, for whoever finds out that it was never said to be done.
    ///
    /// # Errors
    /// As [`Lock::note`].
    pub fn note_work_on(&self, id: &str) -> io::Result<()> {
        match self.noted() {
            note if note.starts_with(AT_WORK) => self.note(&format!("{note} {id}")),
            _ => Ok(()),
        }
    }

    /// What the last holder worked on, if it ended without a word.
    pub fn unfinished(&self) -> Option<String> {
        let note = self.noted();
        let (_, id) = note.strip_prefix(AT_WORK)?.split_once(' ')?;
        Some(id.to_owned())
    }

    /// Leaves a note for whoever takes the lock next, in place of the one before.
    ///
    /// # Errors
    /// When the lock file cannot be written.
    pub fn note(&self, text: &str) -> io::Result<()> {
        write(&self.file, text)
    }

    /// The note that was left; empty where there is none.
    pub fn noted(&self) -> String {
        noted(&self.file)
    }
}

/// Whether the lock is kept by an heir, or only by the last command of a promotion that is no more.
fn will_end(note: &str) -> bool {
    let worker = note.strip_prefix(AT_WORK);
    let worker = worker.and_then(|work| work.split(' ').next());
    note == HEIR || worker.is_some_and(|id| !Path::new("/proc").join(id).exists())
}

fn write(mut file: &File, text: &str) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    file.write_all(text.as_bytes())
}

fn noted(mut file: &File) -> String {
    let mut text = String::new();
    let read = file
        .rewind()
        .and_then(|()| file.take(LONGEST_NOTE).read_to_string(&mut text));
    read.map(|_| text).unwrap_or_default()
}

/// `/run/lock`, which root and members of the docker group share; where it is root's alone
/// (Red Hat), the temporary folder.
fn open(name: &str) -> io::Result<File> {
    let shared = open_file(&Path::new("/run/lock").join(name));
    shared.or_else(|_| open_file(&std::env::temp_dir().join(name)))
}

fn await_images(
    app: &Name,
    patience: Duration,
    take: impl Fn(&File) -> Result<(), TryLockError>,
) -> io::Result<Option<Lock>> {
    let file = open(&format!("deploy-steps-{app}.images"))?;
    let deadline = Instant::now() + patience;
    loop {
        match take(&file) {
            Ok(()) => break,
            Err(TryLockError::WouldBlock) if Instant::now() < deadline => {
                thread::sleep(Duration::from_millis(20));
            }
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
    let file = Arc::new(file);
    Ok(Some(Lock { file }))
}

fn of_promotions(container: &Name) -> String {
    format!("deploy-steps-{container}.lock")
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

    /// A child that another test is just starting has all files open until it becomes a program of its own.
    const FREED: Duration = Duration::from_secs(10);

    #[test]
    fn a_lock_is_held_by_one_and_free_after_it() {
        let name: Name = format!("lock-test-{}", std::process::id()).parse().unwrap();
        let first = Lock::take(&name, Duration::ZERO).unwrap();
        assert!(first.is_some());
        assert!(Lock::take(&name, Duration::ZERO).unwrap().is_none());
        drop(first);
        assert!(Lock::take(&name, FREED).unwrap().is_some());
    }

    #[test]
    fn images_are_used_by_several_or_removed_by_one() {
        let name: Name = format!("images-test-{}", std::process::id())
            .parse()
            .unwrap();
        let first = Lock::use_images(&name, Duration::ZERO).unwrap();
        let second = Lock::use_images(&name, Duration::ZERO).unwrap();
        assert!(first.is_some() && second.is_some());
        assert!(
            Lock::remove_images(&name, Duration::ZERO)
                .unwrap()
                .is_none()
        );
        drop((first, second));
        let removing = Lock::remove_images(&name, FREED).unwrap();
        assert!(removing.is_some());
        assert!(Lock::use_images(&name, Duration::ZERO).unwrap().is_none());
    }

    #[test]
    fn a_note_of_work_says_on_what_until_the_next() {
        let name: Name = format!("work-test-{}", std::process::id()).parse().unwrap();
        let lock = Lock::take(&name, Duration::ZERO).unwrap().unwrap();
        lock.note_at_work().unwrap();
        assert_eq!(lock.unfinished(), None);
        lock.note_work_on("abc").unwrap();
        assert_eq!(lock.unfinished().as_deref(), Some("abc"));
        assert!(!will_end(&lock.noted()));
        lock.note("").unwrap();
        lock.note_work_on("abc").unwrap();
        assert_eq!(lock.unfinished(), None);
    }

    #[test]
    fn a_note_replaces_the_one_before() {
        let name: Name = format!("note-test-{}", std::process::id()).parse().unwrap();
        let lock = Lock::take(&name, Duration::ZERO).unwrap().unwrap();
        lock.note("a long note").unwrap();
        lock.note("short").unwrap();
        assert_eq!(lock.noted(), "short");
    }
}
