//! Many clients, and little to serve them with.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::{Stand, listener, pass, patient, read_all};

/// As many files as this process may have open, of `wanted`.
fn allowed(wanted: u64) -> u64 {
    let limit = |maximum| Rlimit {
        current: Some(wanted),
        maximum,
    };
    let now = getrlimit(Resource::Nofile);
    // Only root may have more than the hard limit.
    let more = setrlimit(
        Resource::Nofile,
        limit(now.maximum.map(|it| it.max(wanted))),
    );
    let most = now.maximum.map_or(wanted, |most| most.min(wanted));
    if more.is_err() {
        let current = Some(most);
        setrlimit(Resource::Nofile, Rlimit { current, ..now }).unwrap();
    }
    getrlimit(Resource::Nofile).current.unwrap_or(wanted)
}

#[test]
fn ten_thousand_idle_connections_are_held_by_one_thread_in_little_memory() {
    let files = allowed(24_000);
    // Both ends of each are here, and both of the forwarder's there.
    let many = usize::try_from((files - 500) / 2).unwrap().min(10_000);
    let stand = Stand::start();
    let mut pairs: Vec<_> = (0..many).map(|_| stand.pair()).collect();
    let (memory, threads) = (stand.status("VmHWM"), stand.status("Threads"));
    assert_eq!(stand.sockets(), 2 * many);
    assert_eq!(threads, 1);
    assert!(memory < 16 << 10, "{memory} KiB for {many} connections");
    let before = stand.ticks();
    thread::sleep(Duration::from_millis(300));
    assert!(stand.ticks() - before < 10, "idle ones cost time");
    for (client, app) in pairs.iter().step_by(97) {
        pass(client, app, b"still there");
        pass(app, client, b"so are you");
    }
    pairs.clear();
}

#[test]
fn clients_for_whom_there_are_no_files_wait_until_others_are_gone() {
    // Of 64 files 32 are kept for what ends the bridge.
    let stand = Stand::start_by(&["prlimit", "--nofile=64:64"]);
    let clients: Vec<_> = (0..100).map(|_| stand.connect()).collect();
    let app = stand.app.try_clone().unwrap();
    let serving = thread::spawn(move || {
        for _ in 0..100 {
            let mut stream = patient(app.accept().unwrap().0);
            let mut asked = [0];
            stream.read_exact(&mut asked).unwrap();
            stream.write_all(&asked).unwrap();
        }
    });
    thread::sleep(Duration::from_millis(300));
    assert!(stand.sockets() < 64);
    let before = stand.ticks();
    thread::sleep(Duration::from_millis(500));
    let ticks = stand.ticks() - before;
    assert!(ticks < 10, "{ticks} ticks of 10 ms while nothing is free");
    for (n, mut client) in (0..).zip(clients) {
        client.write_all(&[n]).unwrap();
        assert_eq!(read_all(&client).unwrap(), [n]);
    }
    serving.join().unwrap();
}

#[test]
fn an_app_that_does_not_accept_is_given_up_after_five_seconds() {
    let stand = Stand::start();
    let app = stand.app.local_addr().unwrap();
    rustix::net::listen(&stand.app, 0).unwrap();
    // The kernel has room for one more than was asked for.
    let _full = [(); 1].map(|()| TcpStream::connect(app).unwrap());
    let began = Instant::now();
    let client = stand.connect();
    assert!(read_all(&client).unwrap_or_default().is_empty());
    let waited = began.elapsed();
    assert!((4..10).contains(&waited.as_secs()), "{waited:?}");
}

#[test]
fn a_client_whose_app_refuses_is_closed_and_the_next_one_is_served() {
    let mut stand = Stand::start();
    let addr = stand.app.local_addr().unwrap();
    stand.app = listener();
    let client = stand.connect();
    assert!(read_all(&client).unwrap_or_default().is_empty());
    stand.app = std::net::TcpListener::bind(addr).unwrap();
    let (client, app) = stand.pair();
    pass(&client, &app, b"question");
}

#[test]
fn without_a_socket_and_with_wrong_words_it_ends_at_once() {
    let mut promote = Command::new(env!("CARGO_BIN_EXE_promote"));
    promote.args(["__forward", "not an address", "1", "web"]);
    assert!(!promote.status().unwrap().success());
}
