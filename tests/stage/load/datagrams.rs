//! Clients that ask by UDP and wait for the answer, as resolvers and games do.

use std::io::{self, ErrorKind};
use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::thread;
use std::time::{Duration, Instant};

use super::{Answer, Kind, Sample, sample};

/// Between an answer and the next question.
const PAUSE: Duration = Duration::from_millis(10);
/// How long an answer may take. One that is lost never comes, as nobody asks twice.
const TIMEOUT: Duration = Duration::from_secs(3);

/// Asks until it is stopped, from one port or from a new one each time.
pub(super) fn client(target: &str, keeps: bool, stop: &Arc<AtomicBool>, sender: &Sender<Sample>) {
    let start = Instant::now();
    let mut socket = None;
    let mut number = 0_u64;
    while !stop.load(Ordering::Relaxed) {
        let due = Instant::now();
        number += 1;
        let answer = ask(target, number, &mut socket);
        let _ = sender.send(sample(start, due, answer));
        socket = socket.filter(|_| keeps);
        thread::sleep(PAUSE);
    }
}

fn ask(target: &str, number: u64, socket: &mut Option<UdpSocket>) -> Answer {
    let mut exchange = || -> io::Result<String> {
        let open = match socket.take() {
            Some(open) => open,
            None => connect(target)?,
        };
        open.send(number.to_string().as_bytes())?;
        let version = answer(&open, number)?;
        *socket = Some(open);
        Ok(version)
    };
    match exchange() {
        Ok(body) => Answer::Ok { status: 200, body },
        Err(error) => Answer::Failed {
            kind: match error.kind() {
                ErrorKind::WouldBlock | ErrorKind::TimedOut => Kind::Timeout,
                ErrorKind::ConnectionRefused => Kind::Refused,
                _ => Kind::Other,
            },
        },
    }
}

fn connect(target: &str) -> io::Result<UdpSocket> {
    let any = if target.starts_with('[') {
        "[::]:0"
    } else {
        "0.0.0.0:0"
    };
    let socket = UdpSocket::bind(any)?;
    socket.connect(target)?;
    socket.set_read_timeout(Some(TIMEOUT))?;
    Ok(socket)
}

/// The version that has answered this question; answers to earlier ones may come late.
fn answer(socket: &UdpSocket, number: u64) -> io::Result<String> {
    let mut answer = [0; 1024];
    loop {
        let length = socket.recv(&mut answer)?;
        let said = String::from_utf8_lossy(&answer[..length]);
        if let Some((version, asked)) = said.split_once(' ')
            && asked == number.to_string()
        {
            return Ok(version.to_owned());
        }
    }
}
