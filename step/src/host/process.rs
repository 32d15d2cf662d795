//! One run of another program: in a process group of its own, with a deadline, both streams bounded.

mod streams;

use std::fs::File;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{Access, access};
use rustix::process::{Pid, Signal, kill_process_group};

use crate::signals::interrupted;
use streams::{Stream, read_next};

/// More than any answer the steps ask for.
pub(crate) const LONGEST_ANSWER: u64 = 64 << 20;
/// How long an interrupt may wait to be seen.
const SLICE: Duration = Duration::from_millis(50);
/// Between two looks whether a program with nothing to read from has ended.
const LOOK: Duration = Duration::from_millis(5);

/// What every call is given.
#[derive(Clone, Debug)]
pub struct Limits {
    /// The longest it may take.
    pub(crate) timeout: Duration,
    /// The lock that it keeps until it ends, whatever becomes of this process.
    pub(crate) held: Option<Arc<File>>,
}

impl Limits {
    /// No more than this time, and no lock.
    pub fn within(timeout: Duration) -> Self {
        Self {
            timeout,
            held: None,
        }
    }

    /// A stdin that is not read, so it may as well be the file that keeps the lock.
    pub(crate) fn stdin(&self) -> Stdio {
        let held = self.held.as_ref().and_then(|file| file.try_clone().ok());
        held.map_or_else(Stdio::null, Stdio::from)
    }
}

/// How one program is run.
pub(crate) struct How {
    pub(crate) timeout: Duration,
    /// Give it up when SIGINT or SIGTERM arrives.
    pub(crate) interruptible: bool,
    /// How much of each stream is kept; the rest of a runaway stream is thrown away.
    pub(crate) longest: u64,
    /// Let it draw on our stderr instead of capturing its stdout.
    pub(crate) stdout_to_stderr: bool,
}

impl How {
    /// Within this time, and not interruptible.
    pub(crate) fn within(timeout: Duration) -> Self {
        Self {
            timeout,
            interruptible: false,
            longest: LONGEST_ANSWER,
            stdout_to_stderr: false,
        }
    }
}

/// What it left.
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Why there is no end of it to be told.
pub(crate) enum Lost {
    NotRun(io::Error),
    Deadline,
    Interrupt,
}

/// Runs it to its end. Past the deadline, or interrupted, it and all it started are killed.
pub(crate) fn run(mut command: Command, stdin: Stdio, how: &How) -> Result<Ended, Lost> {
    command
        .process_group(0)
        .stdin(stdin)
        .stderr(Stdio::piped())
        .stdout(if how.stdout_to_stderr {
            io::stderr().into()
        } else {
            Stdio::piped()
        });
    to_its_end(&mut command, |child| await_end(child, how))
}

/// Runs it to its end with both of its streams in `file`: they may be larger than any memory.
pub(crate) fn run_into(
    file: &File,
    mut command: Command,
    stdin: Stdio,
    timeout: Duration,
) -> Result<ExitStatus, Lost> {
    let copy = || file.try_clone().map(Stdio::from).map_err(Lost::NotRun);
    let command = command.process_group(0).stdin(stdin);
    let command = command.stdout(copy()?).stderr(copy()?);
    to_its_end(command, |child| {
        await_exit(child, Instant::now() + timeout, LOOK)
    })
}

/// What is waited for; where that fails, it and all it started are killed.
fn to_its_end<T>(
    command: &mut Command,
    wait: impl FnOnce(&mut Child) -> Result<T, Lost>,
) -> Result<T, Lost> {
    let mut child = command.spawn().map_err(Lost::NotRun)?;
    let ended = wait(&mut child);
    if ended.is_err() {
        end_group(&mut child);
    }
    ended
}

fn await_exit(child: &mut Child, deadline: Instant, pause: Duration) -> Result<ExitStatus, Lost> {
    loop {
        if let Some(status) = child.try_wait().map_err(Lost::NotRun)? {
            return Ok(status);
        }
        if Instant::now() > deadline {
            return Err(Lost::Deadline);
        }
        thread::sleep(pause);
    }
}

