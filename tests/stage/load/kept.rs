//! Clients that keep their connections, as browsers, proxies and pools do.

use std::io::{self, ErrorKind};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::thread;
use std::time::{Duration, Instant};

use super::{Answer, Sample, TIMEOUT, request, sample};

/// Between an answer and the next request on its connection.
const PAUSE: Duration = Duration::from_millis(50);
/// After which a connection is given up for a new one.
const LIFE: Duration = Duration::from_secs(5);

/// Asks over one connection after the other until it is stopped; the first lives for a part of [`LIFE`] only, so that
/// new ones are made all the time.
pub(super) fn client(
    target: &str,
    path: &str,
    part: f64,
    stop: &Arc<AtomicBool>,
    sender: &Sender<Sample>,
) {
    let head =
        format!("GET {path} HTTP/1.1\r\nHost: {target}\r\nUser-Agent: deploy-steps-load\r\n\r\n");
    let start = Instant::now();
    let mut life = LIFE.mul_f64(part);
    while !stop.load(Ordering::Relaxed) {
        let (opened, mut open) = (Instant::now(), None);
        while opened.elapsed() < life && !stop.load(Ordering::Relaxed) {
            let due = Instant::now();
            let answer = ask(target, &head, &mut open, due + TIMEOUT);
            let good = matches!(answer, Answer::Ok { .. });
            let _ = sender.send(sample(start, due, answer));
            thread::sleep(PAUSE);
            if !good || open.as_ref().is_none_or(is_over) {
                break;
            }
        }
        life = LIFE;
    }
}

fn ask(target: &str, head: &str, open: &mut Option<TcpStream>, end: Instant) -> Answer {
    let mut seen = Vec::new();
    let mut exchange = || -> io::Result<Answer> {
        let stream = match open.take() {
            Some(stream) => stream,
            None => request::connect(target, end)?,
        };
        let (answer, stream) = request::exchange(stream, head, end, &mut seen)?;
        *open = Some(stream);
        Ok(answer)
    };
    exchange().unwrap_or_else(|error| Answer::Failed {
        kind: request::kind_of(&error, &seen),
    })
}

/// Whether the other side has ended it, which a client sees before it asks again.
fn is_over(stream: &TcpStream) -> bool {
    let looked = stream
        .set_nonblocking(true)
        .and_then(|()| stream.peek(&mut [0]));
    let waits = matches!(&looked, Err(error) if error.kind() == ErrorKind::WouldBlock);
    !waits || stream.set_nonblocking(false).is_err()
}
