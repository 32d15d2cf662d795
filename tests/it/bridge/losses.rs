//! What becomes of clients when a part of an open bridge is lost: its rules, its forwarder, all of its processes.

use std::fs;
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use stage::clients::Peer;
use stage::docker::docker;
use stage::load::Load;
use stage::steps::run;

use super::{has_proxy, lacks_bridge};
use crate::resume::KILLED;
use crate::support::{App, Fault, get, ok};

#[test]
fn rules_that_somebody_removes_in_a_swap_are_put_back_and_said() {
    if lacks_bridge() {
        return;
    }
    let app = App::new("removed");
    let image = |version| app.image(version).env("BOOT_MS", "1500");
    let (v1, v2) = (
        app.tagged(&image("v1"), "v1"),
        app.tagged(&image("v2"), "v2"),
    );
    app.deploy(&v1, &[]);
    app.candidate(&v2, &[]);
    let peer = Peer::new().unwrap();
    let at = |host: &str| format!("{host}:{}", app.port);
    let here = Load::start(app.addr(), "/", 50);
    let v4 = peer.load(&at(&peer.host_v4()), 50).unwrap();
    let removes = format!("nft delete table inet deploy-steps-{}; sleep 1", app.name());
    let done = app.promote_with(Fault::Before("stop", &removes), &["--bridge", "require"]);
    ok(&done);
    let (here, v4) = (here.stop(), v4.finish().unwrap());
    assert!(done.stderr.contains("somebody has removed"), "{done:?}");
    for (kind, seen) in [("loopback", here), ("another host over IPv4", v4)] {
        assert_eq!(seen.failed(), 0, "{kind}: {:?}", seen.kinds());
    }
    app.assert_live(&v2);
}

#[test]
fn without_its_forwarder_a_bridge_refuses_nobody_whom_the_live_container_can_answer() {
    if lacks_bridge() || !has_proxy() {
        return;
    }
    let app = App::new("no-forwarder");
    let (v1, v2) = (app.build("v1"), app.build("v2"));
    app.deploy(&v1, &[]);
    app.candidate(&v2, &[]);
    let folder = tempfile::tempdir().unwrap();
    let answers = folder.path().join("answers");
    // Not when the candidate is stopped, too.
    let ask = format!(
        "[ -e {answers} ] && exit 0; pkill -KILL -f '__forward .* {}$'; sleep .3; \
         for at in 127.0.0.1 '[::1]'; do curl -gsm 3 http://$at:{}/; echo; done >{answers}",
        app.name(),
        app.port,
        answers = answers.display()
    );
    ok(&app.promote_with(Fault::Before("stop", &ask), &[]));
    let answers = fs::read_to_string(answers).unwrap();
    assert_eq!(answers.split_whitespace().collect::<Vec<_>>(), ["v1", "v1"]);
    app.assert_live(&v2);
}

/// Whoever could take an open bridge's rules away is killed, so that they stay, and the candidate is removed.
pub(super) fn leave_rules_without_a_candidate(app: &App) {
    let kill = format!(
        "pkill -KILL -f '__forward .* {}$'; kill -KILL $CALLER; exit 1",
        app.name()
    );
    let killed = run(app.faulty_promote(Fault::Before("stop", &kill), &[]), None).unwrap();
    assert_eq!(killed.code, KILLED, "{killed:?}");
    docker(["rm", "-f", &app.scope.candidate()]).unwrap();
}

/// They are there still.
pub(super) fn remove_rules(app: &App) {
    let table = format!("deploy-steps-{}", app.name());
    let mut gone = Command::new("nft");
    gone.args(["delete", "table", "inet", &table]);
    assert_eq!(run(gone, None).unwrap().code, 0);
}

