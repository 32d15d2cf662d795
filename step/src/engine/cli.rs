//! One call of the engine's CLI, with a deadline, its failure classified.

mod login;

use std::io;
use std::process::{Command, Stdio};

use super::Engine;
use super::error::EngineError;
use crate::host::process::{self, How, Lost};
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
        if last.len() == 64 && last.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Ok(last.to_owned());
        }
        Err(EngineError::Failed {
            call: self.call.clone(),
            message: format!("its answer is no full id: {}", printable(last, 100)),
        })
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

impl Engine {
    /// Runs a call with the usual deadline; any exit code is a reply.
    pub(super) fn call(&self, command: Command) -> Result<Reply, EngineError> {
        self.call_as(command, &self.usual())
    }

    pub(super) fn usual(&self) -> How {
        How::within(self.limits.timeout)
    }

    pub(super) fn call_as(&self, command: Command, how: &How) -> Result<Reply, EngineError> {
        self.reply(command, how, self.limits.stdin())
    }

    /// A call of a CLI that may ask for a login.
    pub(super) fn call_that_may_ask(
        &self,
        command: Command,
        how: &How,
    ) -> Result<Reply, EngineError> {
        let failed = |error: io::Error| EngineError::Failed {
            call: words(&command),
            message: error.to_string(),
        };
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
            Err(Lost::NotRun(error)) => Err(EngineError::NoCli(format!(
                "{}: {error}",
                self.cli.display()
            ))),
            Err(Lost::Deadline) => Err(EngineError::TimedOut {
                call,
                after: how.timeout,
            }),
            Err(Lost::Interrupt) => Err(EngineError::Interrupted { call }),
        }
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
