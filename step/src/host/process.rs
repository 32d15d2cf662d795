//! One run of another program: in a process group of its own, with a deadline, both streams bounded.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use crate::signals::interrupted;

/// More than any answer the steps ask for.
pub(crate) const LONGEST_ANSWER: u64 = 64 << 20;

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
    let mut child = command.spawn().map_err(Lost::NotRun)?;
    let ended = await_end(&mut child, how);
    if ended.is_err() {
        end_group(&mut child);
    }
    ended
}

/// Reads both streams to their ends: a child blocked on a full pipe would never finish.
fn await_end(child: &mut Child, how: &How) -> Result<Ended, Lost> {
    let deadline = Instant::now() + how.timeout;
    let stdout = drain(child.stdout.take(), how.longest);
    let stderr = drain(child.stderr.take(), how.longest);
    let (stdout, stderr) = (
        receive(&stdout, deadline, how)?,
        receive(&stderr, deadline, how)?,
    );
    loop {
        if let Some(status) = child.try_wait().map_err(Lost::NotRun)? {
            return Ok(Ended {
                stderr: complaint(status, stderr),
                status,
                stdout,
            });
        }
        if Instant::now() > deadline {
            return Err(Lost::Deadline);
        }
        thread::sleep(Duration::from_micros(200));
    }
}

/// One that fails without a word, as one that a signal ends, is told by how it ended.
fn complaint(status: ExitStatus, stderr: String) -> String {
    if status.success() || !stderr.trim().is_empty() {
        return stderr;
    }
    format!("it ended without a word ({status})")
}

fn drain(stream: Option<impl Read + Send + 'static>, longest: u64) -> Receiver<String> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut stream) = stream {
            let _ = stream.by_ref().take(longest).read_to_end(&mut bytes);
            let _ = io::copy(&mut stream, &mut io::sink());
        }
        let _ = sender.send(String::from_utf8_lossy(&bytes).into_owned());
    });
    receiver
}

fn receive(stream: &Receiver<String>, deadline: Instant, how: &How) -> Result<String, Lost> {
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        match stream.recv_timeout(left.min(Duration::from_millis(50))) {
            Ok(text) => return Ok(text),
            Err(RecvTimeoutError::Disconnected) => return Ok(String::new()),
            Err(RecvTimeoutError::Timeout) if left.is_zero() => return Err(Lost::Deadline),
            Err(RecvTimeoutError::Timeout) if how.interruptible && interrupted() => {
                return Err(Lost::Interrupt);
            }
            Err(RecvTimeoutError::Timeout) => {}
        }
    }
}

/// Ends a program and whatever it started, which may hold its pipes open.
pub(crate) fn end_group(child: &mut Child) {
    if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        let _ = kill_process_group(group, Signal::KILL);
    }
    let _ = child.wait();
}
