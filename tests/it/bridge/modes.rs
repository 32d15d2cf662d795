//! When there is a bridge and when not, what the report says of it, and what is left of it.

use std::process::Command;

use stage::ground::{on_podman, on_rootless};
use stage::load::Load;

use super::{bridged, has_rules, lacks_bridge};
use crate::support::{App, Fault, failed, ok, path_with_faulty_nft, text};

#[test]
fn rules_say_whose_they_are_and_nothing_is_left_of_them_after_a_swap() {
    if lacks_bridge() {
        return;
    }
    let app = App::new("left");
    let (old, new) = (app.build("v1"), app.build("v2"));
    app.deploy(&old, &[]);
    assert!(!has_rules(&app));
    app.candidate(&new, &[]);
    let (name, folder) = (app.name(), tempfile::tempdir().unwrap());
    let rules = folder.path().join("rules");
    let list = format!(
        "nft list table inet deploy-steps-{name} > {}",
        rules.display()
    );
    let listed = Fault::Before("start", &list);
    ok(&app.promote_with(listed, &["--bridge", "require"]));
    let rules = std::fs::read_to_string(rules).unwrap();
    let whose = format!("promote of {name}\"");
    assert!(rules.contains(&whose), "{rules}");
    assert!(!has_rules(&app));
    app.assert_live(&new);
}

#[test]
fn without_a_bridge_the_report_says_off_and_why() {
    let app = App::new("off");
    let (old, new) = (app.build("v1"), app.build("v2"));
    app.deploy(&old, &[]);
    app.candidate(&new, &[]);
    let report = ok(&app.promote(&["--bridge", "off"]));
    assert_eq!(text(&report["swap"]["bridge"]), "off", "{report}");
    assert_eq!(text(&report["swap"]["bridge_off_because"]), "--bridge off");
    app.assert_live(&new);
}

#[test]
fn the_gap_in_the_report_is_the_one_that_clients_saw() {
    let app = App::new("seen");
    let booting = |version| app.tagged(&app.image(version).env("BOOT_MS", "1500"), version);
    let (old, new) = (booting("v1"), booting("v2"));
    app.deploy(&old, &[]);
    app.candidate(&new, &[]);
    let load = Load::start(app.addr(), "/", 100);
    let report = ok(&app.promote(&["--bridge", "off"]));
    let seen = load.stop();
    let said = report["swap"]["longest_gap_ms"].as_f64().unwrap();
    let saw = seen.longest_gap_ms();
    // They knock at different moments, on a machine that has other work.
    assert!(
        saw > 1500.0 && said > saw / 2.0 && said < saw * 2.0,
        "{saw} {report}"
    );
    assert!(
        seen.failed() > 0 && report["swap"]["failed"].as_u64() > Some(0),
        "{report}"
    );
}

/// Root without the capability, as in a container or with a restricted key.
pub(crate) fn unprivileged(app: &App, flags: &[&str]) -> Command {
    let promote = app.command("promote", flags);
    let mut command = Command::new("setpriv");
    command.args(["--bounding-set=-net_admin", "--inh-caps=-net_admin", "--"]);
    command.arg(promote.get_program()).args(promote.get_args());
    stage::process::scrub(&mut command);
    command
}

#[test]
fn an_nft_that_a_signal_ends_is_said_to_have_ended_so() {
    if lacks_bridge() {
        return;
    }
    let app = App::new("signal");
    let (old, new) = (app.build("v1"), app.build("v2"));
    app.deploy(&old, &[]);
    app.candidate(&new, &[]);
    let (_folder, path) = path_with_faulty_nft();
    let mut promote = unprivileged(&app, &["--bridge", "require"]);
    let faults = [
        ("PATH", &path[..]),
        ("DEPLOY_STEPS_FAULT_AT", "nft"),
        ("DEPLOY_STEPS_FAULT", "crash"),
    ];
    promote.envs(faults);
    let run = stage::steps::run(promote, None).unwrap();
    let report = failed(&run, 44, "no_bridge");
    let message = text(&report["error"]["message"]);
    assert!(message.contains("signal: 9 (SIGKILL)"), "{message}");
}

