//! When it ends: after its last connection, or with the candidate.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use rustix::process::Signal;

use super::{Stand, eventually, pass, read_all};

/// Until a signal or an end has been noticed.
const NOTICED: Duration = Duration::from_millis(200);

#[test]
fn told_to_stop_it_ends_with_its_last_connection() {
    let mut stand = Stand::start();
    let (client, app) = stand.pair();
    stand.signal(Signal::TERM);
    thread::sleep(NOTICED);
    pass(&client, &app, b"question");
    pass(&app, &client, b"answer");
    let (late, its_app) = stand.pair();
    drop((client, app));
    thread::sleep(NOTICED);
    pass(&late, &its_app, b"question");
    assert!(!stand.has_ended());
    drop((late, its_app));
    assert!(stand.await_end().0.success());
}

#[test]
fn told_to_stop_with_nothing_open_it_ends_at_once() {
    let mut stand = Stand::start();
    drop(stand.pair());
    stand.signal(Signal::TERM);
    let (status, took) = stand.await_end();
    assert!(status.success() && took.as_secs() < 3, "{took:?}");
}

#[test]
fn a_login_that_hangs_up_does_not_end_it() {
    let mut stand = Stand::start();
    let (client, app) = stand.pair();
    stand.signal(Signal::HUP);
    thread::sleep(NOTICED);
    pass(&client, &app, b"question");
    assert!(!stand.has_ended());
}

#[test]
fn when_the_candidate_ends_its_last_answers_are_handed_out_and_nobody_is_let_in() {
    let mut stand = Stand::start();
    let (client, app) = stand.pair();
    let answer = vec![7; 3 << 20];
    thread::scope(|scope| {
        scope.spawn(|| {
            (&app).write_all(&answer).unwrap();
            app.shutdown(std::net::Shutdown::Both).unwrap();
        });
        thread::sleep(NOTICED);
        stand.end_candidate();
        eventually("nobody is let in", || {
            TcpStream::connect(stand.addr).is_err()
        });
        assert_eq!(slowly(&client), answer.len());
    });
    assert!(stand.await_end().0.success());
}

/// How much comes until the end, when it is taken in half a second.
fn slowly(mut client: &TcpStream) -> usize {
    let (mut part, mut read) = (vec![0; 100_000], 0);
    loop {
        match client.read(&mut part).unwrap() {
            0 => return read,
            some => read += some,
        }
        thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_candidate_that_ended_without_a_word_is_waited_for_no_longer_than_five_seconds() {
    let mut stand = Stand::start();
    let (client, _app) = stand.pair();
    stand.end_candidate();
    let (status, took) = stand.await_end();
    assert!(status.success());
    assert!((4..10).contains(&took.as_secs()), "{took:?}");
    assert!(read_all(&client).unwrap_or_default().is_empty());
}

#[test]
fn a_candidate_that_ends_with_nothing_open_ends_it_at_once() {
    let mut stand = Stand::start();
    drop(stand.pair());
    stand.end_candidate();
    let (status, took) = stand.await_end();
    assert!(status.success() && took.as_secs() < 3, "{took:?}");
}
