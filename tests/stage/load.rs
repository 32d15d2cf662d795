//! An open-loop load meter: every request is fired at its scheduled time, whatever became of the earlier ones.

mod datagrams;
mod kept;
mod outcome;
mod request;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

pub use outcome::{Answer, Kind, Outcome, Sample};

/// How long one request may take before it counts as failed: longer than a busy machine stands still.
pub const TIMEOUT: Duration = Duration::from_secs(5);

/// A load that is being made; it goes on until [`Load::stop`], or ends when this is dropped.
#[derive(Debug)]
pub struct Load {
    stopped: Arc<AtomicBool>,
    samples: Receiver<Sample>,
}

impl Load {
    /// Asks for `path` at `addr`, `rate_per_s` times a second, each time on a new connection.
    pub fn start(addr: SocketAddr, path: &str, rate_per_s: u32) -> Load {
        Load::to(&addr.to_string(), path, rate_per_s)
    }

    /// As [`Load::start`], at `host:port`; the host's name is looked up for every request.
    pub fn to(target: &str, path: &str, rate_per_s: u32) -> Load {
        let stopped = Arc::new(AtomicBool::new(false));
        let (sender, samples) = channel();
        let head = format!(
            "GET {path} HTTP/1.1\r\nHost: {target}\r\nUser-Agent: deploy-steps-load\r\nConnection: close\r\n\r\n"
        );
        let stop = Arc::clone(&stopped);
        let every = Duration::from_secs(1) / rate_per_s.max(1);
        let target: Arc<str> = Arc::from(target);
        thread::spawn(move || schedule(&target, &Arc::from(head), every, &stop, &sender));
        Load { stopped, samples }
    }

    /// Asks for `path` at `host:port` over so many connections at a time, each kept for some seconds.
    pub fn kept(target: &str, path: &str, connections: u16) -> Load {
        let stopped = Arc::new(AtomicBool::new(false));
        let (sender, samples) = channel();
        for nth in 1..=connections {
            let part = f64::from(nth) / f64::from(connections);
            let (target, path) = (target.to_owned(), path.to_owned());
            let (stop, sender) = (Arc::clone(&stopped), sender.clone());
            thread::spawn(move || kept::client(&target, &path, part, &stop, &sender));
        }
        Load { stopped, samples }
    }

    /// So many clients ask by UDP at `host:port`, each again and again. Every other one keeps its port; the rest have a new
    /// one for each question.
    pub fn datagrams(target: &str, clients: u16) -> Load {
        let stopped = Arc::new(AtomicBool::new(false));
        let (sender, samples) = channel();
        for nth in 0..clients {
            let target = target.to_owned();
            let (stop, sender) = (Arc::clone(&stopped), sender.clone());
            let keeps = nth % 2 == 0;
            thread::spawn(move || datagrams::client(&target, keeps, &stop, &sender));
        }
        Load { stopped, samples }
    }

    /// Ends the load, waits for the requests under way (at most [`TIMEOUT`]) and returns all that was seen.
    pub fn stop(self) -> Outcome {
        self.stopped.store(true, Ordering::Relaxed);
        // Each request has its own sender: the list ends with the last of them.
        Outcome::new(self.samples.iter().collect())
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
    }
}

fn schedule(
    target: &Arc<str>,
    head: &Arc<str>,
    every: Duration,
    stop: &AtomicBool,
    sender: &Sender<Sample>,
) {
    let start = Instant::now();
    let mut due = start;
    loop {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let (target, head, own) = (Arc::clone(target), Arc::clone(head), sender.clone());
        // A thread each, as a pool of any size is used up by requests that hang.
        let spawned = thread::Builder::new().stack_size(128 << 10).spawn(move || {
            let answer = request::send(&target, &head, due + TIMEOUT);
            let _ = own.send(sample(start, due, answer));
        });
        if spawned.is_err() {
            let _ = sender.send(sample(start, due, Answer::Failed { kind: Kind::Other }));
        }
        due += every;
    }
}

// Counted from when it was due: a request that had to wait for its turn was slow for its user, too.
fn sample(start: Instant, due: Instant, answer: Answer) -> Sample {
    Sample {
        at_ms: (due - start).as_secs_f64() * 1000.0,
        took_ms: due.elapsed().as_secs_f64() * 1000.0,
        answer,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::TcpListener;

    const RATE: u32 = 200;

    fn serve(answer: &'static [u8]) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                thread::spawn(move || {
                    let _ = stream.read(&mut [0; 1024]);
                    let _ = stream.write_all(answer);
                });
            }
        });
        addr
    }

    fn load(addr: SocketAddr, ms: u64) -> Outcome {
        let load = Load::start(addr, "/", RATE);
        thread::sleep(Duration::from_millis(ms));
        load.stop()
    }

    #[test]
    fn answers_are_counted_with_their_bodies() {
        let began = Instant::now();
        let outcome = load(
            serve(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nv1"),
            500,
        );
        let most = began.elapsed().as_secs_f64() * f64::from(RATE) + 1.0;
        assert_eq!(outcome.failed(), 0, "{:?}", outcome.kinds());
        let sent = outcome.sent();
        assert!(sent > 10 && (sent as f64) <= most, "{sent} of {most}");
        assert_eq!(outcome.versions(), ["v1"]);
        assert!(outcome.percentile(50.0) <= outcome.percentile(99.0));
    }

    #[test]
    fn each_way_to_fail_has_its_kind() {
        let kind = |answer: &'static [u8]| load(serve(answer), 50).kinds();
        assert_eq!(
            kind(b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n"),
            [Kind::BadStatus]
        );
        assert_eq!(kind(b""), [Kind::Empty]);
        assert_eq!(
            kind(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nv1"),
            [Kind::Reset]
        );
    }

    #[test]
    fn requests_that_hang_do_not_hold_up_the_others() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let outcome = load(listener.local_addr().unwrap(), 1000);
        // One after the other it would be one or two.
        assert!(outcome.sent() > 20, "{}", outcome.sent());
        assert_eq!(outcome.kinds(), [Kind::Timeout]);
    }
}
