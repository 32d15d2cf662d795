//! What an app may say that means no good: to terminals, to CI runners, to whoever keeps it all in memory.

use std::io::{self, Write};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

/// Commands of CI runners, escape sequences, bytes that are no text, characters that hide others.
pub const SAID: &[u8] = b"::error::told\n  ::stop-commands::x\n##[error]told\na ##[group]b\n\
    \x1b[31mred\x1b[2J\x1b]0;title\x07\n\xff\xfe\xc3\x28 \x9b31m\n\x00\x08\x7f\r::warning::told\n\
    \xe2\x80\xaetxt\xe2\x81\xa6\xc2\x9b1m\n";
/// After so many bytes of it one line has no end for as long.
const LINE: usize = 64 << 10;

/// Writes `mb` MiB of it.
///
/// # Errors
/// Those of the stream.
pub fn say(to: &mut impl Write, mb: u64) -> io::Result<()> {
    let mut block = SAID.repeat(LINE / SAID.len());
    block.extend([b'x'; LINE]);
    for _ in 0..mb * (1 << 20) / block.len() as u64 {
        to.write_all(&block)?;
    }
    to.write_all(SAID)
}

/// Answers the paths `/hostile?mb=N` (so much of it), `/garbage` (no HTTP), `/drip` (a byte a second) and
/// `/drip-body`; returns whether it was one of them. The connection is to be closed then.
///
/// # Errors
/// Those of the stream.
pub fn answer(path: &str, stream: &mut &TcpStream) -> io::Result<bool> {
    const HEAD: &[u8] =
        b"HTTP/1.1 200 ##[error]told\r\nX-Told: ::error::told\r\nConnection: close\r\n\r\n";
    let (path, mb) = path.split_once("?mb=").unwrap_or((path, "0"));
    match path {
        "/hostile" => {
            stream.write_all(HEAD)?;
            say(stream, mb.parse().unwrap_or(0))?;
        }
        "/garbage" => stream.write_all(SAID)?,
        "/drip" => drip(b"HTTP/1.1 200 OK\r\nX: ", stream)?,
        "/drip-body" => {
            stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")?;
            drip(b"", stream)?;
        }
        _ => return Ok(false),
    }
    Ok(true)
}

fn drip(first: &[u8], stream: &mut &TcpStream) -> io::Result<()> {
    for byte in first.iter().chain(std::iter::repeat(&b'x')) {
        stream.write_all(&[*byte])?;
        thread::sleep(Duration::from_secs(1));
    }
    Ok(())
}