#[test]
fn without_the_right_to_change_rules_auto_says_why_and_require_is_44_before_anything_is_touched() {
    let app = App::new("right");
    let (old, new) = (app.build("v1"), app.build("v2"));
    app.deploy(&old, &[]);
    let id = app.id("");
    app.candidate(&new, &[]);
    let unprivileged = |flags: &[&str]| stage::steps::run(unprivileged(&app, flags), None).unwrap();
    let refused = unprivileged(&["--bridge", "require"]);
    failed(&refused, 44, "no_bridge");
    app.assert_untouched(&id, &old);
    assert_eq!(app.present(), ["", "-new"]);
    if on_podman() {
        // Without a daemon that has it, it could not start a container without that right.
        return;
    }
    let done = unprivileged(&[]);
    let report = ok(&done);
    assert_eq!(text(&report["swap"]["bridge"]), "off", "{report}");
    let why = text(&report["swap"]["bridge_off_because"]);
    let cause = if on_rootless() { "rootless" } else { "nft" };
    assert!(
        why.contains(cause) && done.stderr.contains("without a bridge"),
        "{done:?}"
    );
    app.assert_live(&new);
}

#[test]
fn a_rollback_under_the_bridge_loses_no_request() {
    if lacks_bridge() {
        return;
    }
    let app = App::new("back");
    let folder = tempfile::tempdir().unwrap();
    let old = app.build("v1");
    let bind = format!("{}:/switch:ro", folder.path().display());
    let sick = app.tagged(&app.image("v2").env("SICK_FILE", "/switch/sick"), "v2");
    app.deploy(&old, &["-v", &bind]);
    let id = app.id("");
    app.candidate(&sick, &["-v", &bind]);
    let load = Load::start(app.addr(), "/", 200);
    let touch = format!("touch {}/sick", folder.path().display());
    let run = app.promote_with(Fault::Before("start", &touch), &["--within", "2s"]);
    let report = failed(&run, 41, "rolled_back_unhealthy");
    let seen = load.stop();
    assert_eq!(text(&report["swap"]["bridge"]), "on", "{report}");
    assert_eq!(
        seen.failed(),
        0,
        "{:?} of {} {report}",
        seen.kinds(),
        seen.sent()
    );
    assert!(!has_rules(&app));
    app.assert_untouched(&id, &old);
}

#[test]
fn stray_rules_are_removed_by_promote_and_by_prune_app() {
    if lacks_bridge() {
        return;
    }
    let app = App::new("stray");
    let (old, new) = (app.build("v1"), app.build("v2"));
    app.deploy(&old, &[]);
    let table = format!("deploy-steps-{}", app.name());
    let add = || {
        let mut nft = std::process::Command::new("nft");
        assert!(
            nft.args(["add", "table", "inet", &table])
                .status()
                .unwrap()
                .success()
        );
    };
    add();
    bridged(&app, &new, &[]);
    assert!(!has_rules(&app));
    add();
    failed(&app.promote(&[]), 40, "no_candidate");
    assert!(!has_rules(&app));
    add();
    ok(&app.step("prune-app", &[]));
    assert!(!has_rules(&app));
    app.assert_live(&new);
}

#[test]
fn rules_that_lead_to_the_only_one_that_serves_are_left_alone_by_prune_app() {
    if lacks_bridge() {
        return;
    }
    let app = App::new("serving");
    let (old, new) = (app.build("v1"), app.build("v2"));
    app.deploy(&old, &[]);
    app.candidate(&new, &[]);
    let half = "docker stop -t 0 $CALLED; kill -KILL $CALLER; exit 1";
    let half = half.replace("$CALLED", &format!("{}-old", app.name()));
    app.promote_with(Fault::Before("stop", &half), &[]);
    assert_eq!(app.present(), ["-new", "-old", "-next"]);
    assert_eq!(app.answer(), "v2");
    ok(&app.step("prune-app", &[]));
    assert!(has_rules(&app));
    assert_eq!(app.answer(), "v2");
    ok(&app.promote(&[]));
    app.assert_live(&new);
    assert!(!has_rules(&app));
}
