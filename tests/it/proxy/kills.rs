//! Killed at any of its calls, a promotion behind a proxy is finished by the same command, or by its heir.

use std::fs;

use serde_json::Value;
use stage::process::Run;
use stage::steps::run;

use super::front::Behind;
use crate::heir::wait_for_heirs;
use crate::resume::{ENOUGH, KILLED};
use crate::support::{Fault, failed, ok, text};

/// At each call of a promotion the script, until one has fewer calls; `ended` says what must be true then.
fn at_every_call(prefix: &str, script: &str, ended: impl Fn(&Behind, &Run)) {
    let behind = Behind::new(prefix);
    let app = &behind.app;
    let builds = [app.build("v1"), app.build("v2")];
    behind.deploy(&builds[0]);
    let flags = behind.flags(&["--linger", "0s"]);
    let folder = tempfile::tempdir().unwrap();
    let calls = folder.path().join("calls");
    for k in 1..ENOUGH {
        let (old, new) = (&builds[(k + 1) % 2], &builds[k % 2]);
        let candidate = behind.candidate(new);
        let at: &'static str = k.to_string().leak();
        let _ = fs::remove_file(&calls);
        let mut command = app.faulty_promote(Fault::Before(at, script), &flags);
        command.env("DEPLOY_STEPS_FAULT_CALLS", &calls);
        let done = run(command, None).unwrap();
        ended(&behind, &done);
        if done.code != 0 {
            ok(&app.promote(&flags));
        }
        let calls = fs::read_to_string(&calls).unwrap();
        behind.assert_live(&candidate, new);
        let live = app.container("").unwrap();
        let label = text(&live["Config"]["Labels"]["deploy-steps.previous"]).to_owned();
        let previous: Value = serde_json::from_str(&label).unwrap();
        assert_eq!(previous["image_id"], old.id.as_str(), "{calls}");
        if calls.lines().count() < k {
            assert!(k > 8, "only {calls}");
            return;
        }
    }
    panic!("a promotion of {ENOUGH} calls");
}

#[test]
fn killed_at_any_of_its_calls_the_same_command_makes_the_candidate_live() {
    let script = "kill -KILL $CALLER; exit 1";
    at_every_call("behind-killed", script, |_, done| {
        assert!(done.code == 0 || done.code == KILLED, "{done:?}");
    });
}

#[test]
fn whichever_of_its_calls_fails_the_old_one_serves_as_before_or_the_candidate_is_live() {
    let script = "echo the engine is unwell >&2; exit 1";
    at_every_call("behind-unwell", script, |behind, done| {
        assert!([0, 1, 40, 41, 42].contains(&done.code), "{done:?}");
        assert!(behind.is_called(""), "{done:?}");
        let left: &[&str] = if done.code == 0 { &[""] } else { &["", "-new"] };
        assert_eq!(behind.app.present(), left, "{done:?}");
    });
}

#[test]
fn the_heir_of_a_killed_promotion_finishes_it() {
    let behind = Behind::new("behind-heir");
    let app = &behind.app;
    let (v1, v2) = (app.build("v1"), app.build("v2"));
    behind.deploy(&v1);
    let candidate = behind.candidate(&v2);
    let fault = Fault::Before("stop", "kill -KILL $CALLER");
    let mut promote = app.faulty_promote(fault, &behind.flags(&[]));
    promote.env_remove("DEPLOY_STEPS_HEIR");
    assert_eq!(run(promote, None).unwrap().code, KILLED);
    wait_for_heirs(app);
    behind.assert_live(&candidate, &v2);
    let report = ok(&app.promote(&behind.flags(&[])));
    assert_eq!(
        (&report["changed"], &report["heir"]["ok"]),
        (&false.into(), &true.into()),
        "{report}"
    );
}

#[test]
fn a_candidate_that_is_gone_when_it_is_carried_on_leaves_the_old_one_live() {
    let behind = Behind::new("behind-gone");
    let app = &behind.app;
    let (v1, v2) = (app.build("v1"), app.build("v2"));
    behind.deploy(&v1);
    let live = app.id("");
    behind.candidate(&v2);
    let script = format!(
        "docker rm -f {}; kill -KILL $CALLER; exit 1",
        app.scope.candidate()
    );
    let killed = run(
        app.faulty_promote(Fault::Before("update", &script), &behind.flags(&[])),
        None,
    );
    assert_eq!(killed.unwrap().code, KILLED);
    assert_eq!(app.present(), ["-old"]);
    let report = failed(
        &app.promote(&behind.flags(&[])),
        42,
        "rolled_back_not_started",
    );
    assert_eq!(report["rolled_back_to"], app.name());
    assert_eq!((app.id(""), app.present()), (live, vec![""]));
    assert!(behind.is_called(""));
}
