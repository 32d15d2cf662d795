//! Carries connections that the kernel cannot translate (IPv6, and containers on other networks)
//! to the candidate, as the engine's own proxy does: a process of its own that outlives promote.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use signal_hook::consts::SIGTERM;

/// The hidden first argument; then come the candidate's address and its process id; stdin is the
/// listening socket.
const FLAG: &str = "--forward";
const CONNECT: Duration = Duration::from_secs(5);
/// After this many seconds in which the candidate took no connection it is gone.
const GONE: u32 = 3;

/// A forwarder that runs; ended gently when dropped: open connections are carried to their ends.
#[derive(Debug)]
pub(crate) struct Forwarder {
    child: Child,
    /// Where it listens, on every address.
    pub(crate) port: u16,
    ends_with_us: bool,
}

impl Forwarder {
    /// Starts a forwarder to `candidate`, whose main process is `pid`.
    pub(crate) fn start(candidate: SocketAddr, pid: i32) -> io::Result<Self> {
        // Listening on `::` takes IPv4 too; without IPv6 there is only IPv4 to take.
        let listener = TcpListener::bind("[::]:0").or_else(|_| TcpListener::bind("0.0.0.0:0"))?;
        let port = listener.local_addr()?.port();
        let child = Command::new("/proc/self/exe")
            .arg0("promote")
            .args([FLAG, &candidate.to_string(), &pid.to_string()])
            .stdin(Stdio::from(std::os::fd::OwnedFd::from(listener)))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()?;
        Ok(Self {
            child,
            port,
            ends_with_us: true,
        })
    }

    /// Lets it go on until the candidate is gone.
    pub(crate) fn leave(mut self) {
        self.ends_with_us = false;
    }
}

impl Drop for Forwarder {
    fn drop(&mut self) {
        if self.ends_with_us {
            let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
        }
    }
}

/// Forwards, where this process was started to do that.
pub(crate) fn requested() -> Option<ExitCode> {
    let mut args = std::env::args().skip(1);
    let candidate = args
        .next()
        .filter(|first| first == FLAG)
        .and_then(|_| args.next())?;
    let process = args.next().unwrap_or_default();
    let candidate = candidate.parse().map_err(io::Error::other);
    let served = candidate.and_then(|candidate| serve(candidate, &process));
    Some(if served.is_ok() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Accepts until SIGTERM or until the candidate is gone, then finishes what is open.
fn serve(candidate: SocketAddr, process: &str) -> io::Result<()> {
    // Stays the file of this very process. By its address alone the candidate would live on in
    // the next container that is given it.
    let mut process = File::open(format!("/proc/{process}/stat")).ok();
    let listener = TcpListener::from(io::stdin().as_fd().try_clone_to_owned()?);
    let stop = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(SIGTERM, Arc::clone(&stop))?;
    signal_hook::flag::register(signal_hook::consts::SIGHUP, Arc::default())?;
    let open = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&open);
    thread::spawn(move || accept(&listener, candidate, &counted));
    let mut missed = 0;
    let mut looked = Instant::now();
    while missed < GONE {
        let done = stop.load(Ordering::Relaxed) && open.load(Ordering::Relaxed) == 0;
        if done {
            return Ok(());
        }
        thread::sleep(Duration::from_millis(50));
        if looked.elapsed() > Duration::from_secs(1) {
            let answers = TcpStream::connect_timeout(&candidate, Duration::from_secs(1)).is_ok();
            missed = if answers { 0 } else { missed + 1 };
            if process.as_mut().is_some_and(has_ended) {
                return Ok(());
            }
            looked = Instant::now();
        }
    }
    Ok(())
}

fn has_ended(process: &mut File) -> bool {
    let read = process.rewind().and_then(|()| process.read(&mut [0]));
    read.is_err()
}

fn accept(listener: &TcpListener, candidate: SocketAddr, open: &Arc<AtomicUsize>) {
    for client in listener.incoming().flatten() {
        let open = Arc::clone(open);
        open.fetch_add(1, Ordering::Relaxed);
        thread::spawn(move || {
            // A failure here is the client's to see: its connection closes.
            let _ = carry(&client, candidate);
            open.fetch_sub(1, Ordering::Relaxed);
        });
    }
}

fn carry(client: &TcpStream, candidate: SocketAddr) -> io::Result<()> {
    let app = TcpStream::connect_timeout(&candidate, CONNECT)?;
    client.set_nodelay(true)?;
    app.set_nodelay(true)?;
    let (from_client, to_app) = (client.try_clone()?, app.try_clone()?);
    let upwards = thread::spawn(move || pour(&from_client, &to_app));
    pour(&app, client);
    let _ = upwards.join();
    Ok(())
}

/// One direction; its end is passed on, the other direction may go on.
fn pour(mut from: &TcpStream, mut to: &TcpStream) {
    let _ = io::copy(&mut from, &mut to);
    let _ = to.shutdown(Shutdown::Write);
}
