//! Answers that take long, at every turn of a swap.

use std::fmt::Debug;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use stage::load::Load;
use stage::steps::run;

use super::connections::{ask, ways};
use super::{bridged, lacks_bridge};
use crate::resume::KILLED;
use crate::support::{App, Fault, PROVEN, failed, ok, path_with_faulty_nft, text};

/// Sends requests one after the other by each of the ways, from before `swap` until after it; what came of them.
fn asked_throughout<T: Send + 'static, R>(
    app: &App,
    request: fn(SocketAddr) -> T,
    swap: impl FnOnce() -> R,
) -> (Vec<T>, R) {
    let stop = Arc::new(AtomicBool::new(false));
    let (ways, stopped) = (ways(app), Arc::clone(&stop));
    let clients = thread::spawn(move || {
        let mut requests = Vec::new();
        for addr in ways.into_iter().cycle() {
            if stopped.load(Ordering::Relaxed) {
                break;
            }
            requests.push(thread::spawn(move || request(addr)));
            thread::sleep(Duration::from_millis(25));
        }
        requests
    });
    thread::sleep(Duration::from_millis(500));
    let swapped = swap();
    thread::sleep(Duration::from_millis(500));
    stop.store(true, Ordering::Relaxed);
    let requests = clients.join().unwrap().into_iter();
    (
        requests.map(|request| request.join().unwrap()).collect(),
        swapped,
    )
}

/// A connection that would rather fail than have the test wait for ever.
fn connect(addr: SocketAddr) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect(addr)?;
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    Ok(stream)
}

fn slow(addr: SocketAddr) -> std::io::Result<String> {
    ask(&connect(addr)?, "/slow?ms=2500")
}

fn all_answered(answers: &[std::io::Result<String>], report: &Value) {
    none_missing(answers, std::io::Result::is_ok, report);
}

fn none_missing<T: Debug>(got: &[T], is_whole: impl Fn(&T) -> bool, report: &Value) {
    let missing: Vec<_> = got.iter().filter(|it| !is_whole(it)).collect();
    assert!(
        missing.is_empty(),
        "{} of {}: {missing:?} {report}",
        missing.len(),
        got.len()
    );
}

#[test]
fn requests_longer_than_any_step_of_the_swap_are_answered() {
    if lacks_bridge() {
        return;
    }
    let app = App::new("long");
    let deaf = |version| app.tagged(&app.image(version).env("DEAF", "1"), version);
    let (old, new) = (deaf("v1"), deaf("v2"));
    app.deploy(&old, &[]);
    let (answers, swap) = asked_throughout(&app, slow, || {
        bridged(&app, &new, &["--stop-timeout", "1s"])
    });
    all_answered(&answers, &swap);
    assert!(swap["drained_ms"].as_u64() > Some(1000), "{swap}");
    assert!(swap["candidate_drained_ms"].as_u64() > Some(1000), "{swap}");
}

/// Reads an answer of 400 kB more slowly than it is sent; how much of its body came.
fn download(addr: SocketAddr) -> std::io::Result<usize> {
    let stream = connect(addr)?;
    write!(&mut (&stream), "GET /large?kb=400 HTTP/1.0\r\n\r\n")?;
    let (mut part, mut read) = ([0; 10_000], Vec::new());
    loop {
        match (&stream).read(&mut part)? {
            0 => break,
            some => read.extend_from_slice(&part[..some]),
        }
        thread::sleep(Duration::from_millis(40));
    }
    let head = read.windows(4).position(|end| end == b"\r\n\r\n");
    Ok(head.map_or(0, |head| read.len() - head - 4))
}

fn all_downloaded(read: &[std::io::Result<usize>], report: &Value) {
    none_missing(read, |read| matches!(read, Ok(400_000)), report);
}

#[test]
fn an_answer_whose_end_the_app_has_sent_but_its_client_has_not_got_is_waited_for() {
    if lacks_bridge() {
        return;
    }
    let app = App::new("download");
    let (old, new) = (app.build("v1"), app.build("v2"));
    app.deploy(&old, &[]);
    let (read, swap) = asked_throughout(&app, download, || bridged(&app, &new, &[]));
    all_downloaded(&read, &swap);
}

