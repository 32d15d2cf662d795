//! Deployments with numbers: an older one never overwrites a newer one, whatever the order in which they come.

use std::process::Command;
use std::thread;

use serde_json::{Value, json};
use stage::image::Built;
use stage::marks::Marks;
use stage::steps::run;

use crate::pipeline::shell;
use crate::support::{App, failed, ok};

/// A job of a CI, with its number: what is refused because another one is at work is tried again.
const JOB: &str = r#"set -u
while :; do
    start-candidate --app "$APP" --image "$IMAGE" --publish "$PORT:8080" --replace \
        | probe-health --from - | promote --from - || { code=$?; prune-app --app "$APP" --candidate >&2; }
    case ${code:-0} in 21 | 25 | 45) unset code; sleep 0.1 ;; *) exit ${code:-0} ;; esac
done
"#;

fn numbered(app: &App, image: &Built, number: &str, more: &[&str]) -> stage::steps::Run {
    let publish = format!("{}:8080", app.port);
    let flags = [
        "--image",
        &image.name,
        "-p",
        &publish,
        "--deploy-id",
        number,
    ];
    app.step("start-candidate", &[&flags, more].concat())
}

fn deploy(app: &App, image: &Built, number: &str) -> Value {
    ok(&numbered(app, image, number, &[]));
    app.prove_candidate();
    ok(&app.promote(&[]))
}

fn outdated(run: &stage::steps::Run) {
    failed(run, 26, "outdated");
}

#[test]
fn a_late_job_is_refused_and_leaves_nothing_and_the_same_job_may_run_again() {
    let app = App::new("late");
    let (v1, v2) = (app.build("v1"), app.build("v2"));
    assert_eq!(deploy(&app, &v2, "42")["deploy_id"], 42);
    let live = app.id("");
    outdated(&numbered(&app, &v1, "41", &[]));
    outdated(&numbered(&app, &v1, "9", &["--replace"]));
    app.assert_untouched(&live, &v2);
    assert_eq!(app.present(), [""]);
    assert_eq!(deploy(&app, &v2, "42")["deploy_id"], 42);
    assert_eq!(deploy(&app, &v1, "43")["deploy_id"], 43);
}

#[test]
fn without_a_number_on_either_side_nothing_is_refused() {
    let app = App::new("unnumbered");
    let (v1, v2) = (app.build("v1"), app.build("v2"));
    app.deploy(&v1, &[]);
    deploy(&app, &v2, "1");
    assert!(app.deploy(&v1, &[]).get("deploy_id").is_none());
    deploy(&app, &v2, "0");
}

#[test]
fn after_a_rollback_late_jobs_stay_late_and_the_next_one_passes() {
    let app = App::new("rollback");
    let (v1, v2) = (app.build("v1"), app.build("v2"));
    deploy(&app, &v1, "41");
    deploy(&app, &v2, "42");
    let back = ok(&app.step("start-candidate", &["--previous"]));
    assert_eq!(back["deploy_id"], 42);
    app.prove_candidate();
    ok(&app.promote(&[]));
    app.assert_live(&v1);
    outdated(&numbered(&app, &v1, "41", &[]));
    outdated(&app.step("start-candidate", &["--previous", "--deploy-id", "41"]));
    ok(&app.step("start-candidate", &["--previous", "--deploy-id", "43"]));
    app.prove_candidate();
    assert_eq!(ok(&app.promote(&[]))["deploy_id"], 43);
    app.assert_live(&v2);
}

#[test]
fn a_candidate_is_replaced_and_removed_by_its_own_job_and_newer_ones_only() {
    let app = App::new("whose");
    let image = app.build("v1");
    ok(&numbered(&app, &image, "42", &[]));
    let candidate = app.id("-new");
    for more in [&[][..], &["--replace"]] {
        outdated(&numbered(&app, &image, "41", more));
    }
    let prune = |number| app.step("prune-app", &["--candidate", "--deploy-id", number]);
    let kept = prune("41");
    assert_eq!(ok(&kept)["containers_removed"], json!([]));
    assert!(kept.stderr.contains("a newer deployment's"), "{kept:?}");
    assert_eq!(app.id("-new"), candidate);
    ok(&numbered(&app, &image, "42", &["--replace"]));
    assert_ne!(app.id("-new"), candidate);
    let gone = json!([app.scope.candidate()]);
    assert_eq!(ok(&prune("42"))["containers_removed"], gone);
}

#[test]
fn a_job_that_is_overtaken_after_its_candidate_started_is_refused_by_promote() {
    let app = App::new("overtaken");
    let (v1, v2) = (app.build("v1"), app.build("v2"));
    let publish = format!("{}:8080", app.port);
    let flags = ["--image", &v1.name, "-p", &publish, "--deploy-id", "41"];
    ok(&app.step("start-candidate", &flags));
    app.prove_candidate();
    // As a newer job has left it whose own candidate was elsewhere.
    let marks = Marks::candidate(app.name(), &v2.name).unwrap();
    let marks = marks.made_final().deploy_id(42);
    marks.run(app.name(), &["-p", &publish, &v2.name]).unwrap();
    let live = app.id("");
    let report = failed(&app.promote(&[]), 49, "overtaken");
    assert_eq!(
        [&report["error"]["message"], &report["error"]["hint"]],
        [
            "the candidate is deployment 41, and 42 is live; nothing was touched",
            "the newer release stays; remove the candidate with prune-app --candidate"
        ]
    );
    app.assert_untouched(&live, &v2);
    let flags = ["--candidate", "--deploy-id", "41"];
    ok(&app.step("prune-app", &flags));
    assert_eq!(app.present(), [""]);
}

#[test]
fn of_two_jobs_the_newest_is_live_at_the_end_whatever_the_order() {
    for order in [["1", "2"], ["2", "1"]] {
        for pause in ["0", "0.6"] {
            let app = App::new("order");
            let images = ["v1", "v2"].map(|version| app.build(version));
            let job = |number: &str, pause: &str| -> Command {
                let image = &images[usize::from(number == "2")];
                let mut sh = shell(&format!("sleep {pause}; {JOB}"), &app, &image.name);
                sh.env("DEPLOY_STEPS_DEPLOY_ID", number);
                sh
            };
            let jobs = [job(order[0], "0"), job(order[1], pause)];
            let runs = jobs.map(|job| thread::spawn(move || run(job, None).unwrap()));
            let [first, second] = runs.map(|run| run.join().unwrap());
            let (older, newer) = if order[0] == "1" {
                (first, second)
            } else {
                (second, first)
            };
            assert_eq!(newer.code, 0, "{order:?} {pause}: {newer:?} {older:?}");
            // Refused, its candidate taken over before or after its start, or live for a moment before the newer one.
            assert!(
                [0, 24, 26, 31, 32, 40, 49].contains(&older.code),
                "{older:?}"
            );
            app.assert_live(&images[1]);
        }
    }
}
