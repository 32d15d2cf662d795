//! A command given at the engine's socket, by a child that holds the lock until the engine is done, as the CLI does.
//!
//! A command may take seconds. If the step is killed meanwhile, the engine goes on, and nobody may act on what is about
//! to change. So the command is not sent by the step itself: this program, started once more, sends it and waits, with
//! the lock as its stdin.

use std::ffi::OsString;
use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use serde_json::Value;
use xshell::Cmd;

use super::http::{Answer, Socket, receive, send};
use crate::engine::Engine;
use crate::engine::cli::{Reply, words};
use crate::engine::error::EngineError;
use crate::host::process::How;
use crate::role::Role;
use crate::signals::ignore_signals;
use crate::text::printable;

/// What follows are the socket, the request, and the CLI's words for it.
pub(crate) const ROLE: Role = Role {
    name: "__send",
    run: |args| send_and_wait(&args).unwrap_or(ExitCode::FAILURE),
};
/// Longer than any command: the step that waits for this process has its own deadline, and ends it.
const WHATEVER_IT_TAKES: Duration = Duration::from_secs(60 * 24 * 3600);

/// A request that changes something.
pub(crate) struct Request {
    pub(crate) method: &'static str,
    pub(crate) path: String,
    pub(crate) body: String,
}

impl Request {
    pub(crate) fn post(path: String) -> Self {
        Self::new("POST", path)
    }

    pub(crate) fn delete(path: String) -> Self {
        Self::new("DELETE", path)
    }

    fn new(method: &'static str, path: String) -> Self {
        let body = String::new();
        Self { method, path, body }
    }
}

impl Engine {
    /// Sends the request to the socket where there is one, else by the CLI's words for it.
    pub(crate) fn command(
        &self,
        request: Request,
        cli: Command,
        how: &How,
    ) -> Result<Reply, EngineError> {
        let Some(socket) = &self.socket else {
            return self.call_as(cli, how);
        };
        let call = words(&cli);
        let child = || {
            let mut child = Command::new("/proc/self/exe");
            child.arg0("docker").arg(ROLE.name).arg(socket.path());
            child.args([request.method, &request.path, &request.body]);
            child.arg(cli.get_program()).args(cli.get_args());
            child
        };
        let mut reply = self.call_as(child(), how)?;
        // Most signals end it in its first milliseconds only, when it has sent nothing yet.
        if reply.code.is_none() {
            reply = self.call_as(child(), how)?;
        }
        reply.call = call;
        Ok(reply)
    }

    /// The same of what is to succeed.
    pub(crate) fn ordered(&self, request: Request, cli: Cmd<'_>) -> Result<(), EngineError> {
        let reply = self.command(request, cli.into(), &self.usual())?;
        reply.success().map(drop)
    }
}

/// Whoever ends the step's whole unit, as systemd and logind do, sends this process a signal as well. It waits for the
/// engine all the same: the step goes on, and nobody else may act on what is about to change.
fn send_and_wait(args: &[OsString]) -> io::Result<ExitCode> {
    ignore_signals()?;
    let [socket, method, path, body, cli, rest @ ..] = args else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let [method, path, body] = [method, path, body].map(|it| it.to_string_lossy());
    let Ok(stream) = Socket::at(PathBuf::from(socket)).connect(WHATEVER_IT_TAKES) else {
        // Nothing was sent yet: the CLI says best what is wrong.
        return Err(Command::new(cli).args(rest).exec());
    };
    let answer = send(&stream, &method, &path, &body)
        .and_then(|()| receive(&stream, Instant::now() + WHATEVER_IT_TAKES));
    let said = match answer {
        // 304 is a container that runs, or does not, already.
        Ok(Answer {
            status: 200..=299 | 304,
            ..
        }) => return Ok(ExitCode::SUCCESS),
        Ok(answer) => format!("Error response from daemon: {}", message(&answer)),
        Err(error) => format!("error during connect: {error}"),
    };
    writeln!(io::stderr(), "{said}")?;
    Ok(ExitCode::FAILURE)
}

fn message(answer: &Answer) -> String {
    let body: Option<Value> = answer.json();
    let message = body.and_then(|it| Some(it.get("message")?.as_str()?.to_owned()));
    message.unwrap_or_else(|| printable(&String::from_utf8_lossy(&answer.body), 300))
}
