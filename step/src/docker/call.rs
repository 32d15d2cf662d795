//! One call of the engine's CLI: in a process group of its own, with a deadline, its failure classified.

use std::io::{self, Read};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use super::stdin::EmptyLine;
use super::{Engine, EngineError};
use crate::{interrupted, printable};

/// More than any answer the steps ask for.
const LONGEST_ANSWER: u64 = 64 << 20;

/// What a call ended with.
#[derive(Debug)]
pub struct Reply {
    /// The words of the call, without values.
    pub call: String,
    /// The CLI's exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// All it wrote to stdout.
    pub stdout: String,
    /// All it wrote to stderr.
    pub stderr: String,
    /// Whether it asked for a login.
    pub wants_login: bool,
}

impl Reply {
    /// The reply of a call that succeeded, else its failure.
    ///
    /// # Errors
    /// [`EngineError::Unreachable`] or [`EngineError::Failed`].
    pub fn success(self) -> Result<Self, EngineError> {
        if self.code == Some(0) {
            Ok(self)
        } else {
            Err(self.failure())
        }
    }

    /// The call's failure, classified.
    pub fn failure(&self) -> EngineError {
        let message = printable(&self.stderr, 1000);
        if self.engine_is_away() {
            return EngineError::Unreachable(message);
        }
        EngineError::Failed {
            call: self.call.clone(),
            message,
        }
    }

    /// The sentences of the docker and podman CLIs when no engine answers them. There is no
    /// code for it: every failure is 1, or 125 with podman.
    pub fn engine_is_away(&self) -> bool {
        const SENTENCES: [&str; 7] = [
            "cannot connect to",
            "is the docker daemon running",
            "error during connect",
            "failed to connect to the docker api",
            "permission denied while trying to connect",
            "unable to connect to podman",
            "error response from daemon: dial unix",
        ];
        let said = self.stderr.to_lowercase();
        self.code != Some(0) && SENTENCES.iter().any(|sentence| said.contains(sentence))
    }
}

/// How one call is run.
pub(super) struct How {
    pub(super) timeout: Duration,
    /// Give the call up when SIGINT or SIGTERM arrives.
    pub(super) interruptible: bool,
    /// How much of each stream is kept; the rest of a runaway stream is thrown away.
    pub(super) longest: u64,
    /// Let the CLI draw on our stderr instead of capturing its stdout.
    pub(super) stdout_to_stderr: bool,
    /// The CLI may ask for a login.
    pub(super) may_ask: bool,
}

impl How {
    pub(super) fn within(timeout: Duration) -> Self {
        Self {
            timeout,
            interruptible: false,
            longest: LONGEST_ANSWER,
            stdout_to_stderr: false,
            may_ask: false,
        }
    }
}

impl Engine {
    /// Runs a call with the usual deadline; any exit code is a reply.
    pub(super) fn call(&self, command: Command) -> Result<Reply, EngineError> {
        self.call_as(command, &How::within(self.timeout))
    }

    pub(super) fn call_as(&self, mut command: Command, how: &How) -> Result<Reply, EngineError> {
        let call = words(&command);
        let line = how.may_ask.then(EmptyLine::new).transpose();
        let line = line.map_err(|error| failed(&call, &error))?;
        let stdin = self.stdin(line.as_ref());
        command
            .process_group(0)
            .stdin(stdin.map_err(|error| failed(&call, &error))?)
            .stderr(Stdio::piped());
        command.stdout(if how.stdout_to_stderr {
            io::stderr().into()
        } else {
            Stdio::piped()
        });
        let mut child = command
            .spawn()
            .map_err(|error| EngineError::NoCli(format!("{}: {error}", self.cli.display())))?;
        let (stdout, stderr) = await_streams(&mut child, how).map_err(|end| {
            end_group(&mut child);
            end.during(&call, how)
        })?;
        let status = child.wait().map_err(|error| failed(&call, &error))?;
        Ok(Reply {
            wants_login: line.is_some_and(EmptyLine::was_read),
            call,
            code: status.code(),
            stdout,
            stderr,
        })
    }

    /// Only a call that may ask reads its stdin; for others it may as well be the file that
    /// keeps the lock.
    fn stdin(&self, line: Option<&EmptyLine>) -> io::Result<Stdio> {
        if let Some(line) = line {
            return line.stdin();
        }
        let held = self.held.as_ref().and_then(|file| file.try_clone().ok());
        Ok(held.map_or_else(Stdio::null, Stdio::from))
    }
}

fn failed(call: &str, error: &io::Error) -> EngineError {
    EngineError::Failed {
        call: call.to_owned(),
        message: error.to_string(),
    }
}

enum End {
    Deadline,
    Interrupt,
}

impl End {
    fn during(&self, call: &str, how: &How) -> EngineError {
        let call = call.to_owned();
        match self {
            Self::Deadline => EngineError::TimedOut {
                call,
                after: how.timeout,
            },
            Self::Interrupt => EngineError::Interrupted { call },
        }
    }
}

/// Reads both streams to their ends: a child blocked on a full pipe would never finish.
fn await_streams(child: &mut Child, how: &How) -> Result<(String, String), End> {
    let deadline = Instant::now() + how.timeout;
    let stdout = drain(child.stdout.take(), how.longest);
    let stderr = drain(child.stderr.take(), how.longest);
    Ok((
        receive(&stdout, deadline, how)?,
        receive(&stderr, deadline, how)?,
    ))
}

fn drain(stream: Option<impl Read + Send + 'static>, longest: u64) -> Receiver<String> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut stream) = stream {
            let _ = stream.by_ref().take(longest).read_to_end(&mut bytes);
            let _ = std::io::copy(&mut stream, &mut std::io::sink());
        }
        let _ = sender.send(String::from_utf8_lossy(&bytes).into_owned());
    });
    receiver
}

fn receive(stream: &Receiver<String>, deadline: Instant, how: &How) -> Result<String, End> {
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        match stream.recv_timeout(left.min(Duration::from_millis(50))) {
            Ok(text) => return Ok(text),
            Err(RecvTimeoutError::Disconnected) => return Ok(String::new()),
            Err(RecvTimeoutError::Timeout) if left.is_zero() => return Err(End::Deadline),
            Err(RecvTimeoutError::Timeout) if how.interruptible && interrupted() => {
                return Err(End::Interrupt);
            }
            Err(RecvTimeoutError::Timeout) => {}
        }
    }
}

/// Ends the CLI and whatever it started, which may hold the pipes open.
pub(super) fn end_group(child: &mut Child) {
    if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        let _ = kill_process_group(group, Signal::KILL);
    }
    let _ = child.wait();
}

/// The subcommand's words only: what follows may be a secret.
fn words(command: &Command) -> String {
    let program = std::path::Path::new(command.get_program());
    let name = program.file_name().unwrap_or_default().to_string_lossy();
    let words = command.get_args().map(|arg| arg.to_string_lossy()).take(2);
    let known =
        words.take_while(|word| !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase()));
    known.fold(name.into_owned(), |call, word| format!("{call} {word}"))
}
