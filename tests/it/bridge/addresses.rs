//! Addresses of this host at which one release is published and another one not, or which are elsewhere now.

use std::fs;
use std::net::SocketAddr;
use std::process::Command;
use std::sync::PoisonError;

use stage::clients::Peer;
use stage::docker::docker;
use stage::image::Built;
use stage::skipped::skip;

use super::{RULES, lacks_bridge};
use crate::support::{App, free_port, get, ok, text};

/// Both releases, the first of them live at `publish`.
fn live_at(app: &App, publish: &str) -> Built {
    let v1 = app.build("v1");
    docker(["run", "-d", "--name", app.name(), "-p", publish, &v1.name]).unwrap();
    let booting = app.image("v2").env("BOOT_MS", "800");
    app.tagged(&booting, "v2")
}

#[test]
fn an_address_at_which_nobody_was_served_before_is_no_gap() {
    if lacks_bridge() {
        return;
    }
    let _rules_of_all = RULES.read().unwrap_or_else(PoisonError::into_inner);
    let (app, peer) = (App::new("wider"), Peer::new().unwrap());
    let inner = format!("127.0.0.1:{}:8080", app.port);
    let outer = format!("{}:{}:8080", peer.host_v4(), app.port);
    let v2 = live_at(&app, &inner);
    app.candidate_at(&v2, &[outer, inner], &[], &[]);
    let swap = &ok(&app.promote(&["--bridge", "require", "--max-gap", "1s"]))["swap"];
    assert_eq!(swap["failed"], 0, "{swap}");
    assert!(swap["probes"].as_u64() > Some(0), "{swap}");
}

#[test]
fn a_host_port_that_nobody_had_is_not_watched() {
    let app = App::new("moved");
    let v2 = live_at(&app, &format!("{}:8080", free_port()));
    let publish = [format!("{}:8080", app.port)];
    app.candidate_at(&v2, &publish, &[], &[]);
    let run = app.promote(&["--max-gap", "1ms"]);
    let swap = &ok(&run)["swap"];
    assert_eq!(
        (&swap["probes"], &swap["failed"]),
        (&0.into(), &0.into()),
        "{swap}"
    );
    assert!(run.stderr.contains("--max-gap"), "{run:?}");
    app.assert_live(&v2);
}

/// An address of this host that comes and goes. While it is away a program can be bound to it all the same.
struct Virtual {
    ip: &'static str,
    before: String,
}

const BOUND_ELSEWHERE: &str = "/proc/sys/net/ipv4/ip_nonlocal_bind";

impl Virtual {
    /// `None` where this host does not allow that.
    fn new(ip: &'static str) -> Option<Virtual> {
        let before = fs::read_to_string(BOUND_ELSEWHERE).ok()?;
        fs::write(BOUND_ELSEWHERE, "1").ok()?;
        Some(Virtual { ip, before })
    }

    fn is_now(&self, what: &str) {
        let at = format!("{}/32", self.ip);
        let mut ip = Command::new("ip");
        let done = ip.args(["addr", what, &at, "dev", "lo"]).status().unwrap();
        assert!(done.success(), "{what} {at}");
    }
}

impl Drop for Virtual {
    fn drop(&mut self) {
        let at = format!("{}/32", self.ip);
        let mut ip = Command::new("ip");
        let _ = ip.args(["addr", "del", &at, "dev", "lo"]).output();
        let _ = fs::write(BOUND_ELSEWHERE, &self.before);
    }
}

#[test]
fn a_node_whose_virtual_address_is_on_another_one_now_is_deployed() {
    if lacks_bridge() {
        return;
    }
    let Some(address) = Virtual::new("198.51.100.77") else {
        return skip("this host lets nobody bind an address that it does not have");
    };
    let app = App::new("standby");
    let publish = format!("{}:{}:8080", address.ip, app.port);
    let at: SocketAddr = format!("{}:{}", address.ip, app.port).parse().unwrap();
    address.is_now("add");
    let v2 = live_at(&app, &publish);
    address.is_now("del");
    app.candidate_at(&v2, &[publish], &[], &[]);
    let run = app.promote(&[]);
    assert_eq!(ok(&run)["swap"]["probes"], 0, "{run:?}");
    assert!(run.stderr.contains("does not have the address"), "{run:?}");
    address.is_now("add");
    assert_eq!(get(at, "/").unwrap(), "v2");
    assert_eq!(text(&app.container("").unwrap()["Image"]), v2.id);
}
