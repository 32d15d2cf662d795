//! Firewalls that people have, with their usual rules, and their reload in the middle of a swap.

use std::process::Command;

use stage::clients::Peer;
use stage::docker::Scope;
use stage::steps::run;

use super::{alone, on_a_machine_of_its_own};
use crate::bridge::kinds::{kinds, seen_by, show};
use crate::support::{App, Fault, eventually, ok};

fn shell(script: &str) {
    let mut sh = Command::new("sh");
    sh.args(["-ec", script]);
    let done = run(sh, None).unwrap();
    assert_eq!(done.code, 0, "{script}: {done:?}");
}

/// Every kind of client that is served before the swap is served during it and after it; the firewall is reloaded in its
/// middle, when all new connections take the bridge.
fn serves_through_a_reload(prefix: &str, start: &str, reload: &str) {
    alone();
    shell(start);
    let app = App::new(prefix);
    let (v1, v2) = (app.build("v1"), app.build("v2"));
    app.deploy(&v1, &[]);
    app.candidate(&v2, &[]);
    let scope = Scope::new("clients");
    let peer = Peer::new().unwrap();
    let all = kinds(&app, &peer, &scope);
    let before = seen_by(&all, &app, || ());
    show(&before);
    let served = |kind: &str| before.iter().any(|it| it.0 == kind && it.1.failed() == 0);
    let (served, unserved): (Vec<_>, Vec<_>) = all.into_iter().partition(|it| served(it.0));
    assert!(served.len() >= 5, "{before:?}");
    let mut report = None;
    let seen = seen_by(&served, &app, || {
        let reloads = Fault::Before("stop", reload);
        report = Some(ok(&app.promote_with(reloads, &[])));
    });
    show(&seen);
    let swap = &report.unwrap()["swap"];
    for (kind, outcome) in &seen {
        assert_eq!(outcome.failed(), 0, "{kind}: {:?} {swap}", outcome.kinds());
    }
    for (kind, outcome) in seen_by(&unserved, &app, || ()) {
        assert_eq!(
            outcome.failed(),
            outcome.sent(),
            "{kind} was not served before"
        );
    }
    app.assert_live(&v2);
}

#[test]
fn no_client_notices_a_swap_beside_ufw_that_is_reloaded_in_its_middle() {
    on_a_machine_of_its_own("firewalls::ufw");
}

#[test]
#[ignore = "run on a machine of its own by the test above"]
fn ufw() {
    let start = "ufw allow 22/tcp; ufw --force enable";
    serves_through_a_reload("ufw", start, "ufw reload");
}

/// Without its reload, which takes seconds where the machine is emulated; local clients wait as long.
#[test]
#[ignore = "run on a machine in qemu by a test of its own"]
fn ufw_at_work() {
    let start = "ufw allow 22/tcp; ufw --force enable";
    serves_through_a_reload("ufw", start, "true");
}

#[test]
fn no_client_notices_a_swap_beside_firewalld() {
    on_a_machine_of_its_own("firewalls::firewalld");
}

/// Its own reload closes ports for a moment, swap or not, so it is only at work here.
#[test]
#[ignore = "run on a machine of its own by the test above"]
fn firewalld() {
    let start = "systemctl unmask firewalld; systemctl start firewalld; systemctl restart docker";
    serves_through_a_reload("firewalld", start, "true");
}

#[test]
fn a_reload_of_firewalld_in_the_middle_of_a_swap_is_survived_and_the_report_says_what_it_cost() {
    on_a_machine_of_its_own("firewalls::firewalld_reloads");
}

#[test]
#[ignore = "run on a machine of its own by the test above"]
fn firewalld_reloads() {
    alone();
    shell("systemctl unmask firewalld; systemctl start firewalld; systemctl restart docker");
    let app = App::new("reloads");
    let (v1, v2) = (app.build("v1"), app.build("v2"));
    app.deploy(&v1, &[]);
    app.candidate(&v2, &[]);
    let load = stage::load::Load::start(app.addr(), "/", 100);
    let reload = Fault::Before("stop", "firewall-cmd --reload");
    let report = ok(&app.promote_with(reload, &[]));
    eventually("the release answers", || app.answer() == "v2");
    let (seen, swap) = (load.stop(), &report["swap"]);
    let is_told = swap["failed"] != 0 || swap["bridge"] != "on";
    assert!(seen.failed() == 0 || is_told, "{:?} {swap}", seen.kinds());
    app.assert_live(&v2);
}