#[test]
fn an_address_that_another_container_has_got_leads_it_no_client_of_the_app() {
    if lacks_bridge() {
        return;
    }
    let app = App::new("reused");
    let network = format!("{}-net", app.name());
    let subnet = format!("10.213.{}.0/24", std::process::id() % 250);
    docker(["network", "create", "--subnet", &subnet, &network]).unwrap();
    app.scope.at_end(["network", "rm", &network]);
    let (v1, v2) = (app.build("v1"), app.build("v2"));
    let options = ["--network", &network];
    app.deploy(&v1, &options);
    app.candidate(&v2, &options);
    let address = address(&app.scope.candidate());
    leave_rules_without_a_candidate(&app);
    let stranger = format!("{}-stranger", app.name());
    app.scope.also_container(&stranger);
    let other = app.build("stranger");
    let at = ["--network", &network, "--ip", &address];
    let head = ["run", "-d", "--name", &stranger];
    docker([&head[..], &at, &[&other.name]].concat()).unwrap();
    assert_eq!(self::address(&stranger), address);
    let peer = Peer::new().unwrap();
    for at in [peer.host_v4(), "127.0.0.1".to_owned()] {
        let at = format!("{at}:{}", app.port).parse().unwrap();
        let answer = TcpStream::connect_timeout(&at, Duration::from_secs(1))
            .ok()
            .and_then(|_| get(at, "/").ok());
        assert_ne!(answer.as_deref(), Some("stranger"), "{at}");
    }
    if has_proxy() {
        assert_eq!(app.answer(), "v1");
    }
    remove_rules(&app);
}

#[test]
fn rules_that_another_apps_killed_promotion_has_left_stop_nobody() {
    if lacks_bridge() {
        return;
    }
    let (gone, app) = (App::new("gone"), App::new("heir-of-address"));
    let network = format!("{}-net", app.name());
    let net = format!("10.214.{}", std::process::id() % 250);
    docker([
        "network",
        "create",
        "--subnet",
        &format!("{net}.0/29"),
        &network,
    ])
    .unwrap();
    app.scope.at_end(["network", "rm", &network]);
    let options = ["--network", &network];
    let (v1, v2) = (gone.build("v1"), gone.build("v2"));
    gone.deploy(&v1, &options);
    gone.candidate(&v2, &options);
    let address = address(&gone.scope.candidate());
    // Whoever could take the rules away is killed, so that they stay.
    let name = gone.name();
    let kill = format!("pkill -KILL -f '__forward .* {name}$'; kill -KILL $CALLER; exit 1");
    let killed = run(gone.faulty_promote(Fault::Before("stop", &kill), &[]), None).unwrap();
    assert_eq!(killed.code, KILLED, "{killed:?}");
    for end in gone.present() {
        docker(["rm", "-f", &format!("{}{end}", gone.name())]).unwrap();
    }
    // All but one address are taken, so that the candidate gets that of the other's.
    let (v1, v2) = (app.build("v1"), app.build("v2"));
    let all = (2..7).map(|last| format!("{net}.{last}"));
    let others: Vec<String> = all.filter(|it| *it != address).collect();
    let publish = format!("{}:8080", app.port);
    let on = |name: &str, at: &str, more: &[&str]| {
        app.scope.also_container(name);
        let head = [
            "run",
            "-d",
            "--name",
            name,
            "--network",
            &network,
            "--ip",
            at,
        ];
        docker([&head[..], more, &[&v1.name]].concat()).unwrap();
    };
    on(app.name(), &others[0], &["-p", &publish]);
    for other in &others[1..] {
        on(&format!("{}-{other}", app.name()), other, &[]);
    }
    app.candidate(&v2, &options);
    assert_eq!(self::address(&app.scope.candidate()), address);
    let peer = Peer::new().unwrap();
    let load = peer
        .load(&format!("{}:{}", peer.host_v4(), app.port), 50)
        .unwrap();
    let swap = &ok(&app.promote(&[]))["swap"];
    let seen = load.finish().unwrap();
    assert_eq!(swap["bridge"], "on", "{swap}");
    assert_eq!(seen.failed(), 0, "{:?}", seen.kinds());
    for family in ["inet", "bridge"] {
        let table = format!("deploy-steps-{}", gone.name());
        let _ = Command::new("nft")
            .args(["delete", "table", family, &table])
            .status();
    }
}

pub(super) fn address(container: &str) -> String {
    let format = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}";
    docker(["inspect", "--format", format, container])
        .unwrap()
        .trim()
        .to_owned()
}
