//! Where containers have no address that a bridge could lead to: what is said of it, and what is not mistaken for one.

use std::process::Command;

use stage::ground::on_rootless_docker;
use stage::skipped::skip;

use super::{has_bridge, has_rules};
use crate::support::{App, failed, ok, text};

#[test]
fn a_bridge_that_is_required_is_there_or_nothing_is_touched_and_auto_says_why_it_is_not() {
    let app = App::new("required");
    let (old, new) = (app.build("v1"), app.build("v2"));
    app.deploy(&old, &[]);
    let id = app.id("");
    app.candidate(&new, &[]);
    let run = app.promote(&["--bridge", "require"]);
    if has_bridge() {
        assert_eq!(text(&ok(&run)["swap"]["bridge"]), "on", "{run:?}");
        return;
    }
    failed(&run, 44, "no_bridge");
    app.assert_untouched(&id, &old);
    assert_eq!(app.present(), ["", "-new"]);
    let report = ok(&app.promote(&[]));
    let swap = &report["swap"];
    assert_eq!(text(&swap["bridge"]), "off", "{report}");
    let why = text(&swap["bridge_off_because"]);
    assert!(why.contains("a rootless engine"), "{report}");
    app.assert_live(&new);
    assert!(!has_rules(&app));
}

#[test]
fn an_address_that_another_has_here_is_not_taken_for_the_candidates() {
    if !on_rootless_docker() {
        return skip("the networks of this engine are this machine's own");
    }
    let app = App::new("imposter");
    let (old, new) = (app.build("v1"), app.build("v2"));
    app.deploy(&old, &[]);
    app.candidate(&new, &[]);
    let attached = &app.container("-new").unwrap()["NetworkSettings"]["Networks"];
    let _other = Imposter::up(text(&attached["bridge"]["IPAddress"]));
    let report = ok(&app.promote(&[]));
    assert_eq!(text(&report["swap"]["bridge"]), "off", "{report}");
    app.assert_live(&new);
}

/// Root's engine beside it has the same subnet, and a container with the same address.
struct Imposter;

impl Imposter {
    fn up(address: &str) -> Self {
        let address = format!("{address}/16");
        ip(&["link", "add", "imposter", "type", "bridge"]);
        ip(&["address", "add", &address, "dev", "imposter"]);
        ip(&["link", "set", "imposter", "up"]);
        Self
    }
}

impl Drop for Imposter {
    fn drop(&mut self) {
        ip(&["link", "delete", "imposter"]);
    }
}

fn ip(words: &[&str]) {
    let status = Command::new("ip").args(words).status();
    assert!(status.unwrap().success(), "{words:?}");
}
