//! Who holds a lock, as the kernel says it: whether it is worth waiting for.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::{major, minor};
use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};

/// The kernel's list of all locks.
const LOCKS: &str = "/proc/locks";
/// What a promotion's heir is started as.
const HEIR: &str = "__heir";
/// Steps that hold the lock for as long as it takes to make or remove a candidate.
const SHORT: [&str; 2] = ["start-candidate", "prune-app"];

/// Whether the lock is kept by an heir, by a step that is soon done, or only by the last command of one that is no more.
/// Such a command has inherited the lock: the kernel still names the process that took it. Who cannot be seen is no more.
pub(super) fn will_end(file: &File) -> bool {
    let locks = fs::read_to_string(LOCKS).unwrap_or_default();
    file.metadata()
        .ok()
        .and_then(|it| holder(&locks, it.dev(), it.ino()))
        .is_none_or(is_no_promotion)
}

/// `NUMBER: FLOCK ADVISORY WRITE PID MAJOR:MINOR:INODE START END`; who only waits has an arrow before the second word.
fn holder(locks: &str, dev: u64, inode: u64) -> Option<i32> {
    let place = format!("{:02x}:{:02x}:{inode}", major(dev), minor(dev));
    let words = |line: &str| -> Option<i32> {
        let mut words = line.split_whitespace().skip(1);
        let is_file_lock = words.next()? == "FLOCK";
        let id = words.nth(2)?;
        (is_file_lock && words.next()? == place).then(|| id.parse().ok())?
    };
    locks.lines().find_map(words)
}

fn is_no_promotion(id: i32) -> bool {
    match fs::read_to_string(format!("/proc/{id}/cmdline")) {
        // Ended, and nobody has asked for its end yet.
        Ok(words) if words.is_empty() => true,
        Ok(words) => ends_soon(&words),
        // The processes of others may be hidden.
        Err(_) => Pid::from_raw(id).is_none_or(|id| test_kill_process(id) == Err(Errno::SRCH)),
    }
}

fn ends_soon(words: &str) -> bool {
    let mut words = words.split('\0');
    let program = words.next().map(Path::new).and_then(Path::file_name);
    words.next() == Some(HEIR) || SHORT.iter().any(|step| program == Some(step.as_ref()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_names_who_took_the_lock() {
        let kept = tempfile::NamedTempFile::new().unwrap();
        let file = kept.reopen().unwrap();
        file.lock().unwrap();
        let about = file.metadata().unwrap();
        let ours = i32::try_from(std::process::id()).unwrap();
        let named = || {
            let locks = fs::read_to_string(LOCKS).unwrap();
            holder(&locks, about.dev(), about.ino()) == Some(ours)
        };
        // The kernel's list may lack a line while other locks come and go.
        assert!((0..100).any(|_| named()));
        // This test is neither an heir nor a step.
        assert!(!will_end(&file));
        file.unlock().unwrap();
        assert!(will_end(&file));
    }

    #[test]
    fn who_waits_for_a_lock_or_has_another_kind_is_not_who_holds_it() {
        let locks = "1: POSIX  ADVISORY  WRITE 7 00:19:42 0 EOF\n\
                     2: -> FLOCK  ADVISORY  WRITE 8 00:19:42 0 EOF\n\
                     3: FLOCK  ADVISORY  WRITE 9 00:19:42 0 EOF\n";
        let dev = rustix::fs::makedev(0, 0x19);
        assert_eq!(holder(locks, dev, 42), Some(9));
        assert_eq!(holder(locks, dev, 43), None);
    }

    #[test]
    fn an_heir_and_the_short_steps_are_waited_for_and_a_promotion_is_not() {
        assert!(ends_soon("promote\0__heir\0--app\0web\0"));
        assert!(ends_soon("/usr/bin/start-candidate\0--app\0web\0"));
        assert!(ends_soon("prune-app\0--app\0web\0"));
        assert!(!ends_soon("/usr/bin/promote\0--app\0start-candidate\0"));
        assert!(!ends_soon("flock\0start-candidate\0"));
    }
}
