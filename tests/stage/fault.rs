//! A proxy in front of a real registry that goes wrong in the ways in which networks and registries do.

mod exchange;

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use crate::ground;

/// What goes wrong on a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing: everything is handed on.
    None,
    /// Connections are accepted, and never answered.
    Silent,
    /// Answers are handed on up to so many bytes per connection; then nothing more comes, and nothing is closed.
    StallAfter(usize),
    /// The connection is reset as soon as a request arrives.
    Reset,
    /// Each request is answered with this HTTP status and an empty body.
    Status(u16),
    /// Manifests and configurations are handed on; layers go wrong.
    Layers(Wrong),
    /// Whichever manifest is asked for, the repository's one of this tag is sent.
    Manifest(&'static str),
}

/// What goes wrong with a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrong {
    /// It is answered with this HTTP status and an empty body.
    Status(u16),
    /// The connection is reset after so many bytes of it.
    ResetAfter(usize),
    /// After so many bytes nothing more comes, and nothing is closed.
    StallAfter(usize),
    /// The byte at this place is another one.
    ByteAt(usize),
}

/// A running proxy; it ends when it is dropped.
#[derive(Debug)]
pub struct Proxy {
    addr: SocketAddr,
    state: Arc<State>,
}

#[derive(Debug)]
struct State {
    upstream: String,
    fault: Mutex<Fault>,
    connections: AtomicUsize,
    struck: AtomicUsize,
    ended: AtomicBool,
}

impl Proxy {
    /// Starts a proxy with `fault` in front of `host`, `127.0.0.1:PORT`.
    pub fn in_front_of(host: &str, fault: Fault) -> io::Result<Proxy> {
        Proxy::on(TcpListener::bind((ground::registries(), 0))?, host, fault)
    }

    /// The same on a listener of one's own, which may be in another network namespace.
    pub fn on(listener: TcpListener, host: &str, fault: Fault) -> io::Result<Proxy> {
        let addr = listener.local_addr()?;
        let state = Arc::new(State {
            upstream: host.to_owned(),
            fault: Mutex::new(fault),
            connections: AtomicUsize::new(0),
            struck: AtomicUsize::new(0),
            ended: AtomicBool::new(false),
        });
        let shared = Arc::clone(&state);
        thread::spawn(move || accept(&listener, &shared));
        Ok(Proxy { addr, state })
    }

    /// Its address and port, as image references begin: `127.0.0.1:PORT` on most stages.
    pub fn host(&self) -> String {
        self.addr.to_string()
    }

    /// What goes wrong from now on, on new connections.
    pub fn set(&self, fault: Fault) {
        if let Ok(mut current) = self.state.fault.lock() {
            *current = fault;
        }
    }

    /// How many layers or manifests went wrong so far, those included that have only begun to.
    pub fn struck(&self) -> usize {
        self.state.struck.load(Ordering::Relaxed)
    }

    /// How many connections came so far.
    pub fn connections(&self) -> usize {
        self.state.connections.load(Ordering::Relaxed)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.state.ended.store(true, Ordering::Relaxed);
        // Wakes it up, so that it sees that it has ended; one in another namespace ends with us.
        let _ = TcpStream::connect(self.addr);
    }
}

fn accept(listener: &TcpListener, state: &Arc<State>) {
    for stream in listener.incoming().flatten() {
        if state.ended.load(Ordering::Relaxed) {
            return;
        }
        state.connections.fetch_add(1, Ordering::Relaxed);
        let state = Arc::clone(state);
        thread::spawn(move || serve(stream, &state));
    }
}

fn serve(mut client: TcpStream, state: &State) -> io::Result<()> {
    let fault = state.fault.lock().map_or(Fault::None, |fault| *fault);
    match fault {
        Fault::None => forward(client, &state.upstream, usize::MAX),
        Fault::StallAfter(bytes) => forward(client, &state.upstream, bytes),
        Fault::Silent => io::copy(&mut client, &mut io::sink()).map(drop),
        // Closed with something unread, the kernel resets the connection.
        Fault::Reset => client.peek(&mut [0]).map(drop),
        Fault::Status(status) => {
            read_head(&mut client)?;
            refuse(&mut client, status)
        }
        Fault::Layers(_) | Fault::Manifest(_) => {
            exchange::exchange(&mut client, &state.upstream, fault, &state.struck)
        }
    }
}

fn forward(mut client: TcpStream, upstream: &str, limit: usize) -> io::Result<()> {
    let mut server = TcpStream::connect(upstream)?;
    let (mut from_client, mut to_server) = (client.try_clone()?, server.try_clone()?);
    let up = thread::spawn(move || {
        let _ = io::copy(&mut from_client, &mut to_server);
        let _ = to_server.shutdown(Shutdown::Both);
    });
    let handed_on = io::copy(&mut (&mut server).take(limit as u64), &mut client)?;
    if handed_on < limit as u64 {
        client.shutdown(Shutdown::Both)?;
    }
    // Past the limit both sides stay open until the client gives up.
    let _ = up.join();
    Ok(())
}

fn read_head(client: &mut TcpStream) -> io::Result<()> {
    let mut head = Vec::new();
    let mut chunk = [0; 4096];
    while !is_tls(&head) && !head.windows(4).any(|four| four == b"\r\n\r\n") {
        let n = client.read(&mut chunk)?;
        if n == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        head.extend_from_slice(&chunk[..n]);
    }
    Ok(())
}

/// The engine tries TLS first, and waits ten seconds for a handshake unless it gets plain text.
fn is_tls(head: &[u8]) -> bool {
    head.first() == Some(&0x16)
}

fn refuse(client: &mut TcpStream, status: u16) -> io::Result<()> {
    let said = format!("HTTP/1.1 {status} Fault\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    client.write_all(said.as_bytes())
}
