//! The forwarder as a process, between real sockets: what it carries, what it costs, and when it ends.
#![cfg(test)]

mod datagrams;
mod ends;
mod limits;
mod streams;

use std::fs;
use std::io::{self, Read};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// Longer than anything here takes, unless it is broken.
const LONG: Duration = Duration::from_secs(60);

/// The listener twice, and both ends of what a signal is told by.
const OWN_SOCKETS: usize = 4;

/// A forwarder, and what stands in for a candidate: a process that may end, and a listener.
struct Stand {
    forwarder: Child,
    candidate: Child,
    app: TcpListener,
    /// Where clients connect.
    addr: SocketAddr,
}

impl Stand {
    fn start() -> Self {
        Self::start_by(&[])
    }

    /// Starts the forwarder by way of another command.
    fn start_by(wrapper: &[&str]) -> Self {
        let door = listener();
        let addr = door.local_addr().unwrap();
        Self::start_at(wrapper, addr, [Some(door), None])
    }

    /// Starts the forwarder with these sockets as its first streams; the others are no sockets.
    fn start_at(wrapper: &[&str], addr: SocketAddr, doors: [Option<TcpListener>; 2]) -> Self {
        let app = listener();
        let candidate = Command::new("sleep").arg("600").spawn().unwrap();
        let mut words = wrapper.to_vec();
        let (to, pid) = (app.local_addr().unwrap().to_string(), candidate.id());
        let pid = pid.to_string();
        words.extend([env!("CARGO_BIN_EXE_promote"), "__forward", &to, &pid]);
        let [stdin, stdout] = doors
            .map(|door| door.map_or_else(Stdio::null, |door| Stdio::from(OwnedFd::from(door))));
        let forwarder = Command::new(words[0])
            .args(&words[1..])
            .arg("no-such-app")
            .stdin(stdin)
            .stdout(stdout)
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self {
            forwarder,
            candidate,
            app,
            addr,
        }
    }

    fn connect(&self) -> TcpStream {
        patient(TcpStream::connect(self.addr).unwrap())
    }

    /// The app's end of the next connection.
    fn accept(&self) -> TcpStream {
        patient(self.app.accept().unwrap().0)
    }

    /// Both ends of a connection; clients that come one after the other are served in this order.
    fn pair(&self) -> (TcpStream, TcpStream) {
        (self.connect(), self.accept())
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.forwarder), signal).unwrap();
    }

    fn end_candidate(&mut self) {
        self.candidate.kill().unwrap();
        self.candidate.wait().unwrap();
    }

    fn has_ended(&mut self) -> bool {
        self.forwarder.try_wait().unwrap().is_some()
    }

    /// How the forwarder ended, and after how long from now.
    fn await_end(&mut self) -> (ExitStatus, Duration) {
        let began = Instant::now();
        eventually("the forwarder ended", || self.has_ended());
        (self.forwarder.wait().unwrap(), began.elapsed())
    }

    /// A number of `/proc/PID/status`: memory in KiB, or a count.
    fn status(&self, name: &str) -> u64 {
        let path = format!("/proc/{}/status", self.forwarder.id());
        let status = fs::read_to_string(path).unwrap();
        let mut lines = status.lines();
        let line = lines.find_map(|line| line.strip_prefix(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// How many connected sockets it has.
    fn sockets(&self) -> usize {
        let files = fs::read_dir(format!("/proc/{}/fd", self.forwarder.id())).unwrap();
        let targets = files.flatten().flat_map(|file| fs::read_link(file.path()));
        let is_socket = |target: &PathBuf| target.to_string_lossy().starts_with("socket:");
        targets.filter(is_socket).count() - OWN_SOCKETS
    }

    /// The processor's time that it has used, in ticks of 10 ms.
    fn ticks(&self) -> u64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.forwarder.id())).unwrap();
        let behind_name = stat.rsplit_once(')').unwrap().1;
        let words = behind_name.split_whitespace().skip(11).take(2);
        words.map(|it| it.parse::<u64>().unwrap()).sum()
    }
}

impl Drop for Stand {
    fn drop(&mut self) {
        for child in [&mut self.forwarder, &mut self.candidate] {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// On loopback, with room for all clients of a test.
fn listener() -> TcpListener {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    rustix::net::listen(&listener, 4096).unwrap();
    listener
}

/// A connection that would rather fail than have the test wait for ever.
fn patient(stream: TcpStream) -> TcpStream {
    stream.set_read_timeout(Some(LONG)).unwrap();
    stream.set_write_timeout(Some(LONG)).unwrap();
    stream
}

fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + LONG;
    while !is_so() {
        assert!(Instant::now() < end, "not in time: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

fn read_all(mut stream: &TcpStream) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).map(|_| bytes)
}

/// Has one side say something and the other hear it.
fn pass(mut from: &TcpStream, mut to: &TcpStream, word: &[u8]) {
    io::Write::write_all(&mut from, word).unwrap();
    let mut heard = vec![0; word.len()];
    to.read_exact(&mut heard).unwrap();
    assert_eq!(heard, word);
}