#[test]
fn what_the_forwarder_of_a_killed_promotion_carries_is_waited_for() {
    if lacks_bridge() {
        return;
    }
    let app = App::new("orphan");
    let (_folder, path) = path_with_faulty_nft();
    let (old, new) = (app.build("v1"), app.build("v2"));
    app.deploy(&old, &[]);
    app.candidate(&new, &[]);
    let (read, report) = asked_throughout(&app, download, || {
        // The rules that lead new connections to the candidate are gone by then.
        let kill = Fault::After("nft flush", "kill -KILL $CALLER");
        let mut promote = app.faulty_promote(kill, &[]);
        promote.env("PATH", path);
        assert_eq!(run(promote, None).unwrap().code, KILLED);
        ok(&app.promote(&[]))
    });
    all_downloaded(&read, &report);
    app.assert_live(&new);
}

#[test]
fn requests_that_outlast_the_drain_are_answered_by_an_app_that_finishes_them() {
    if lacks_bridge() {
        return;
    }
    let app = App::new("outlast");
    let graceful = |version| app.tagged(&app.image(version).env("GRACEFUL", "1"), version);
    let (old, new) = (graceful("v1"), graceful("v2"));
    app.deploy(&old, &[]);
    let (answers, swap) = asked_throughout(&app, slow, || bridged(&app, &new, &["--drain", "1s"]));
    all_answered(&answers, &swap);
}

#[test]
fn a_login_that_may_open_few_files_is_no_limit_to_what_is_carried() {
    if lacks_bridge() {
        return;
    }
    let app = App::new("files");
    let (old, new) = (app.build("v1"), app.build("v2"));
    app.deploy(&old, &[]);
    app.candidate(&new, &[]);
    let (answers, report) = asked_throughout(&app, slow, || {
        let promote = app.command("promote", &["--bridge", "require"]);
        let mut limited = Command::new("prlimit");
        limited.arg("--nofile=64:").arg(promote.get_program());
        limited.args(promote.get_args());
        ok(&run(limited, None).unwrap())
    });
    all_answered(&answers, &report);
}

#[test]
fn a_new_container_that_is_taken_back_answers_what_it_was_asked() {
    if lacks_bridge() {
        return;
    }
    let app = App::new("answers");
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().display();
    let old = app.build("v1");
    let new = app.tagged(&app.image("v2").env("SICK_FILE", "/switch/sick"), "v2");
    app.deploy(&old, &[]);
    app.candidate(&new, &["-v", &format!("{folder}:/switch:ro")]);
    let script = format!("(sleep 1; touch {folder}/sick) > /dev/null 2>&1 &");
    let (answers, report) = asked_throughout(&app, slow, || {
        let run = app.promote_with(Fault::After(PROVEN, &script), &["--settle", "20s"]);
        failed(&run, 41, "rolled_back_unhealthy")
    });
    all_answered(&answers, &report);
}

#[test]
fn one_sick_answer_as_the_bridge_opens_does_not_cost_it() {
    if lacks_bridge() {
        return;
    }
    let app = App::new("blink");
    let (folder, path) = path_with_faulty_nft();
    let folder = folder.path().display();
    let old = app.build("v1");
    let new = app.tagged(&app.image("v2").env("SICK_FILE", "/switch/sick"), "v2");
    app.deploy(&old, &[]);
    app.candidate(&new, &["-v", &format!("{folder}:/switch:ro")]);
    let script = format!(
        "[ -e {folder}/was ] || {{ touch {folder}/was {folder}/sick; (sleep 0.5; rm {folder}/sick) > /dev/null 2>&1 & }}"
    );
    let load = Load::start(app.addr(), "/", 100);
    let mut promote = app.faulty_promote(Fault::After("nft add table", &script), &[]);
    promote.env("PATH", path);
    let report = ok(&run(promote, None).unwrap());
    let seen = load.stop();
    assert_eq!(text(&report["swap"]["bridge"]), "on", "{report}");
    assert_eq!(seen.failed(), 0, "{:?} {report}", seen.kinds());
    assert!(Path::new(&format!("{folder}/was")).exists(), "{report}");
}
