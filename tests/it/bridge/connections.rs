//! Connections that are open while the app behind them is replaced.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::{bridged, has_proxy, lacks_bridge};
use crate::support::App;

/// The body of the next answer on a connection; an error when it is closed instead.
pub(super) fn answer(reader: &mut impl BufRead) -> std::io::Result<String> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        match line.trim_end().to_ascii_lowercase().split_once(": ") {
            Some(("content-length", value)) => length = value.parse().unwrap(),
            None if line.trim_end().is_empty() => break,
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok(String::from_utf8(body).unwrap())
}

pub(super) fn ask(stream: &TcpStream, path: &str) -> std::io::Result<String> {
    write!(&mut (&*stream), "GET {path} HTTP/1.1\r\nHost: x\r\n\r\n")?;
    answer(&mut BufReader::new(stream))
}

/// What a browser does: it keeps its connection, and asks again on a new one if an idle one was closed.
fn keep_asking(addr: SocketAddr, stop: Arc<AtomicBool>) -> thread::JoinHandle<(u32, Vec<String>)> {
    thread::spawn(move || {
        let connect = || TcpStream::connect(addr).unwrap();
        let (mut stream, mut asked, mut versions) = (connect(), 0, Vec::new());
        while !stop.load(Ordering::Relaxed) {
            asked += 1;
            let version = ask(&stream, "/").or_else(|_| {
                stream = connect();
                ask(&stream, "/")
            });
            let version = version.unwrap();
            if versions.last() != Some(&version) {
                versions.push(version);
            }
            thread::sleep(Duration::from_millis(5));
        }
        (asked, versions)
    })
}

/// The port by way of the forwarder, and by way of the kernel alone, as clients of other hosts come; and over IPv6
/// where the engine serves it: nothing but the bridge's own rules may have that tracked.
pub(super) fn ways(app: &App) -> Vec<SocketAddr> {
    let towards = UdpSocket::bind("0.0.0.0:0").unwrap();
    let container = app.container("").unwrap();
    let networks = container["NetworkSettings"]["Networks"]
        .as_object()
        .unwrap();
    let address = networks.values().find_map(|it| it["IPAddress"].as_str());
    towards.connect((address.unwrap(), 9)).unwrap();
    let own = towards.local_addr().unwrap().ip();
    let newer = SocketAddr::new(Ipv6Addr::LOCALHOST.into(), app.port);
    let newer = Some(newer).filter(|_| has_proxy() && TcpListener::bind("[::1]:0").is_ok());
    let ways = [app.addr(), SocketAddr::new(own, app.port)];
    ways.into_iter().chain(newer).collect()
}

#[test]
fn keep_alive_clients_get_every_answer() {
    if lacks_bridge() {
        return;
    }
    let app = App::new("keepalive");
    let graceful = |version| app.tagged(&app.image(version).env("GRACEFUL", "1"), version);
    let (old, new) = (graceful("v1"), graceful("v2"));
    app.deploy(&old, &[]);
    let stop = Arc::new(AtomicBool::new(false));
    let ways = ways(&app).into_iter().cycle();
    let clients: Vec<_> = ways
        .take(9)
        .map(|addr| keep_asking(addr, Arc::clone(&stop)))
        .collect();
    thread::sleep(Duration::from_millis(300));
    bridged(&app, &new, &[]);
    thread::sleep(Duration::from_millis(300));
    stop.store(true, Ordering::Relaxed);
    for client in clients {
        let (asked, versions) = client.join().unwrap();
        assert!(asked > 20, "{asked}");
        assert_eq!(versions.first().map(String::as_str), Some("v1"));
        assert_eq!(versions.last().map(String::as_str), Some("v2"));
    }
}

#[test]
fn an_upload_under_way_is_finished() {
    if lacks_bridge() {
        return;
    }
    let app = App::new("upload");
    let (old, new) = (app.build("v1"), app.build("v2"));
    app.deploy(&old, &[]);
    let uploads = ways(&app).into_iter();
    let uploads: Vec<_> = uploads
        .map(|addr| thread::spawn(move || upload(addr)))
        .collect();
    thread::sleep(Duration::from_millis(200));
    let swap = bridged(&app, &new, &[]);
    for upload in uploads {
        let (counted, sent) = upload.join().unwrap();
        assert_eq!(counted, sent.to_string(), "{swap}");
    }
    assert!(swap["drained_ms"].as_u64() > Some(100), "{swap}");
}

