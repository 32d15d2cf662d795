//! Clients that stay connected, as those of WebSockets do: how often a deployment cuts them.

use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use serde_json::{Value, json};
use stage::docker::docker;
use stage::effort;

use super::connections::{ask, ways};
use super::{has_rules, lacks_bridge};
use crate::heir::{kill_heirs, wait_for_heirs};
use crate::support::{App, eventually, failed, ok};

/// Clients that ask once and then stay, and come back at once when they are cut.
struct Stayers {
    stop: Arc<AtomicBool>,
    there: Arc<AtomicUsize>,
    clients: Vec<JoinHandle<usize>>,
}

impl Stayers {
    /// So many at each of these addresses.
    fn at(ways: &[SocketAddr], each: usize) -> Self {
        let (stop, there) = (Arc::default(), Arc::default());
        let start = |at: SocketAddr| {
            let (stop, there) = (Arc::clone(&stop), Arc::clone(&there));
            let client = thread::Builder::new().stack_size(128 << 10);
            client.spawn(move || stay(at, &stop, &there)).unwrap()
        };
        let all = ways.iter().flat_map(|at| vec![*at; each]);
        let stayers = Self {
            clients: all.map(start).collect(),
            stop,
            there,
        };
        stayers.are_all_there();
        stayers
    }

    fn are_all_there(&self) {
        let all = self.clients.len();
        eventually("all clients are connected", || {
            self.there.load(Ordering::Relaxed) == all
        });
    }

    /// How often each was cut.
    fn leave(self) -> Vec<usize> {
        self.stop.store(true, Ordering::Relaxed);
        let ended = self.clients.into_iter().map(JoinHandle::join);
        ended.map(Result::unwrap).collect()
    }
}

/// Returns how often it was cut.
fn stay(at: SocketAddr, stop: &AtomicBool, there: &AtomicUsize) -> usize {
    for cuts in 0.. {
        let stream = TcpStream::connect(at).unwrap();
        ask(&stream, "/").unwrap();
        there.fetch_add(1, Ordering::Relaxed);
        let is_cut = is_cut(&stream, stop);
        there.fetch_sub(1, Ordering::Relaxed);
        if !is_cut {
            return cuts;
        }
    }
    unreachable!()
}

/// Whether the other side ends the connection before this one is to leave.
fn is_cut(stream: &TcpStream, stop: &AtomicBool) -> bool {
    stream
        .set_read_timeout(Some(Duration::from_millis(100)))
        .unwrap();
    while !stop.load(Ordering::Relaxed) {
        if !is_patient(stream.peek(&mut [0])) {
            return true;
        }
    }
    false
}

/// Whether nothing has come yet.
fn is_patient(seen: std::io::Result<usize>) -> bool {
    use std::io::ErrorKind::{Interrupted, TimedOut, WouldBlock};
    match seen {
        Ok(bytes) => bytes > 0,
        Err(error) => matches!(error.kind(), Interrupted | TimedOut | WouldBlock),
    }
}

/// Promotes v2 over v1 while clients stay connected, and keeps them for this time; the report of the swap.
fn promoted(app: &App, time: &str, each: usize) -> (Value, Stayers) {
    let (v1, v2) = (app.build("v1"), app.build("v2"));
    app.deploy(&v1, &[]);
    let clients = Stayers::at(&ways(app), each);
    app.candidate(&v2, &[]);
    let report = ok(&app.promote(&["--keep-connections", time]));
    assert_eq!(report["swap"]["bridge"], "on", "{report}");
    assert_eq!(report["swap"]["failed"], 0, "{report}");
    assert_eq!(app.answer(), "v2");
    (report["swap"].clone(), clients)
}

/// Nothing is left but what is live.
fn assert_over(app: &App) {
    eventually("the candidate is removed", || app.present() == [""]);
    wait_for_heirs(app);
    eventually("the rules are removed", || !has_rules(app));
}

#[test]
fn who_stays_connected_is_cut_once_where_the_candidate_keeps_its_clients() {
    if lacks_bridge() {
        return;
    }
    let app = App::new("stays");
    let (swap, clients) = promoted(&app, "1h", effort::of([5, 20, 334]));
    let all = clients.clients.len();
    assert_eq!(swap["kept"], json!(all), "{swap}");
    clients.are_all_there();
    // Without --keep-connections the candidate would have ended by now.
    thread::sleep(Duration::from_secs(2));
    assert_eq!(app.present(), ["", "-new"]);
    assert_eq!(clients.leave(), vec![1; all]);
    assert_over(&app);
}

#[test]
fn who_stays_longer_than_the_candidate_may_is_cut_again() {
    if lacks_bridge() {
        return;
    }
    let app = App::new("stays-long");
    let (_, clients) = promoted(&app, "2s", 3);
    assert_over(&app);
    clients.are_all_there();
    let cuts = clients.leave();
    assert!(cuts.iter().all(|cuts| *cuts == 2), "{cuts:?}");
    assert_eq!(app.answer(), "v2");
}

#[test]
fn a_release_whose_gap_was_too_long_keeps_its_clients_for_a_while_as_well() {
    if lacks_bridge() {
        return;
    }
    let app = App::new("stays-gap");
    let (v1, v2) = (app.build("v1"), app.build("v2"));
    app.deploy(&v1, &[]);
    let clients = Stayers::at(&ways(&app), 2);
    app.candidate(&v2, &[]);
    let run = app.promote(&["--keep-connections", "2s", "--max-gap", "1ms"]);
    let report = failed(&run, 48, "gap_too_long");
    assert_eq!(report["swap"]["kept"], json!(clients.clients.len()));
    assert_over(&app);
    clients.are_all_there();
    clients.leave();
}

