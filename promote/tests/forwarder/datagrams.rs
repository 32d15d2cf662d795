//! What it does with datagrams: whose answer is whose, which flows go, and when it ends.

use std::net::{SocketAddr, UdpSocket};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::{LONG, eventually};

/// A forwarder of datagrams, and what stands in for a candidate.
struct Stand {
    forwarder: Child,
    candidate: Child,
    app: UdpSocket,
    /// Where clients send to on any address of loopback.
    port: u16,
}

impl Stand {
    /// Starts the forwarder by way of another command.
    fn start_by(wrapper: &[&str]) -> Stand {
        let (door, app) = (socket("0.0.0.0:0"), socket("127.0.0.1:0"));
        let port = door.local_addr().unwrap().port();
        let candidate = Command::new("sleep").arg("600").spawn().unwrap();
        let mut words = wrapper.to_vec();
        let (to, pid) = (app.local_addr().unwrap().to_string(), candidate.id());
        let pid = pid.to_string();
        words.extend([env!("CARGO_BIN_EXE_promote"), "__forward", &to, &pid]);
        let forwarder = Command::new(words[0])
            .args(&words[1..])
            .arg("no-such-app")
            .stdin(OwnedFd::from(door))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let stand = Stand {
            forwarder,
            candidate,
            app,
            port,
        };
        stand.await_start();
        stand
    }

    /// What comes before it has started is thrown away.
    fn await_start(&self) {
        let (client, short) = (self.client_of("127.0.0.1"), Duration::from_millis(100));
        self.app.set_read_timeout(Some(short)).unwrap();
        eventually("it passes on", || {
            client.send(b"first").unwrap();
            self.app.recv_from(&mut [0; 100]).is_ok()
        });
        while self.app.recv_from(&mut [0; 100]).is_ok() {}
        self.app.set_read_timeout(Some(LONG)).unwrap();
    }

    /// A client that takes answers only from the address that it calls.
    fn client_of(&self, address: &str) -> UdpSocket {
        let client = socket("0.0.0.0:0");
        client.connect((address, self.port)).unwrap();
        client
    }

    /// The app takes the question, and is told from where.
    fn asked(&self, question: &str) -> SocketAddr {
        let mut asked = [0; 100];
        let (length, from) = self.app.recv_from(&mut asked).unwrap();
        assert_eq!(asked[..length], *question.as_bytes());
        from
    }

    fn exchange(&self, client: &UdpSocket, word: &str) {
        client.send(word.as_bytes()).unwrap();
        let from = self.asked(word);
        self.app.send_to(word.as_bytes(), from).unwrap();
        hears(client, word);
    }

    /// How long it takes to end from now on.
    fn await_end(&mut self) -> Duration {
        let began = Instant::now();
        let forwarder = &mut self.forwarder;
        eventually("it has ended", || forwarder.try_wait().unwrap().is_some());
        assert!(self.forwarder.wait().unwrap().success());
        began.elapsed()
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

fn socket(at: &str) -> UdpSocket {
    let socket = UdpSocket::bind(at).unwrap();
    socket.set_read_timeout(Some(LONG)).unwrap();
    socket
}

fn hears(client: &UdpSocket, word: &str) {
    let mut heard = [0; 100];
    let length = client.recv(&mut heard).unwrap();
    assert_eq!(heard[..length], *word.as_bytes());
}

#[test]
fn each_client_gets_its_own_answers_from_the_address_that_it_has_called() {
    let stand = Stand::start_by(&[]);
    let (one, other) = (stand.client_of("127.0.0.1"), stand.client_of("127.0.0.5"));
    one.send(b"one").unwrap();
    let from_one = stand.asked("one");
    other.send(b"other").unwrap();
    let from_other = stand.asked("other");
    stand.app.send_to(b"to other", from_other).unwrap();
    stand.app.send_to(b"to one", from_one).unwrap();
    hears(&one, "to one");
    hears(&other, "to other");
    one.send(b"again").unwrap();
    assert_eq!(stand.asked("again"), from_one);
}

#[test]
fn where_files_run_out_the_flow_that_was_silent_longest_makes_room() {
    // Of 64 files 32 are kept for what ends the bridge.
    let stand = Stand::start_by(&["prlimit", "--nofile=64:64"]);
    let clients: Vec<_> = (0..100).map(|_| stand.client_of("127.0.0.1")).collect();
    for client in clients.iter().chain(&clients) {
        stand.exchange(client, "question");
    }
}

#[test]
fn told_to_stop_it_serves_those_whom_it_knows_for_five_seconds_and_nobody_else() {
    let mut stand = Stand::start_by(&[]);
    let (client, stranger) = (stand.client_of("127.0.0.1"), stand.client_of("127.0.0.1"));
    stand.exchange(&client, "before");
    kill_process(Pid::from_child(&stand.forwarder), Signal::TERM).unwrap();
    thread::sleep(Duration::from_millis(200));
    stranger.send(b"stranger").unwrap();
    stand.exchange(&client, "after");
    let took = stand.await_end();
    assert!((4..15).contains(&took.as_secs()), "{took:?}");
}

#[test]
fn told_to_stop_it_ends_at_once_with_the_candidate() {
    let mut stand = Stand::start_by(&[]);
    stand.exchange(&stand.client_of("127.0.0.1"), "question");
    kill_process(Pid::from_child(&stand.forwarder), Signal::TERM).unwrap();
    stand.candidate.kill().unwrap();
    stand.candidate.wait().unwrap();
    let took = stand.await_end();
    assert!(took.as_secs() < 3, "{took:?}");
}