/// Sends a body bit by bit; how much of it the app has counted, and how much there was.
fn upload(addr: SocketAddr) -> (String, usize) {
    let mut stream = TcpStream::connect(addr).unwrap();
    let (parts, part) = (140, [7; 10_000]);
    let length = parts * part.len();
    let head = format!("POST /upload HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    for _ in 0..parts {
        stream.write_all(&part).unwrap();
        thread::sleep(Duration::from_millis(50));
    }
    (answer(&mut BufReader::new(&stream)).unwrap(), length)
}

#[test]
fn idle_keep_alive_connections_do_not_hold_a_deployment_up() {
    if lacks_bridge() {
        return;
    }
    let app = App::new("idle");
    let (old, new) = (app.build("v1"), app.build("v2"));
    app.deploy(&old, &[]);
    let idle: Vec<TcpStream> = (0..5)
        .map(|_| TcpStream::connect(app.addr()).unwrap())
        .collect();
    for stream in &idle {
        assert_eq!(ask(stream, "/").unwrap(), "v1");
    }
    let swap = bridged(&app, &new, &["--drain", "30s"]);
    assert!(swap["drained_ms"].as_u64() < Some(10_000), "{swap}");
    drop(idle);
}

#[test]
fn a_connection_on_which_the_client_waits_is_drained_up_to_the_limit_and_then_closed() {
    if lacks_bridge() {
        return;
    }
    let app = App::new("socket");
    let (old, new) = (app.build("v1"), app.build("v2"));
    app.deploy(&old, &[]);
    let stream = TcpStream::connect(app.addr()).unwrap();
    let waiting = stream.try_clone().unwrap();
    let began = Instant::now();
    let socket = thread::spawn(move || ask(&waiting, "/slow?ms=60000").map(|_| began.elapsed()));
    thread::sleep(Duration::from_millis(200));
    let swap = bridged(&app, &new, &["--drain", "2s"]);
    assert!(swap["drained_ms"].as_u64() >= Some(2000), "{swap}");
    assert!(socket.join().unwrap().is_err());
    drop(stream);
    app.assert_live(&new);
}

/// Speaks on a connection both ways until the app takes its leave; how often it was answered.
fn speak(addr: SocketAddr) -> std::io::Result<u32> {
    let stream = TcpStream::connect(addr)?;
    let mut lines = BufReader::new(&stream).lines();
    write!(&mut (&stream), "GET /echo HTTP/1.1\r\nHost: x\r\n\r\n")?;
    let mut next = || {
        lines
            .next()
            .unwrap_or(Err(std::io::ErrorKind::UnexpectedEof.into()))
    };
    while !next()?.is_empty() {}
    for answered in 0.. {
        writeln!(&mut (&stream), "line {answered}")?;
        match next()? {
            line if line == format!("line {answered}") => thread::sleep(Duration::from_millis(20)),
            line if line == "bye" => return Ok(answered),
            other => return Err(std::io::Error::other(other)),
        }
    }
    Ok(0)
}

#[test]
fn a_connection_on_which_both_sides_speak_stays_until_the_old_container_takes_its_leave_on_it() {
    if lacks_bridge() {
        return;
    }
    let app = App::new("twoway");
    let graceful = |version| app.tagged(&app.image(version).env("GRACEFUL", "1"), version);
    let (old, new) = (graceful("v1"), graceful("v2"));
    app.deploy(&old, &[]);
    let speakers = ways(&app).into_iter();
    let speakers: Vec<_> = speakers
        .map(|addr| thread::spawn(move || speak(addr)))
        .collect();
    thread::sleep(Duration::from_millis(500));
    bridged(&app, &new, &["--drain", "2s"]);
    for speaker in speakers {
        let answered = speaker.join().unwrap().unwrap();
        assert!(answered > 10, "{answered}");
    }
    app.assert_live(&new);
}
