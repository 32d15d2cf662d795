//! The lock of one app's promotion: a file lock, which the kernel frees however its holder ends.
//!
//! A lock that is a file's existence stays after a kill, and somebody must judge whether it is stale. A file lock needs
//! no judgement. It belongs to the open file: a child that has the file as its stdin holds the lock until it ends, too.
//! So a killed step's last command holds it until the engine is done.
//!
//! The file itself is empty. Beside it there may be a note, which is a hint and never a proof.

mod file;
mod folder;
mod holder;
mod note;

use std::fs::{File, TryLockError};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

pub use folder::{Folder, LockError};
pub use note::LONGEST as LONGEST_NOTE;

use crate::model::name::Name;
use crate::terminal::spinner::waiting;

/// The note of a step that works; what it works on follows.
const AT_WORK: &str = "at work: ";
/// How long others wait for an heir, which may have a slow app to boot and another to drain.
const LONGEST_WAIT: Duration = Duration::from_secs(300);
const PAUSE: Duration = Duration::from_millis(20);

/// Held for as long as the value lives.
#[derive(Debug)]
pub struct Lock {
    pub(crate) file: Arc<File>,
    folder: Folder,
    container: Name,
}

impl Folder {
    /// Takes the lock of the container's promotions, or returns `None` where another promotion holds it after
    /// `patience`. Everyone waits up to 5 minutes more for an heir, for a step that makes or removes a candidate, and
    /// for the last command of one that was killed.
    ///
    /// # Errors
    /// When the lock file can be neither opened nor made.
    pub fn take(&self, container: &Name, patience: Duration) -> Result<Option<Lock>, LockError> {
        let end = Instant::now() + patience;
        let mut wait = None;
        let file = self.wait(
            &format!("deploy-steps-{container}.lock"),
            File::try_lock,
            |file| {
                let now = Instant::now();
                now < end
                    || now < end + LONGEST_WAIT && holder::will_end(file) && {
                        let what = format!(
                            "waiting for what a killed promotion or another step of {container} has left to do"
                        );
                        wait.get_or_insert_with(|| waiting(what));
                        true
                    }
            },
        );
        let held = |file| Lock {
            file: Arc::new(file),
            folder: self.clone(),
            container: container.clone(),
        };
        Ok(file?.map(held))
    }

    /// Keeps the app's images from being removed while a container is made from one: the engine itself may remove an
    /// image from under a container that is just being created. `None` after `patience`, and one goes on without it.
    ///
    /// # Errors
    /// As [`Folder::take`].
    pub fn use_images(&self, app: &Name, patience: Duration) -> Result<Option<File>, LockError> {
        self.images(app, patience, File::try_lock_shared)
    }

    /// The other side of [`Folder::use_images`]: held while images of the app are removed.
    ///
    /// # Errors
    /// As [`Folder::take`].
    pub fn remove_images(&self, app: &Name, patience: Duration) -> Result<Option<File>, LockError> {
        self.images(app, patience, File::try_lock)
    }

    fn images(
        &self,
        app: &Name,
        patience: Duration,
        take: fn(&File) -> Result<(), TryLockError>,
    ) -> Result<Option<File>, LockError> {
        let end = Instant::now() + patience;
        let name = format!("deploy-steps-{app}.images");
        self.wait(&name, take, |_| Instant::now() < end)
    }

    /// The file once it is locked, or `None` where there is no reason to go on waiting. The name may mean another file by
    /// then, which is the lock of all who come later.
    fn wait(
        &self,
        name: &str,
        take: fn(&File) -> Result<(), TryLockError>,
        mut goes_on: impl FnMut(&File) -> bool,
    ) -> Result<Option<File>, LockError> {
        let mut file = self.file(name)?;
        loop {
            match take(&file) {
                Ok(()) => {
                    let named = self.file(name)?;
                    if file::is_same(&file, &named) {
                        return Ok(Some(file));
                    }
                    file = named;
                }
                Err(TryLockError::WouldBlock) if goes_on(&file) => thread::sleep(PAUSE),
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(error)) => {
                    return Err(self.refused(&self.path.join(name), &error));
                }
            }
        }
    }
}