#[test]
fn the_next_deployment_takes_the_place_of_a_candidate_that_keeps_its_clients() {
    if lacks_bridge() {
        return;
    }
    let app = App::new("stays-next");
    let (_, clients) = promoted(&app, "1h", 3);
    let kept = app.id("-new");
    let v3 = app.build("v3");
    let publish = format!("{}:8080", app.port);
    ok(&app.step(
        "start-candidate",
        &["--replace", "--image", &v3.name, "--publish", &publish],
    ));
    app.prove_candidate();
    assert_ne!(app.id("-new"), kept);
    let report = ok(&app.promote(&["--bridge", "require"]));
    assert_eq!(report["swap"]["failed"], 0, "{report}");
    clients.are_all_there();
    clients.leave();
    assert_over(&app);
    app.assert_live(&v3);
}

#[test]
fn a_pruning_in_between_leaves_a_candidate_to_its_clients_and_a_fallback_ends_it() {
    if lacks_bridge() {
        return;
    }
    let app = App::new("stays-prune");
    let (_, clients) = promoted(&app, "1h", 3);
    ok(&app.step("prune-app", &["--keep", "1"]));
    assert!(
        has_rules(&app),
        "without them strangers reach the forwarder"
    );
    assert_eq!(app.present(), ["", "-new"]);
    ok(&app.step("prune-app", &["--candidate"]));
    assert_over(&app);
    clients.are_all_there();
    let cuts = clients.leave();
    assert!(cuts.iter().all(|cuts| *cuts == 2), "{cuts:?}");
}

#[test]
fn an_app_that_is_stopped_while_its_candidate_keeps_clients_stays_stopped() {
    if lacks_bridge() {
        return;
    }
    let app = App::new("stays-stopped");
    let (_, clients) = promoted(&app, "1h", 3);
    let live = app.id("");
    docker(["update", "--restart=no", &live]).unwrap();
    docker(["stop", &live]).unwrap();
    let cuts = clients.leave();
    assert!(cuts.iter().all(|cuts| *cuts == 1), "{cuts:?}");
    assert_over(&app);
    let stopped = app.container("").unwrap();
    assert_eq!(stopped["Id"], live);
    assert_eq!(stopped["State"]["Running"], false);
    assert_eq!(stopped["HostConfig"]["RestartPolicy"]["Name"], "no");
}

#[test]
fn clients_of_a_release_that_is_rolled_back_do_not_stay_with_it() {
    if lacks_bridge() {
        return;
    }
    let app = App::new("stays-back");
    let (v1, v2) = (app.build("v1"), app.build("v2"));
    app.deploy(&v1, &[]);
    let clients = Stayers::at(&ways(&app), 3);
    let flags = tempfile::tempdir().unwrap();
    let mount = format!("{}:/flags", flags.path().display());
    app.candidate(&v2, &["-v", &mount, "-e", "CRASH_FILE=/flags/on"]);
    std::fs::write(flags.path().join("on"), "").unwrap();
    let run = app.promote(&["--keep-connections", "1h"]);
    let report = failed(&run, 41, "rolled_back_unhealthy");
    assert!(report["swap"].get("kept").is_none(), "{report}");
    clients.are_all_there();
    assert!(!has_rules(&app));
    assert_eq!(app.answer(), "v1");
    clients.leave();
    wait_for_heirs(&app);
}

#[test]
fn where_an_app_is_called_by_its_name_its_clients_do_not_stay_and_a_line_says_why() {
    if lacks_bridge() {
        return;
    }
    let app = App::new("stays-named");
    let (v1, v2) = (app.build("v1"), app.build("v2"));
    let network = format!("{}-net", app.name());
    docker(["network", "create", &network]).unwrap();
    app.scope.at_end(["network", "rm", &network]);
    app.deploy(&v1, &["--network", &network]);
    let clients = Stayers::at(&[app.addr()], 3);
    app.candidate(&v2, &["--network", &network]);
    let run = app.promote(&["--keep-connections", "1h"]);
    let report = ok(&run);
    assert!(report["swap"].get("kept").is_none(), "{report}");
    let why = "clients do not stay connected: the app is called by its name on a network";
    assert!(run.stderr.contains(why), "{}", run.stderr);
    clients.are_all_there();
    clients.leave();
    assert_over(&app);
}

#[test]
fn a_candidate_that_dies_while_it_keeps_its_clients_is_removed() {
    if lacks_bridge() {
        return;
    }
    let app = App::new("stays-dead");
    let (_, clients) = promoted(&app, "1h", 3);
    docker(["kill", &app.id("-new")]).unwrap();
    assert_over(&app);
    clients.are_all_there();
    clients.leave();
    assert_eq!(app.answer(), "v2");
}

#[test]
fn the_same_command_ends_a_candidate_whose_heir_was_killed_while_it_kept_its_clients() {
    if lacks_bridge() {
        return;
    }
    let app = App::new("stays-alone");
    let (_, clients) = promoted(&app, "1h", 3);
    kill_heirs(&app);
    wait_for_heirs(&app);
    assert_eq!(app.present(), ["", "-new"]);
    ok(&app.promote(&[]));
    assert_over(&app);
    clients.are_all_there();
    clients.leave();
    assert_eq!(app.answer(), "v2");
}
