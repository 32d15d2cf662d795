//! Connections that are only about to be: a packet of their handshake is lost on the line.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::thread;
use std::time::Duration;

use stage::clients::Peer;

use super::lacks_bridge;
use crate::support::{App, ok};

/// Has the line swallow every answer to a handshake, or lets it pass again.
fn swallow(peer: &Peer, answers: bool) {
    let words = if answers {
        ["add", "table"]
    } else {
        ["delete", "table"]
    };
    let rules = "{ chain input { type filter hook input priority 0; tcp flags & (syn | ack) == (syn | ack) drop; }; }";
    let script = format!(
        "{} ip swallow {}",
        words.join(" "),
        if answers { rules } else { "" }
    );
    let apply = peer.spawn(move || Ok(Command::new("nft").arg(script).status()?));
    assert!(apply.join().unwrap().unwrap().success());
}

#[test]
fn a_client_whose_handshake_is_lost_on_the_line_is_waited_for() {
    if lacks_bridge() {
        return;
    }
    let app = App::new("lost");
    let (old, new) = (app.build("v1"), app.build("v2"));
    app.deploy(&old, &[]);
    app.candidate(&new, &[]);
    let peer = Peer::new().unwrap();
    let target = format!("{}:{}", peer.host_v4(), app.port);
    swallow(&peer, true);
    let client = peer.spawn(move || {
        let mut stream = TcpStream::connect(target)?;
        stream.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    });
    // The client sends its part again one second after the first time, and three.
    thread::sleep(Duration::from_millis(300));
    thread::scope(|scope| {
        scope.spawn(|| {
            thread::sleep(Duration::from_millis(1500));
            swallow(&peer, false);
        });
        let report = ok(&app.promote(&["--drain", "20s", "--bridge", "require"]));
        assert!(
            report["swap"]["drained_ms"].as_u64() > Some(500),
            "{report}"
        );
    });
    let answer = client.join().unwrap().unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 200") && answer.ends_with("v1"),
        "{answer}"
    );
    app.assert_live(&new);
}