impl Lock {
    /// Notes what a step works on, for whoever finds out that it was never said to be done.
    pub fn note_work(&self, step: &str, on: &str) {
        self.note(step, &format!("{AT_WORK}{on}"));
    }

    /// What the step worked on when it held the lock last, if it ended without a word.
    pub fn unfinished(&self, step: &str) -> Option<String> {
        Some(self.noted(step).strip_prefix(AT_WORK)?.to_owned())
    }

    /// Leaves a step's note for whoever takes the lock next, in place of the one before; none where it is too long.
    pub fn note(&self, step: &str, text: &str) {
        note::write(&self.folder, &self.name_of_note(step), text);
    }

    /// The step's note that was left; empty where there is none.
    pub fn noted(&self, step: &str) -> String {
        note::read(&self.folder, &self.name_of_note(step))
    }

    fn name_of_note(&self, step: &str) -> String {
        format!("deploy-steps-{}.{step}", self.container)
    }
}

#[cfg(test)]
mod tests {
    use super::folder::scratch;
    use super::*;

    /// A child that another test is just starting has all files open until it becomes a program of its own.
    const FREED: Duration = Duration::from_secs(10);

    fn web() -> Name {
        "web".parse().unwrap()
    }

    #[test]
    fn a_lock_is_held_by_one_and_free_after_it() {
        let (_kept, folder) = scratch();
        let first = folder.take(&web(), Duration::ZERO).unwrap();
        assert!(first.is_some());
        assert!(folder.take(&web(), Duration::ZERO).unwrap().is_none());
        drop(first);
        assert!(folder.take(&web(), FREED).unwrap().is_some());
    }

    #[test]
    fn whoever_waits_for_a_file_that_was_taken_away_gets_the_one_that_has_the_name() {
        let (_kept, folder) = scratch();
        let lock = folder.take(&web(), Duration::ZERO).unwrap().unwrap();
        thread::scope(|scope| {
            let second = scope.spawn(|| folder.take(&web(), FREED).unwrap().unwrap());
            thread::sleep(Duration::from_millis(200));
            std::fs::remove_file(folder.path.join("deploy-steps-web.lock")).unwrap();
            drop(lock);
            let second = second.join().unwrap();
            let named = folder.file("deploy-steps-web.lock").unwrap();
            assert!(file::is_same(&second.file, &named));
        });
    }

    #[test]
    fn images_are_used_by_several_or_removed_by_one() {
        let (_kept, folder) = scratch();
        let first = folder.use_images(&web(), Duration::ZERO).unwrap();
        let second = folder.use_images(&web(), Duration::ZERO).unwrap();
        assert!(first.is_some() && second.is_some());
        let removing = folder.remove_images(&web(), Duration::ZERO).unwrap();
        assert!(removing.is_none());
        drop((first, second));
        let removing = folder.remove_images(&web(), FREED).unwrap();
        assert!(removing.is_some());
        let used = folder.use_images(&web(), Duration::ZERO).unwrap();
        assert!(used.is_none());
    }

    #[test]
    fn a_note_of_work_says_on_what_until_the_step_s_next() {
        let (_kept, folder) = scratch();
        let lock = folder.take(&web(), Duration::ZERO).unwrap().unwrap();
        lock.note_work("promote", "abc");
        lock.note("start-candidate", "");
        assert_eq!(lock.unfinished("promote").as_deref(), Some("abc"));
        assert_eq!(lock.unfinished("start-candidate"), None);
        lock.note("promote", "");
        assert_eq!(lock.unfinished("promote"), None);
        lock.note("promote", &"x".repeat(1 << 20));
        assert_eq!(lock.noted("promote"), "");
    }
}
