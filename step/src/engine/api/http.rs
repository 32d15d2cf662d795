//! The engine's own socket, for queries: HTTP/1.0 over a unix socket.
//!
//! The docker CLI takes 10 to 15 ms to start, and a deployment makes some 25 calls. The engine answers most queries in
//! less than one millisecond (measured). Asked here, a deployment takes a fifth less time.
//!
//! It must be the very engine that `docker` would ask. So the socket is used only where `docker` is Docker's own
//! program, no context is chosen, and the answer says that it is Docker's. In any other case, and where the socket
//! gives no answer, the CLI is asked, which also says best what is wrong. A client library (bollard) would bring some
//! 80 crates, and the steps are to be small; HTTP/1.0 needs little.

use std::env;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};
use serde::de::DeserializeOwned;

use crate::host::process::LONGEST_ANSWER;

/// Where the CLI finds the engine without a context and without `DOCKER_HOST`.
const USUAL: &str = "/var/run/docker.sock";
/// More than any engine sends.
const MOST_FIELDS: usize = 64;
/// What stands for itself in a path and a query as well is left.
const NOT_PLAIN: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'/')
    .remove(b':')
    .remove(b'@');
/// For a first word from it; who is slower is asked by the CLI.
const GREETING: Duration = Duration::from_secs(1);

/// The socket of the very engine that the CLI talks to.
#[derive(Clone, Debug)]
pub(crate) struct Socket(PathBuf);

/// What an engine answers.
#[derive(Debug)]
pub(crate) struct Answer {
    /// Of HTTP.
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
    is_dockers: bool,
}

impl Socket {
    /// That of `cli`, if it is Docker's own program and nothing leads it to another engine: what is called `docker`
    /// may be a script that calls any other, or anywhere else.
    pub(crate) fn of(cli: &Path, is_without_context: bool) -> Option<Self> {
        let path = match env::var("DOCKER_HOST").ok().filter(|it| !it.is_empty()) {
            Some(host) => PathBuf::from(host.strip_prefix("unix://")?),
            None if is_without_context => PathBuf::from(USUAL),
            None => return None,
        };
        is_dockers_program(cli).ok().filter(|is| *is)?;
        let socket = Self(path);
        let answer = socket.ask("/_ping", GREETING).ok()?;
        (answer.status == 200 && answer.is_dockers).then_some(socket)
    }

    pub(crate) fn at(path: PathBuf) -> Self {
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// One question, over a connection of its own.
    ///
    /// # Errors
    /// [`ErrorKind::TimedOut`] after `timeout`, or whatever else keeps the answer away.
    pub(crate) fn ask(&self, path: &str, timeout: Duration) -> io::Result<Answer> {
        let deadline = Instant::now() + timeout;
        let asked = self.connect(timeout).and_then(|stream| {
            send(&stream, "GET", path, "")?;
            receive(&stream, deadline)
        });
        asked.map_err(|error| match error.kind() {
            ErrorKind::WouldBlock => ErrorKind::TimedOut.into(),
            _ => error,
        })
    }

    /// Who is not let in within `limit`, or cannot get rid of a request, gets [`ErrorKind::WouldBlock`].
    pub(crate) fn connect(&self, limit: Duration) -> io::Result<UnixStream> {
        let flags = SocketFlags::CLOEXEC;
        let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
        set_socket_timeout(&socket, Timeout::Send, Some(limit))?;
        connect(&socket, &SocketAddrUnix::new(&self.0)?)?;
        Ok(UnixStream::from(socket))
    }
}

/// The CLI is one program in one file, and has been called `docker` on every system.
fn is_dockers_program(cli: &Path) -> io::Result<bool> {
    let real = fs::canonicalize(cli)?;
    let mut magic = [0; 4];
    File::open(&real)?.read_exact(&mut magic)?;
    Ok(real.ends_with("docker") && magic == *b"\x7fELF")
}

/// Of HTTP 1.0, so that the answer is plain and ends with the connection (RFC 1945).
pub(crate) fn send(
    mut stream: &UnixStream,
    method: &str,
    path: &str,
    body: &str,
) -> io::Result<()> {
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.0\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes())
}

pub(crate) fn receive(stream: &UnixStream, deadline: Instant) -> io::Result<Answer> {
    let mut bytes = Vec::new();
    let mut part = [0; 16 << 10];
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(ErrorKind::TimedOut.into());
        }
        stream.set_read_timeout(Some(left))?;
        match (&mut &*stream).read(&mut part) {
            Ok(0) => break,
            Ok(n) => bytes.extend_from_slice(&part[..n]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        if bytes.len() as u64 > LONGEST_ANSWER {
            return Err(ErrorKind::FileTooLarge.into());
        }
    }
    Answer::read(&bytes).ok_or_else(|| ErrorKind::UnexpectedEof.into())
}

impl Answer {
    fn read(bytes: &[u8]) -> Option<Self> {
        let mut fields = [httparse::EMPTY_HEADER; MOST_FIELDS];
        let mut head = httparse::Response::new(&mut fields);
        let length = match head.parse(bytes).ok()? {
            httparse::Status::Complete(length) => length,
            httparse::Status::Partial => return None,
        };
        let server = head.headers.iter().find(|field| field.name == "Server");
        Some(Self {
            status: head.code?,
            body: bytes[length..].to_vec(),
            is_dockers: server.is_some_and(|field| field.value.starts_with(b"Docker/")),
        })
    }

    /// The body, if it is a whole one. Read as a text, as the CLI's answers are: one reader of either kind is enough.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_str(str::from_utf8(&self.body).ok()?).ok()
    }
}

/// A word of a path, or a value of its query, as URLs have them (RFC 3986).
pub(crate) fn encoded(word: &str) -> String {
    utf8_percent_encode(word, NOT_PLAIN).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_with_who_gave_it() {
        let answer = Answer::read(
            b"HTTP/1.0 404 Not Found\r\nServer: Docker/28.5.2 (linux)\r\n\r\n{\"message\":\"no\"}",
        );
        let answer = answer.unwrap();
        assert!(answer.status == 404 && answer.is_dockers && answer.body.ends_with(b"}"));
        let other = Answer::read(b"HTTP/1.0 200 OK\r\nServer: Libpod/5.4.2 (linux)\r\n\r\nOK");
        assert!(!other.unwrap().is_dockers);
        assert!(Answer::read(b"HTTP/1.0 200 OK\r\nServer: Docker/2").is_none());
    }

    #[test]
    fn a_name_cannot_become_another_request() {
        assert_eq!(encoded("web:v1@sha256:0"), "web:v1@sha256:0");
        assert_eq!(encoded("a b?c\r\n#"), "a%20b%3Fc%0D%0A%23");
    }

    #[test]
    fn a_script_called_docker_is_not_dockers_program() {
        let folder = tempfile::tempdir().unwrap();
        let script = folder.path().join("docker");
        fs::write(&script, "#!/bin/sh\nexec podman \"$@\"\n").unwrap();
        assert!(!is_dockers_program(&script).unwrap());
    }
}
