//! One request on a connection of its own, for faults that only some requests meet.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::{Fault, Wrong};

/// What is larger is a layer, not an image's configuration.
const LAYER: u64 = 64 << 10;

/// Hands one request on and its answer back, and counts what is made to go wrong.
pub(super) fn exchange(
    client: &mut TcpStream,
    upstream: &str,
    fault: Fault,
    struck: &AtomicUsize,
) -> io::Result<()> {
    let mut first = [0];
    if client.peek(&mut first)? == 1 && super::is_tls(&first) {
        super::read_head(client)?;
        return super::refuse(client, 400);
    }
    let mut request = head(client)?;
    if let Fault::Manifest(other) = fault
        && let Some(lie) = with_manifest(&request, other)
    {
        request = lie;
        struck.fetch_add(1, Ordering::Relaxed);
    }
    let mut server = TcpStream::connect(upstream)?;
    // The connection is closed after the answer, so that no other request can follow.
    write!(server, "{request}Connection: close\r\n\r\n")?;
    let answer = head(&mut server)? + "\r\n";
    server.read_exact(&mut [0; 2])?;
    match fault {
        Fault::Layers(wrong) if is_layer(&request, &answer) => {
            struck.fetch_add(1, Ordering::Relaxed);
            spoil(client, &mut server, &answer, wrong)
        }
        _ => {
            client.read_exact(&mut [0; 2])?;
            client.write_all(answer.as_bytes())?;
            io::copy(&mut server, client).map(drop)
        }
    }
}

fn spoil(
    client: &mut TcpStream,
    server: &mut TcpStream,
    answer: &str,
    wrong: Wrong,
) -> io::Result<()> {
    let mut hand_on = |client: &mut TcpStream, bytes: usize| {
        client.write_all(answer.as_bytes())?;
        io::copy(&mut server.take(bytes as u64), client)
    };
    match wrong {
        // Closed with something unread, the kernel resets the connection.
        Wrong::ResetAfter(bytes) => hand_on(client, bytes).map(drop),
        Wrong::StallAfter(bytes) => {
            hand_on(client, bytes)?;
            io::copy(client, &mut io::sink()).map(drop)
        }
        Wrong::Status(status) => {
            client.read_exact(&mut [0; 2])?;
            super::refuse(client, status)
        }
        Wrong::ByteAt(place) => {
            client.read_exact(&mut [0; 2])?;
            hand_on(client, place)?;
            let mut byte = [0];
            server.read_exact(&mut byte)?;
            client.write_all(&[!byte[0]])?;
            io::copy(server, client).map(drop)
        }
    }
}

/// A head without the empty line that ends it, of which two bytes are still to be read.
fn head(stream: &mut TcpStream) -> io::Result<String> {
    let (mut head, mut byte) = (Vec::new(), [0]);
    // Read singly, so that nothing of what follows is.
    loop {
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
        if byte == [b'\n'] {
            let mut next = [0];
            if stream.peek(&mut next)? == 1 && next == [b'\r'] {
                return String::from_utf8(head).map_err(io::Error::other);
            }
        }
    }
}

fn is_layer(request: &str, answer: &str) -> bool {
    let of_blob = request
        .lines()
        .next()
        .unwrap_or_default()
        .contains("/blobs/");
    let lengths = answer.lines().filter_map(|line| line.split_once(": "));
    let mut lengths = lengths.filter(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    of_blob && lengths.any(|(_, bytes)| bytes.trim().parse().is_ok_and(|bytes: u64| bytes > LAYER))
}

/// The request, asking for another manifest; nothing if it asks for none.
fn with_manifest(request: &str, other: &str) -> Option<String> {
    let (before, rest) = request.split_once("/manifests/")?;
    let (_, after) = rest.split_once(' ')?;
    Some(format!("{before}/manifests/{other} {after}"))
}
