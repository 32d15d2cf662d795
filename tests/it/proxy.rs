//! Behind a reverse proxy: no port is published, and the candidate itself goes live under the alias that the proxy calls.

mod by_hand;
pub(crate) mod front;
mod kills;
mod page;
mod refusals;
mod settings;
mod whole;

use std::thread;
use std::time::Duration;

use stage::docker::docker;
use stage::load::Outcome;
use stage::steps::run;

use crate::resume::KILLED;
use crate::support::{Fault, failed, ok, text};
use front::{Behind, Front, say, settings};

const RATE: u32 = 100;

/// The load that `during` is under.
fn under_load(front: &Front, what: &str, during: impl FnOnce()) -> Outcome {
    let load = front.load(RATE);
    thread::sleep(Duration::from_millis(500));
    during();
    thread::sleep(Duration::from_millis(1500));
    let seen = load.finish().unwrap();
    say(what, &seen);
    seen
}

/// As [`under_load`], and nobody notices.
fn unnoticed(front: &Front, what: &str, versions: &[&str], during: impl FnOnce()) {
    let seen = under_load(front, what, during);
    assert_eq!(seen.failed(), 0, "{what}: {:?}", seen.kinds());
    assert_eq!(seen.versions(), versions, "{what}");
}

/// A deployment, sick releases, a rollback and a kill, through a proxy with the page's settings.
fn a_life(program: &str) {
    let behind = Behind::new(&format!("behind-{program}"));
    let app = &behind.app;
    let image = |version: &str| app.image(version).env("SLOW_MS", "100");
    let build = |version: &str| app.tagged(&image(version), version);
    let (v1, v2) = (build("v1"), build("v2"));
    behind.deploy(&v1);
    let front = Front::start(&behind.app, &behind.network, program, &settings(program));

    unnoticed(
        &front,
        &format!("{program}, a deployment"),
        &["v1", "v2"],
        || {
            let candidate = behind.candidate(&v2);
            let report = ok(&app.promote(&behind.flags(&[])));
            behind.assert_live(&candidate, &v2);
            assert_eq!(report["replaced"]["image_id"], v1.id.as_str());
            let swap = &report["swap"];
            assert_eq!(
                (&swap["handed_over"], &swap["probes"]),
                (&true.into(), &0.into()),
                "{swap}"
            );
            assert_eq!(swap["drained_by"], "tcp_info", "{swap}");
        },
    );

    let sick = app.tagged(&image("v3").env("SICK", "1"), "v3");
    unnoticed(
        &front,
        &format!("{program}, a sick release"),
        &["v2"],
        || {
            behind.start(&["--image", &sick.name]);
            failed(
                &app.step("probe-health", &["--within", "1s"]),
                30,
                "unhealthy",
            );
            ok(&app.step("prune-app", &["--candidate"]));
        },
    );

    let live = app.id("");
    let falls = app.tagged(&image("v4").env("SICK_FILE", "/sick"), "v4");
    unnoticed(
        &front,
        &format!("{program}, sick once it is live"),
        &["v2", "v4"],
        || {
            behind.candidate(&falls);
            let mut promote = app.command("promote", &behind.flags(&["--settle", "20s"]));
            let promotion =
                thread::spawn(move || run(promote_quietly(&mut promote), None).unwrap());
            crate::support::eventually("it has the name", || app.present() == ["", "-old"]);
            docker(["cp", "/dev/null", &format!("{}:/sick", app.name())]).unwrap();
            let report = failed(&promotion.join().unwrap(), 41, "rolled_back_unhealthy");
            assert_eq!(report["rolled_back_to"], app.name());
            assert_eq!(
                (app.id(""), app.present()),
                (live.clone(), vec!["", "-new"])
            );
            assert!(behind.is_called("") && !behind.is_called("-new"));
            ok(&app.step("prune-app", &["--candidate", "--keep", "0"]));
        },
    );

    unnoticed(
        &front,
        &format!("{program}, back to the release before"),
        &["v2", "v1"],
        || {
            let candidate = ok(&app.step("start-candidate", &["--previous"]));
            app.prove_candidate();
            let report = ok(&app.promote(&behind.flags(&[])));
            behind.assert_live(&candidate, &v1);
            assert_eq!(report["replaced"]["image_id"], v2.id.as_str());
            let pruned = ok(&app.step("prune-app", &["--keep", "0"]));
            assert!(
                text(&pruned["kept"].to_string().into()).contains("previous"),
                "{pruned}"
            );
        },
    );

    unnoticed(
        &front,
        &format!("{program}, killed and run again"),
        &["v1", "v2"],
        || {
            let candidate = behind.candidate(&v2);
            let fault = Fault::Before("stop", "kill -KILL $CALLER");
            let killed = run(app.faulty_promote(fault, &behind.flags(&[])), None).unwrap();
            assert_eq!(killed.code, KILLED, "{killed:?}");
            let report = ok(&app.promote(&behind.flags(&[])));
            assert_eq!(report["carried_on"], true);
            behind.assert_live(&candidate, &v2);
        },
    );
}

/// The command, to be taken to another thread.
fn promote_quietly(command: &mut std::process::Command) -> std::process::Command {
    std::mem::replace(command, std::process::Command::new("true"))
}

#[test]
fn behind_nginx_nobody_notices_what_is_deployed() {
    a_life("nginx");
}

#[test]
fn behind_haproxy_nobody_notices_what_is_deployed() {
    a_life("haproxy");
}
