//! The fallback: the failed candidate goes, unless it may be what serves.

use std::fs::File;
use std::path::PathBuf;

use serde_json::json;
use stage::cargo;
use stage::docker::{Scope, docker, inspect};
use stage::marks::Marks;
use stage::steps::run;

use super::{command, done, exists, kept, not_removed, present, prune, set, tag_of, versions};

fn start(scope: &Scope, name: &str, tag: &str) -> String {
    docker(["run", "-d", "--name", name, &tag_of(scope, tag)]).unwrap()
}

/// A candidate, as start-candidate would have made it.
fn candidate(scope: &Scope, tag: &str) -> String {
    let tag = tag_of(scope, tag);
    let marks = Marks::candidate(scope.app(), &tag).unwrap();
    marks.run(&scope.candidate(), &[&tag]).unwrap()
}

#[test]
fn the_candidate_goes_and_its_image_is_then_as_any_other() {
    let scope = Scope::new("cand");
    let all = versions(&scope, 3);
    let live = start(&scope, scope.app(), "v1");
    candidate(&scope, "v2");
    let untouched = done(&prune(&scope, &[]));
    assert_eq!(untouched["containers_removed"], json!([]));
    assert_eq!(kept(&untouched, "in_use"), set([&all[0], &all[1]]));

    let run = prune(&scope, &["--candidate"]);
    let report = done(&run);
    assert_eq!(report["containers_removed"], json!([scope.candidate()]));
    assert!(!exists(&scope.candidate()));
    assert_eq!(present(&scope), set([&all[0], &all[2]]));
    let told = format!("removed the container {}", scope.candidate());
    assert!(run.stderr.contains(&told), "{run:?}");
    let left = inspect(scope.app()).unwrap().unwrap();
    assert_eq!(
        (&left["Id"], &left["State"]["Status"]),
        (&json!(live), &json!("running"))
    );
}

#[test]
fn a_stray_replacement_goes_with_it() {
    let scope = Scope::new("stray");
    versions(&scope, 1);
    let next = format!("{}-next", scope.app());
    start(&scope, scope.app(), "v1");
    let tag = tag_of(&scope, "v1");
    let marks = Marks::candidate(scope.app(), &tag).unwrap().made_final();
    marks.run(&next, &[&tag]).unwrap();
    let report = done(&prune(&scope, &["--candidate"]));
    assert_eq!(report["containers_removed"], json!([next]));
    assert!(!exists(&next) && exists(scope.app()));
}

#[test]
fn a_candidate_beside_an_unfinished_promotion_stays_and_the_rest_is_done() {
    let scope = Scope::new("unfinished");
    let all = versions(&scope, 4);
    let old = format!("{}-old", scope.app());
    let replaced = start(&scope, &old, "v1");
    let tag = tag_of(&scope, "v2");
    let marks = Marks::candidate(scope.app(), &tag).unwrap();
    let marks = marks.replaces(&replaced);
    marks.run(&scope.candidate(), &[&tag]).unwrap();
    let (report, why) = not_removed(&prune(&scope, &["--candidate"]), &scope.candidate());
    assert!(why.contains("promotion"), "{why}");
    assert_eq!(report["containers_removed"], json!([]));
    assert!(exists(&scope.candidate()) && exists(&old));
    assert_eq!(present(&scope), set([&all[0], &all[1], &all[3]]));
}

fn lock_file(scope: &Scope) -> PathBuf {
    format!("/run/deploy-steps/deploy-steps-{}.lock", scope.app()).into()
}

#[test]
fn a_candidate_under_a_running_promotion_stays_and_the_rest_is_done() {
    let scope = Scope::new("locked");
    let all = versions(&scope, 3);
    start(&scope, scope.app(), "v1");
    candidate(&scope, "v1");
    let held = File::create(lock_file(&scope)).unwrap();
    held.lock().unwrap();
    let (report, why) = not_removed(&prune(&scope, &["--candidate"]), &scope.candidate());
    assert!(why.contains("promotion"), "{why}");
    assert!(exists(&scope.candidate()));
    assert_eq!(super::ids(&report["removed"]), set([&all[1]]));
    assert_eq!(present(&scope), set([&all[0], &all[2]]));
    drop(held);
    done(&prune(&scope, &["--candidate"]));
    assert!(!exists(&scope.candidate()));
    std::fs::remove_file(lock_file(&scope)).unwrap();
}

