//! What is carried, whole and in both directions.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::thread;
use std::time::Duration;

use rustix::net::sockopt::set_socket_linger;

use super::{Stand, eventually, listener, pass, read_all};

/// Bytes that differ at each place, so that whatever is lost, doubled or moved is seen.
fn bytes(seed: u64, from: usize, length: usize) -> Vec<u8> {
    let byte = |at: usize| {
        let mixed = (at as u64 ^ seed).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed >> 56) as u8
    };
    (from..from + length).map(byte).collect()
}

/// Sends `length` bytes in parts of odd sizes, and then its end.
fn send(mut stream: &TcpStream, seed: u64, length: usize) {
    let (mut sent, mut part) = (0, 1);
    while sent < length {
        part = (part * 7 + 1) % 300_007;
        let now = (part + 1).min(length - sent);
        stream.write_all(&bytes(seed, sent, now)).unwrap();
        sent += now;
    }
    stream.shutdown(Shutdown::Write).unwrap();
}

/// How many bytes came until the end; all of them are compared.
fn receive(mut stream: &TcpStream, seed: u64) -> usize {
    let (mut part, mut received) = (vec![0; 100_003], 0);
    loop {
        match stream.read(&mut part).unwrap() {
            0 => return received,
            some => {
                assert!(part[..some] == bytes(seed, received, some), "at {received}");
                received += some;
            }
        }
    }
}

#[test]
fn big_streams_go_both_ways_at_once_and_arrive_whole() {
    const LENGTH: usize = 24 << 20;
    let stand = Stand::start();
    let pairs: Vec<_> = (0..3).map(|_| stand.pair()).collect();
    thread::scope(|scope| {
        for (seed, (client, app)) in (0..).zip(&pairs) {
            scope.spawn(move || send(client, seed, LENGTH));
            scope.spawn(move || send(app, !seed, LENGTH));
            scope.spawn(move || assert_eq!(receive(client, !seed), LENGTH));
            scope.spawn(move || assert_eq!(receive(app, seed), LENGTH));
        }
    });
}

#[test]
fn an_end_of_one_direction_is_passed_on_and_the_other_goes_on() {
    let stand = Stand::start();
    let (client, app) = stand.pair();
    pass(&client, &app, b"all of it");
    client.shutdown(Shutdown::Write).unwrap();
    assert!(read_all(&app).unwrap().is_empty());
    pass(&app, &client, b"one answer");
    thread::sleep(Duration::from_millis(100));
    pass(&app, &client, b"and another");
    drop(app);
    assert!(read_all(&client).unwrap().is_empty());
    eventually("both sockets are closed", || stand.sockets() == 0);
}

#[test]
fn what_is_said_before_the_app_accepts_and_the_end_behind_it_arrive() {
    let stand = Stand::start();
    let mut client = stand.connect();
    client.write_all(b"early").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    thread::sleep(Duration::from_millis(100));
    assert_eq!(read_all(&stand.accept()).unwrap(), b"early");
}

#[test]
fn a_reset_of_either_side_is_the_end_for_the_other() {
    let stand = Stand::start();
    for is_client in [true, false] {
        let (client, app) = stand.pair();
        let (gone, left) = if is_client {
            (client, app)
        } else {
            (app, client)
        };
        pass(&left, &gone, b"a word");
        set_socket_linger(&gone, Some(Duration::ZERO)).unwrap();
        drop(gone);
        assert!(read_all(&left).unwrap_or_default().is_empty());
        eventually("both sockets are closed", || stand.sockets() == 0);
    }
}

#[test]
fn an_answer_that_the_app_gives_before_it_resets_arrives() {
    let stand = Stand::start();
    let (mut client, mut app) = stand.pair();
    client.write_all(b"a body that nobody reads").unwrap();
    eventually("it is there", || app.peek(&mut [0; 24]).unwrap() == 24);
    app.write_all(b"too large").unwrap();
    // With something unread, the kernel resets.
    drop(app);
    assert_eq!(read_all(&client).unwrap(), b"too large");
}

#[test]
fn a_client_that_does_not_read_stops_the_app_and_nobody_else() {
    const LENGTH: usize = 64 << 20;
    let stand = Stand::start();
    let (client, app) = stand.pair();
    thread::scope(|scope| {
        let sender = scope.spawn(|| send(&app, 7, LENGTH));
        thread::sleep(Duration::from_millis(500));
        let (before, memory) = (stand.ticks(), stand.status("VmRSS"));
        for _ in 0..50 {
            let (other, its_app) = stand.pair();
            pass(&other, &its_app, b"question");
            pass(&its_app, &other, b"answer");
        }
        thread::sleep(Duration::from_millis(500));
        assert!(!sender.is_finished());
        assert!(memory < 16 << 10, "{memory} KiB");
        let ticks = stand.ticks() - before;
        assert!(ticks < 20, "{ticks} ticks of 10 ms while one waits");
        assert_eq!(receive(&client, 7), LENGTH);
    });
}

#[test]
fn an_app_that_has_said_all_and_closed_waits_for_a_slow_client_without_work() {
    let stand = Stand::start();
    let (client, app) = stand.pair();
    client.shutdown(Shutdown::Write).unwrap();
    assert!(read_all(&app).unwrap().is_empty());
    let length = 3 << 20;
    send(&app, 9, length);
    drop(app);
    let before = stand.ticks();
    thread::sleep(Duration::from_millis(500));
    let ticks = stand.ticks() - before;
    assert!(ticks < 20, "{ticks} ticks of 10 ms while one waits");
    assert_eq!(receive(&client, 9), length);
}

#[test]
fn each_stream_that_is_a_socket_lets_clients_in() {
    let doors = [listener(), listener()];
    let addresses = doors.each_ref().map(|door| door.local_addr().unwrap());
    let mut stand = Stand::start_at(&[], addresses[0], doors.map(Some));
    for addr in addresses {
        stand.addr = addr;
        let (client, app) = stand.pair();
        pass(&client, &app, b"question");
        pass(&app, &client, b"answer");
    }
}