/// Reads both streams to their ends: a child blocked on a full pipe would never finish. Both are read here, as a thread
/// for each could not be started where a limit is reached.
fn await_end(child: &mut Child, how: &How) -> Result<Ended, Lost> {
    let deadline = Instant::now() + how.timeout;
    let mut stdout = Stream::of(child.stdout.take());
    let mut stderr = Stream::of(child.stderr.take());
    while stdout.is_open() || stderr.is_open() {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(Lost::Deadline);
        }
        if how.interruptible && interrupted() {
            return Err(Lost::Interrupt);
        }
        read_next([&mut stdout, &mut stderr], left.min(SLICE), how.longest);
    }
    let (stdout, stderr) = (stdout.text(), stderr.text());
    let status = await_exit(child, deadline, Duration::from_micros(200))?;
    Ok(Ended {
        stderr: complaint(status, stderr),
        status,
        stdout,
    })
}

/// One that fails without a word, as one that a signal ends, is told by how it ended.
fn complaint(status: ExitStatus, stderr: String) -> String {
    if status.success() || !stderr.trim().is_empty() {
        return stderr;
    }
    format!("it ended without a word ({status})")
}

/// Ends a program and whatever it started, which may hold its pipes open.
pub(crate) fn end_group(child: &mut Child) {
    if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        let _ = kill_process_group(group, Signal::KILL);
    }
    let _ = child.wait();
}

/// Whether a program of this user can be started in the folder. Whoever becomes another user by `sudo -u` stays in a
/// folder that may be closed to that one.
pub(crate) fn may_be_entered(folder: &str) -> bool {
    Path::new(folder).is_dir() && access(folder, Access::EXEC_OK).is_ok()
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Seek};

    use super::*;

    fn sh(script: &str, how: &How) -> Result<Ended, Lost> {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        run(command, Stdio::null(), how)
    }

    #[test]
    fn both_streams_are_read_to_their_ends_at_the_same_time() {
        let script =
            "for n in 1 2 3; do head -c 300000 /dev/zero; head -c 300000 /dev/zero >&2; done";
        let how = How::within(Duration::from_secs(30));
        let ended = sh(script, &how).ok().unwrap();
        assert_eq!((ended.stdout.len(), ended.stderr.len()), (900_000, 900_000));
    }

    #[test]
    fn of_a_runaway_stream_the_beginning_is_kept() {
        let how = How {
            longest: 100_000,
            ..How::within(Duration::from_secs(30))
        };
        let ended = sh("printf begin; head -c 5000000 /dev/zero", &how)
            .ok()
            .unwrap();
        assert_eq!(ended.stdout.len(), 100_000);
        assert!(ended.stdout.starts_with("begin"));
    }

    #[test]
    fn both_streams_are_written_to_a_file_in_their_order_until_the_deadline() {
        let into = |script: &str, timeout: u64| {
            let mut file = tempfile::tempfile().unwrap();
            let mut command = Command::new("sh");
            command.args(["-c", script]);
            let timeout = Duration::from_secs(timeout);
            let ended = run_into(&file, command, Stdio::null(), timeout);
            let mut said = String::new();
            file.rewind().unwrap();
            file.read_to_string(&mut said).unwrap();
            (ended, said)
        };
        let (ended, said) = into("echo a; echo b >&2; echo c; exit 3", 30);
        assert_eq!(ended.ok().and_then(|it| it.code()), Some(3));
        assert_eq!(said, "a\nb\nc\n");
        let (ended, said) = into("echo a; sleep 60", 1);
        assert!(matches!(ended, Err(Lost::Deadline)) && said == "a\n");
    }

    #[test]
    fn whoever_keeps_a_stream_open_past_the_deadline_is_ended() {
        let began = Instant::now();
        let how = How::within(Duration::from_millis(300));
        assert!(matches!(sh("sleep 60 & exit", &how), Err(Lost::Deadline)));
        assert!(began.elapsed() < Duration::from_secs(10));
    }
}