#[test]
fn a_candidate_whose_removal_has_begun_already_is_waited_for() {
    let scope = Scope::new("going");
    versions(&scope, 1);
    let name = scope.candidate();
    // Whether the engine is still at it or done with it is a matter of milliseconds.
    for pause in ["0", "0.01", "0.02", "0.05", "0.1", "0.2"] {
        candidate(&scope, "v1");
        let going = format!("docker rm -f -v {name} >/dev/null 2>&1 & sleep {pause}");
        let docker = cargo::steps().unwrap().join("faulty-docker");
        let mut prune = command(&scope, &["--candidate"]);
        prune.arg("--docker").arg(docker);
        prune
            .env("DEPLOY_STEPS_FAULT_AT", "rm")
            .env("DEPLOY_STEPS_FAULT_BEFORE", going);
        let report = done(&run(prune, None).unwrap());
        assert_eq!(report["containers_removed"], json!([name]), "{report}");
        assert!(!exists(&name));
    }
}

#[test]
fn a_candidate_that_is_another_container_by_now_stays() {
    let scope = Scope::new("another");
    versions(&scope, 1);
    let first = candidate(&scope, "v1");
    docker(["rm", "-f", &scope.candidate()]).unwrap();
    let second = candidate(&scope, "v1");
    let ask = prune(&scope, &["--candidate", "--candidate-id", &first]);
    assert_eq!(done(&ask)["containers_removed"], json!([]));
    assert!(ask.stderr.contains("another container"), "{ask:?}");
    assert_eq!(inspect(&scope.candidate()).unwrap().unwrap()["Id"], second);

    let baton = |id: &str| {
        let report = json!({"ok": true, "app": scope.app(), "candidate_id": id});
        let from = command(&scope, &["--candidate", "--from", "-"]);
        done(&run(from, Some(&report.to_string())).unwrap())
    };
    assert_eq!(baton(&first)["containers_removed"], json!([]));
    assert_eq!(
        baton(&second)["containers_removed"],
        json!([scope.candidate()])
    );
    assert!(!exists(&scope.candidate()));
}

#[test]
fn without_the_flag_no_container_is_removed_whatever_the_baton_says() {
    let scope = Scope::new("noflag");
    versions(&scope, 1);
    let id = candidate(&scope, "v1");
    let report = json!({"ok": true, "app": scope.app(), "candidate_id": id});
    let from = command(&scope, &["--from", "-"]);
    let report = done(&run(from, Some(&report.to_string())).unwrap());
    assert_eq!(report["containers_removed"], json!([]));
    assert!(exists(&scope.candidate()));
}

#[test]
fn the_candidates_anonymous_volumes_go_and_named_ones_stay() {
    let scope = Scope::new("volumes");
    versions(&scope, 1);
    let (named, name) = (format!("{}-data", scope.app()), scope.candidate());
    scope.at_end(["volume", "rm", "-f", &named]);
    let (tag, mount) = (tag_of(&scope, "v1"), format!("{named}:/data"));
    let marks = Marks::candidate(scope.app(), &tag).unwrap();
    marks
        .run(&name, &["-v", "/cache", "-v", &mount, &tag])
        .unwrap();
    let mounts = inspect(&name).unwrap().unwrap()["Mounts"].clone();
    let mounts = mounts.as_array().unwrap();
    let anonymous = mounts.iter().find(|it| it["Destination"] == "/cache");
    let anonymous = anonymous.unwrap()["Name"].as_str().unwrap();
    docker(["volume", "inspect", anonymous]).unwrap();
    done(&prune(&scope, &["--candidate"]));
    assert!(docker(["volume", "inspect", anonymous]).is_err());
    docker(["volume", "inspect", &named]).unwrap();
}

#[test]
fn the_container_may_have_another_name_than_the_app() {
    let scope = Scope::new("renamed");
    let live = format!("{}-site", scope.app());
    let named = format!("{live}-new");
    scope.also_container(&named);
    versions(&scope, 1);
    candidate(&scope, "v1");
    let tag = tag_of(&scope, "v1");
    let marks = Marks::candidate(scope.app(), &tag).unwrap().of(&live);
    marks.run(&named, &[&tag]).unwrap();
    let report = done(&prune(&scope, &["--candidate", "--container", &live]));
    assert_eq!(report["containers_removed"], json!([named]));
    assert_eq!(report["container"], live);
    assert!(exists(&scope.candidate()) && !exists(&named));
}
