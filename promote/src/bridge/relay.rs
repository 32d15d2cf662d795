//! The forwarder's connections, each copied by two threads.

use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

const CONNECT: Duration = Duration::from_secs(5);
/// How many may wait to be accepted; the kernel may allow fewer (`net.core.somaxconn`).
const BACKLOG: i32 = 4096;
/// Until files or threads that have run out may be free again, or another answer is handed out.
const PAUSE: Duration = Duration::from_millis(10);
/// How long what the candidate had answered when it ended is handed out.
pub(crate) const LAST_ANSWERS: Duration = Duration::from_secs(5);

/// Of each count in [`Relay`]: who reads it, and who takes connections.
const HOLDERS: usize = 2;

/// All connections of the moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Relay {
    /// Nothing is taken any more: the candidate's address may be another container's by now.
    is_over: Arc<AtomicBool>,
    /// Each open connection has a share of it.
    open: Arc<()>,
    /// Each of them has one of this as well, until the candidate has said its last.
    answering: Arc<()>,
}

impl Relay {
    /// Forwards to the candidate whatever comes in from now on.
    pub(crate) fn accept(listener: TcpListener, candidate: SocketAddr) -> Self {
        // Fewer is better than none.
        let _ = rustix::net::listen(&listener, BACKLOG);
        allow_many();
        let relay = Self::default();
        let shared = relay.clone();
        thread::spawn(move || shared.take(&listener, candidate));
        relay
    }

    /// Whether any connection is open.
    pub(crate) fn is_open(&self) -> bool {
        Arc::strong_count(&self.open) > HOLDERS
    }

    /// Takes no more, and returns when all that the candidate has answered is with the kernel.
    pub(crate) fn hand_out(&self) {
        self.is_over.store(true, Ordering::Relaxed);
        let end = Instant::now() + LAST_ANSWERS;
        while Arc::strong_count(&self.answering) > HOLDERS && Instant::now() < end {
            thread::sleep(PAUSE);
        }
    }

    fn take(&self, listener: &TcpListener, candidate: SocketAddr) {
        for client in listener.incoming() {
            let Ok(client) = client else {
                thread::sleep(PAUSE);
                continue;
            };
            if self.is_over.load(Ordering::Relaxed) {
                continue;
            }
            let Self {
                is_over,
                open,
                answering,
            } = self.clone();
            let started = thread::Builder::new().spawn(move || {
                // A failure here is the client's to see: its connection closes.
                let _ = forward(&client, candidate, &is_over, answering);
                drop(open);
            });
            if started.is_err() {
                thread::sleep(PAUSE);
            }
        }
    }
}

/// Each connection takes two files, and the usual limit of a login is a thousand.
fn allow_many() {
    let allowed = getrlimit(Resource::Nofile);
    let all = Rlimit {
        current: allowed.maximum,
        ..allowed
    };
    // What is allowed already does.
    let _ = setrlimit(Resource::Nofile, all);
}

fn forward(
    client: &TcpStream,
    candidate: SocketAddr,
    is_over: &AtomicBool,
    answering: Arc<()>,
) -> io::Result<()> {
    let app = TcpStream::connect_timeout(&candidate, CONNECT)?;
    if is_over.load(Ordering::Relaxed) {
        return Ok(());
    }
    client.set_nodelay(true)?;
    app.set_nodelay(true)?;
    thread::scope(|scope| {
        let upwards = || copy(client, &app);
        let upwards = thread::Builder::new().spawn_scoped(scope, upwards)?;
        copy(&app, client);
        drop(answering);
        let _ = upwards.join();
        Ok(())
    })
}

/// One direction; its end is passed on, the other direction may go on.
fn copy(mut from: &TcpStream, mut to: &TcpStream) {
    let _ = io::copy(&mut from, &mut to);
    let _ = to.shutdown(Shutdown::Write);
}
