//! One call of the engine's CLI, with a deadline, its failure classified.

mod login;

use std::fs::File;
use std::io::{self, ErrorKind, Seek, Write};
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::fs::{MemfdFlags, memfd_create};
use serde::de::DeserializeOwned;
use xshell::Cmd;

use super::Engine;
use super::error::EngineError;
use super::json::unreadable;
use crate::host::process::{self, How, Lost};
use crate::model::id::is_full_id;
use crate::text::printable;
use login::EmptyLine;

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

    /// The full id that a successful call ended with.
    ///
    /// # Errors
    /// [`EngineError::Failed`] when its answer is not whole.
    pub fn id(&self) -> Result<String, EngineError> {
        let last = self.stdout.lines().last().unwrap_or_default().trim();
        if is_full_id(last) {
            return Ok(last.to_owned());
        }
        let last = printable(last, 100);
        Err(self.failed(format!("its answer is no full id: {last}")))
    }

    /// What stands in a part of its answer.
    pub(super) fn read<T: DeserializeOwned>(&self, text: &str) -> Result<T, EngineError> {
        serde_json::from_str(text).map_err(|error| self.failed(unreadable(&error)))
    }

    /// A failure of this call, with what is to be said of it.
    pub(super) fn failed(&self, message: String) -> EngineError {
        let call = self.call.clone();
        EngineError::Failed { call, message }
    }

    /// The call's failure, classified.
    pub fn failure(&self) -> EngineError {
        let message = printable(&self.stderr, 1000);
        if self.engine_is_away() {
            return EngineError::Unreachable(message);
        }
        self.failed(message)
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

impl Engine {
    /// Runs a call with the usual deadline; any exit code is a reply.
    pub(super) fn call(&self, command: Command) -> Result<Reply, EngineError> {
        self.call_as(command, &self.usual())
    }

    /// The same of a call that is to succeed, and whose answer says nothing.
    pub(super) fn done(&self, command: Cmd<'_>) -> Result<(), EngineError> {
        self.call(command.into())?.success().map(drop)
    }

    pub(super) fn usual(&self) -> How {
        How::within(self.limits.timeout)
    }

    pub(super) fn call_as(&self, command: Command, how: &How) -> Result<Reply, EngineError> {
        self.reply(command, how, self.limits.stdin())
    }

    /// A call of a CLI that hands `input` on.
    pub(super) fn call_with_input(
        &self,
        command: Command,
        how: &How,
        input: &str,
    ) -> Result<Reply, EngineError> {
        let text = || {
            let mut file = File::from(memfd_create("input", MemfdFlags::CLOEXEC)?);
            file.write_all(input.as_bytes())?;
            file.rewind().map(|()| Stdio::from(file))
        };
        let text = text().map_err(|error| unprepared(&command, &error))?;
        self.reply(command, how, text)
    }

    /// A call of a CLI that may ask for a login.
    pub(super) fn call_that_may_ask(
        &self,
        command: Command,
        how: &How,
    ) -> Result<Reply, EngineError> {
        let failed = |error: io::Error| unprepared(&command, &error);
        let line = EmptyLine::new().map_err(failed)?;
        let stdin = line.stdin().map_err(failed)?;
        let mut reply = self.reply(command, how, stdin)?;
        reply.wants_login = line.was_read();
        Ok(reply)
    }

    fn reply(&self, command: Command, how: &How, stdin: Stdio) -> Result<Reply, EngineError> {
        let call = words(&command);
        match process::run(command, stdin, how) {
            Ok(ended) => Ok(Reply {
                wants_login: false,
                call,
                code: ended.status.code(),
                stdout: ended.stdout,
                stderr: ended.stderr,
            }),
            Err(lost) => Err(self.lost(call, lost, how.timeout)),
        }
    }

    fn lost(&self, call: String, lost: Lost, after: Duration) -> EngineError {
        match lost {
            Lost::NotRun(error) if error.kind() == ErrorKind::ArgumentListTooLong => {
                EngineError::TooLong { call }
            }
            Lost::NotRun(error) => EngineError::NoCli(format!("{}: {error}", self.cli.display())),
            Lost::Deadline => EngineError::TimedOut { call, after },
            Lost::Interrupt => EngineError::Interrupted { call },
        }
    }

    /// A call whose whole answer goes to a file.
    pub(super) fn call_into(&self, file: &File, command: Command) -> Result<(), EngineError> {
        let (call, timeout) = (words(&command), self.limits.timeout);
        match process::run_into(file, command, self.limits.stdin(), timeout) {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(EngineError::Failed {
                call,
                message: status.to_string(),
            }),
            Err(lost) => Err(self.lost(call, lost, timeout)),
        }
    }
}

/// The failure of a call whose stdin could not be made.
fn unprepared(command: &Command, error: &io::Error) -> EngineError {
    EngineError::Failed {
        call: words(command),
        message: error.to_string(),
    }
}

/// The subcommand's words only: what follows may be a secret.
pub(super) fn words(command: &Command) -> String {
    let program = std::path::Path::new(command.get_program());
    let name = program.file_name().unwrap_or_default().to_string_lossy();
    let words = command.get_args().map(|arg| arg.to_string_lossy()).take(2);
    let known =
        words.take_while(|word| !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase()));
    known.fold(name.into_owned(), |call, word| format!("{call} {word}"))
}
