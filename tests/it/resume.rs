//! A promotion killed at any of its calls of the engine, and the same command given again.

use std::fs;

use serde_json::Value;
use stage::image::Built;
use stage::steps::run;

use crate::support::{App, Fault, eventually, failed, get, ok, text};

pub(crate) const KILLED: i32 = 128 + 9;
/// More calls than any promotion makes.
pub(crate) const ENOUGH: usize = 60;

#[test]
fn a_first_deployment_killed_at_any_of_its_calls_ends_like_any_other() {
    let app = App::new("killed-first");
    let v1 = app.build("v1");
    let fault = |at| Fault::Before(at, "kill -KILL $CALLER; exit 1");
    for k in 1..ENOUGH {
        app.start(&v1, &[]);
        app.prove_candidate();
        let (code, calls) = promote_killed_at(&app, fault, k);
        if code != 0 {
            assert_eq!(code, KILLED, "call {k} of {calls:?}");
            ok(&app.promote(&[]));
        }
        app.assert_live(&v1);
        let live = app.container("").unwrap();
        let labels = &live["Config"]["Labels"];
        assert_eq!(labels["deploy-steps.previous"], "", "{calls:?}");
        if code == 0 {
            assert!(k > 5, "only {calls:?}");
            return;
        }
        stage::docker::docker(["rm", "-f", app.name()]).unwrap();
    }
    panic!("a promotion of {ENOUGH} calls");
}

#[test]
fn killed_with_only_the_candidate_left_to_remove_the_swap_is_not_made_again() {
    let app = App::new("tail-end");
    let (v1, v2) = (app.build("v1"), app.build("v2"));
    app.deploy(&v1, &[]);
    let candidate = app.start(&v2, &["-e", "COLOR=blue"]);
    app.prove_candidate();
    let half = format!(
        "docker rm -f {}-old; kill -KILL $CALLER; exit 1",
        app.name()
    );
    assert_eq!(
        app.promote_with(Fault::Before("rm --force", &half), &[])
            .code,
        KILLED
    );
    assert_eq!(app.present(), ["", "-new"]);
    let live = app.id("");
    let report = ok(&app.promote(&[]));
    assert_eq!(report["carried_on"], true);
    assert_eq!(report["replaced"]["image_id"], v1.id.as_str());
    assert_eq!(app.id(""), live);
    assert_released(&app, &v2, &v1, &candidate);
}

#[test]
fn killed_before_the_old_one_was_removed_and_the_new_one_ended_the_old_one_comes_back() {
    let app = App::new("late-crash");
    let (v1, v2) = (app.build("v1"), app.build("v2"));
    app.deploy(&v1, &[]);
    let live = app.id("");
    app.candidate(&v2, &[]);
    let fault = Fault::Before("rm ", "kill -KILL $CALLER; exit 1");
    assert_eq!(app.promote_with(fault, &[]).code, KILLED);
    assert_eq!(app.present(), ["", "-new", "-old"]);
    stage::docker::docker(["kill", app.name()]).unwrap();
    let report = failed(&app.promote(&[]), 41, "rolled_back_unhealthy");
    assert_eq!(report["rolled_back_to"], app.name());
    app.assert_untouched(&live, &v1);
    assert_eq!(app.present(), ["", "-new"]);
}

fn promote_killed_at<'a>(
    app: &App,
    fault: impl Fn(&'a str) -> Fault<'a>,
    k: usize,
) -> (i32, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    let calls = folder.path().join("calls");
    let at: &'static str = k.to_string().leak();
    let mut command = app.faulty_promote(fault(at), &[]);
    command.env("DEPLOY_STEPS_FAULT_CALLS", &calls);
    let code = run(command, None).unwrap().code;
    let calls = fs::read_to_string(&calls).unwrap_or_default();
    (code, calls.lines().map(str::to_owned).collect())
}

/// The state in which an undisturbed promotion ends.
pub(crate) fn assert_released(app: &App, new: &Built, old: &Built, candidate: &Value) {
    app.assert_live(new);
    let live = app.container("").unwrap();
    let labels = &live["Config"]["Labels"];
    assert_eq!(labels["deploy-steps.app"], app.name());
    assert_eq!(labels["deploy-steps.candidate"], candidate["candidate_id"]);
    let previous: Value = serde_json::from_str(text(&labels["deploy-steps.previous"])).unwrap();
    assert_eq!(previous["image_id"], old.id.as_str());
    let recipe: Value = serde_json::from_str(text(&labels["deploy-steps.recipe"])).unwrap();
    assert_eq!(recipe["image_id"], new.id.as_str());
    assert!(live["Config"]["Env"].to_string().contains("COLOR=blue"));
}

/// A live app that does not end on SIGTERM, and a proven candidate: both releases, and what the candidate's start reported.
pub(crate) fn deaf_and_its_candidate(prefix: &str) -> (App, [Built; 2], Value) {
    let app = App::new(prefix);
    let v1 = app.tagged(&app.image("v1").env("DEAF", "1"), "v1");
    let v2 = app.build("v2");
    app.deploy(&v1, &[]);
    let candidate = app.start(&v2, &["-e", "COLOR=blue"]);
    app.prove_candidate();
    (app, [v1, v2], candidate)
}

