//! One request, with one deadline over all of it.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use super::{Answer, Kind};

/// Sends `head` to `target`, `host:port`, and reads the answer until it is whole, at the latest until `end`.
pub(super) fn send(target: &str, head: &str, end: Instant) -> Answer {
    let mut seen = Vec::new();
    let done = connect(target, end).and_then(|stream| exchange(stream, head, end, &mut seen));
    match done {
        Ok((answer, _)) => answer,
        Err(error) => Answer::Failed {
            kind: kind_of(&error, &seen),
        },
    }
}

/// A name that has no address is not found.
pub(super) fn connect(target: &str, end: Instant) -> io::Result<TcpStream> {
    let resolved = target.to_socket_addrs().ok().and_then(|mut all| all.next());
    let addr = resolved.ok_or(ErrorKind::NotFound)?;
    TcpStream::connect_timeout(&addr, left(end)?)
}

/// Asks on an open connection; all that came goes to `seen`. Gives the answer and the connection.
pub(super) fn exchange(
    mut stream: TcpStream,
    head: &str,
    end: Instant,
    seen: &mut Vec<u8>,
) -> io::Result<(Answer, TcpStream)> {
    stream.set_nodelay(true)?;
    stream.set_write_timeout(Some(left(end)?))?;
    stream.write_all(head.as_bytes())?;
    let mut chunk = [0; 4096];
    loop {
        stream.set_read_timeout(Some(left(end)?))?;
        let n = stream.read(&mut chunk)?;
        seen.extend_from_slice(&chunk[..n]);
        if let Some(answer) = parse(seen, n == 0)? {
            return Ok((answer, stream));
        }
        if n == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
    }
}

fn left(end: Instant) -> io::Result<Duration> {
    let left = end.saturating_duration_since(Instant::now());
    if left.is_zero() {
        return Err(ErrorKind::TimedOut.into());
    }
    Ok(left)
}

// A body without a length ends with the connection.
fn parse(seen: &[u8], closed: bool) -> io::Result<Option<Answer>> {
    let text = String::from_utf8_lossy(seen);
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return Ok(None);
    };
    let no_http = || io::Error::from(ErrorKind::InvalidData);
    let code = head.split(' ').nth(1).ok_or_else(no_http)?;
    let status: u16 = code.parse().map_err(|_| no_http())?;
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        let wanted = name.eq_ignore_ascii_case("content-length");
        wanted.then(|| value.trim().parse::<usize>().ok())?
    });
    if !length.map_or(closed, |length| body.len() >= length) {
        return Ok(None);
    }
    Ok(Some(if (200..300).contains(&status) {
        let body = body.to_owned();
        Answer::Ok { status, body }
    } else {
        let kind = Kind::BadStatus;
        Answer::Failed { kind }
    }))
}

pub(super) fn kind_of(error: &io::Error, seen: &[u8]) -> Kind {
    match error.kind() {
        ErrorKind::NotFound => Kind::Unresolved,
        ErrorKind::ConnectionRefused => Kind::Refused,
        ErrorKind::TimedOut | ErrorKind::WouldBlock => Kind::Timeout,
        ErrorKind::UnexpectedEof if seen.is_empty() => Kind::Empty,
        ErrorKind::UnexpectedEof
        | ErrorKind::ConnectionReset
        | ErrorKind::ConnectionAborted
        | ErrorKind::BrokenPipe => Kind::Reset,
        _ => Kind::Other,
    }
}
