//! A live app that answers nobody any more: a release is then most wanted, and must not wait for its end.

use std::net::{SocketAddr, TcpStream};
use std::sync::PoisonError;
use std::thread;
use std::time::Duration;

use stage::clients::Peer;
use stage::docker::{Scope, docker};

use super::kinds::{Kind, Place, is_served, kinds, seen_by, show};
use super::{RULES, lacks_bridge, leads};
use crate::support::{App, eventually, ok, text};

/// So many places no app has for connections that it has not accepted.
const MORE_THAN_ENOUGH: usize = 20_000;
/// The app ends by force only.
const FLAGS: [&str; 6] = [
    "--bridge",
    "require",
    "--drain",
    "1s",
    "--stop-timeout",
    "3s",
];

/// The live app has hung; who calls, from when the bridge opens to after the end of the release, is answered if he was
/// before.
fn replace_hung(app: &App, prepare: fn(&App) -> Vec<TcpStream>, is_meant: fn(&Kind<'_>) -> bool) {
    let _rules = RULES.read().unwrap_or_else(PoisonError::into_inner);
    let (v1, v2) = (app.build("v1"), app.build("v2"));
    app.deploy(&v1, &[]);
    app.candidate(&v2, &[]);
    let (scope, peer) = (Scope::new("hung"), Peer::new().unwrap());
    let mut kinds = kinds(app, &peer, &scope);
    kinds.retain(is_meant);
    docker(["kill", "--signal", "STOP", app.name()]).unwrap();
    let _waiting = prepare(app);
    let seen = thread::scope(|threads| {
        let promote = threads.spawn(|| ok(&app.promote(&FLAGS)));
        eventually("the bridge opens", || leads(app));
        seen_by(&kinds, app, || {
            let report = promote.join().unwrap();
            assert_eq!(text(&report["swap"]["bridge"]), "on", "{report}");
        })
    });
    show(&seen);
    for (kind, outcome) in &seen {
        if is_served(kind) {
            assert_eq!(outcome.failed(), 0, "{kind}: {:?}", outcome.kinds());
            assert_eq!(outcome.versions(), ["v2"], "{kind}");
        } else {
            assert_eq!(outcome.failed(), outcome.sent(), "{kind} was not served");
        }
    }
    app.assert_live(&v2);
}

#[test]
fn whoever_reached_an_app_that_hangs_now_is_served_while_it_is_replaced_and_nobody_else() {
    if lacks_bridge() {
        return;
    }
    replace_hung(&App::new("hung"), |_| Vec::new(), |_| true);
}

/// Who is in a container is not told from one whom the engine does not let cross to the app's network.
#[test]
fn an_app_that_hangs_and_has_no_place_for_another_connection_is_replaced_as_well() {
    if lacks_bridge() {
        return;
    }
    let is_meant = |it: &Kind<'_>| !matches!(it.1, Place::Within(_));
    replace_hung(&App::new("hung-full"), fill, is_meant);
}

/// Takes all the places that the app has for connections.
fn fill(app: &App) -> Vec<TcpStream> {
    let format = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}";
    let ip = docker(["container", "inspect", "--format", format, app.name()]).unwrap();
    let at = SocketAddr::new(ip.parse().unwrap(), 8080);
    let open = |_| TcpStream::connect_timeout(&at, Duration::from_millis(300)).ok();
    let all: Vec<TcpStream> = (0..MORE_THAN_ENOUGH).map_while(open).collect();
    assert!(all.len() < MORE_THAN_ENOUGH);
    all
}