#[test]
fn killed_while_the_old_container_is_still_being_stopped_it_is_finished() {
    let (app, [v1, v2], candidate) = deaf_and_its_candidate("mid-stop");
    // The engine goes on with the stop, though nobody waits for it any more.
    let fault = Fault::Before("stop", "kill -KILL $CALLER");
    let flags = ["--stop-timeout", "2s"];
    assert_eq!(app.promote_with(fault, &flags).code, KILLED);
    let report = ok(&app.promote(&flags));
    assert_eq!(report["carried_on"], true);
    assert_released(&app, &v2, &v1, &candidate);
}

#[test]
fn killed_at_the_worst_moment_and_the_candidate_gone_the_old_one_serves_again() {
    let app = App::new("orphan");
    let (v1, v2) = (app.build("v1"), app.build("v2"));
    app.deploy(&v1, &[]);
    let live = app.id("");
    app.candidate(&v2, &[]);
    let fault = Fault::After("stop", "kill -KILL $CALLER");
    assert_eq!(app.promote_with(fault, &[]).code, KILLED);
    assert_eq!(app.present(), ["-new", "-old", "-next"]);
    stage::docker::docker(["rm", "-f", &app.scope.candidate()]).unwrap();
    let report = failed(&app.promote(&[]), 42, "rolled_back_not_started");
    assert_eq!(report["rolled_back_to"], app.name());
    app.assert_untouched(&live, &v1);
    assert_eq!(app.present(), [""]);
}

#[test]
fn killed_while_a_sick_container_is_replaced_the_same_command_can_still_go_back_to_it() {
    let app = App::new("sick-orphan");
    let v1 = app.tagged(&app.image("v1").env("SICK_AFTER_MS", "6000"), "v1");
    let v2 = app.build("v2");
    app.deploy(&v1, &[]);
    let live = app.id("");
    app.candidate(&v2, &[]);
    eventually("v1 is sick", || get(app.addr(), "/health").is_err());
    let kill = "kill -KILL $CALLER; exit 1";
    assert_eq!(
        app.promote_with(Fault::Before("stop", kill), &[]).code,
        KILLED
    );
    stage::docker::docker(["rm", "-f", &app.scope.candidate()]).unwrap();
    eventually("v1 is sick", || get(app.addr(), "/health").is_err());
    let report = failed(&app.promote(&[]), 42, "rolled_back_not_started");
    assert_eq!(report["rolled_back_to"], app.name());
    app.assert_untouched(&live, &v1);
}

#[test]
fn killed_and_the_new_container_crashed_meanwhile_it_is_made_once_more() {
    let app = App::new("second-try");
    let (v1, v2) = (app.build("v1"), app.build("v2"));
    app.deploy(&v1, &[]);
    let candidate = app.start(&v2, &["-e", "COLOR=blue"]);
    app.prove_candidate();
    let fault = Fault::After("start", "kill -KILL $CALLER");
    assert_eq!(app.promote_with(fault, &[]).code, KILLED);
    let next = format!("{}-next", app.name());
    stage::docker::docker(["kill", &next]).unwrap();
    assert_eq!(ok(&app.promote(&[]))["carried_on"], true);
    assert_released(&app, &v2, &v1, &candidate);
}

#[test]
fn an_unfinished_promotion_keeps_the_other_steps_from_harm() {
    let app = App::new("half");
    let (v1, v2) = (app.build("v1"), app.build("v2"));
    app.deploy(&v1, &[]);
    app.candidate(&v2, &[]);
    let fault = Fault::After("stop", "kill -KILL $CALLER");
    assert_eq!(app.promote_with(fault, &[]).code, KILLED);
    let replace = ["--image", &v1.name, "--replace"];
    failed(
        &app.step("start-candidate", &replace),
        25,
        "promotion_unfinished",
    );
    failed(&app.step("prune-app", &["--candidate"]), 50, "not_removed");
    assert_eq!(app.container("-new").unwrap()["State"]["Running"], true);
    let report = ok(&app.promote(&["--unfinished"]));
    assert_eq!(report["carried_on"], true, "{report}");
    app.assert_live(&v2);
}

#[test]
fn where_only_what_is_unfinished_is_to_be_finished_no_promotion_begins() {
    let app = App::new("complete");
    let (v1, v2) = (app.build("v1"), app.build("v2"));
    app.deploy(&v1, &[]);
    let live = app.id("");
    app.candidate(&v2, &[]);
    failed(&app.promote(&["--unfinished"]), 40, "no_candidate");
    assert_eq!(app.present(), ["", "-new"]);
    assert_eq!(app.id(""), live);
    ok(&app.promote(&[]));
    app.assert_live(&v2);
}

#[test]
fn another_candidates_unfinished_promotion_is_finished_and_not_taken_for_ones_own() {
    let app = App::new("foreign");
    let (v1, v2) = (app.build("v1"), app.build("v2"));
    app.deploy(&v1, &[]);
    app.candidate(&v2, &[]);
    let fault = Fault::After("stop", "kill -KILL $CALLER");
    assert_eq!(app.promote_with(fault, &[]).code, KILLED);
    let own = format!(
        r#"{{"ok":true,"app":"{}","candidate_id":"{}"}}"#,
        app.name(),
        "a".repeat(64)
    );
    let asked = run(app.command("promote", &["--from", "-"]), Some(&own)).unwrap();
    let report = failed(&asked, 40, "no_candidate");
    assert!(
        text(&report["error"]["message"]).contains("another candidate"),
        "{report}"
    );
    app.assert_live(&v2);
}
