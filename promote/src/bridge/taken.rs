//! Whether a program of this host takes a connection that was opened to one of its ports.
//!
//! An engine without a proxy keeps a published port for itself: it listens and accepts nothing. A connection to it is
//! opened by the kernel all the same, and waits for good.

use std::io::{ErrorKind, Read};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::traffic::connections::connections_here;

const PAUSE: Duration = Duration::from_millis(20);

/// Whether somebody accepts it within this time, or speaks or closes it, as one does who has accepted it.
pub(super) fn is_taken(mut opened: &TcpStream, within: Duration) -> bool {
    let (Ok(own), Ok(called)) = (opened.local_addr(), opened.peer_addr()) else {
        // One that has ended has no other side any more.
        return true;
    };
    if opened.set_read_timeout(Some(PAUSE)).is_err() {
        return false;
    }
    let end = Instant::now() + within;
    // What nobody has accepted yet has no number.
    let is_accepted = || {
        let found = connections_here(|it| {
            it.port == called.port() && it.peer == own && it.inode != 0 && !it.listens
        });
        found.is_ok_and(|found| found.open > 0)
    };
    loop {
        if is_accepted() || !is_silent(opened.read(&mut [0])) {
            return true;
        }
        if Instant::now() > end {
            return false;
        }
    }
}

fn is_silent(read: std::io::Result<usize>) -> bool {
    read.is_err_and(|error| matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    #[test]
    fn what_is_accepted_or_closed_is_taken_and_what_waits_is_not() {
        let within = Duration::from_millis(100);
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let kept = TcpListener::bind(address).unwrap();
            let open = || TcpStream::connect(kept.local_addr().unwrap()).unwrap();
            assert!(!is_taken(&open(), within), "{address}");
            // The one from before is accepted first.
            let first = kept.accept().unwrap();
            let opened = open();
            let second = kept.accept().unwrap();
            assert!(is_taken(&opened, within), "{address}");
            drop((first, second));
            let opened = open();
            let closing = thread::spawn(move || drop(kept.accept()));
            closing.join().unwrap();
            assert!(is_taken(&opened, within), "{address}");
        }
    }
}
