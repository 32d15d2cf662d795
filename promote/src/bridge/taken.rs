//! Whether a program of this host takes a connection that was opened to one of its ports.
//!
//! An engine without a proxy keeps a published port for itself: it listens and accepts nothing. A connection to it is
//! opened by the kernel all the same, and waits for good.

use std::io::ErrorKind;
use std::net::TcpStream;

use crate::traffic::connections::connections_here;

/// Whether somebody has accepted it by now, or speaks or closes it, as one does who has accepted it.
pub(super) fn is_taken(opened: &TcpStream) -> bool {
    let (Ok(own), Ok(called)) = (opened.local_addr(), opened.peer_addr()) else {
        // One that has ended has no other side any more.
        return true;
    };
    // What nobody has accepted yet is no file, and has no number.
    let found = connections_here(|it| {
        it.port == called.port() && it.peer == own && it.inode != 0 && !it.listens
    });
    found.is_ok_and(|found| found.open > 0) || !is_silent(opened)
}

fn is_silent(opened: &TcpStream) -> bool {
    let read = opened
        .set_nonblocking(true)
        .and_then(|()| opened.peek(&mut [0]));
    read.is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    #[test]
    fn what_is_accepted_or_closed_is_taken_and_what_waits_is_not() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let kept = TcpListener::bind(address).unwrap();
            let open = || TcpStream::connect(kept.local_addr().unwrap()).unwrap();
            assert!(!is_taken(&open()), "{address}");
            // The one from before is accepted first.
            let first = kept.accept().unwrap();
            let opened = open();
            let second = kept.accept().unwrap();
            assert!(is_taken(&opened), "{address}");
            drop((first, second));
            let opened = open();
            let closing = thread::spawn(move || drop(kept.accept()));
            closing.join().unwrap();
            assert!(is_taken(&opened), "{address}");
        }
    }
}
