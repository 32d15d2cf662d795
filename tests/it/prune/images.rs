//! Which of the app's own images stay, and which go.

use std::thread;

use stage::docker::{Scope, docker};
use stage::marks::Marks;
use stage::registry;

use crate::support::{App, free_port, ok};

use super::{build, command, done, ids, kept, listed, present, prune, set, tag_of, versions};

#[test]
fn the_newest_others_are_kept_as_many_as_asked_for() {
    for (keep, newest) in [(None, 1), (Some("0"), 0), (Some("1"), 1), (Some("2"), 2)] {
        let scope = Scope::new("keep");
        let all = versions(&scope, 4);
        docker(["run", "-d", "--name", scope.app(), &tag_of(&scope, "v2")]).unwrap();
        let args: Vec<&str> = keep.map(|n| ["--keep", n]).into_iter().flatten().collect();
        let report = done(&prune(&scope, &args));
        let others = [&all[3], &all[2], &all[0]].map(String::clone);
        let (stay, go) = others.split_at(newest);
        assert_eq!(kept(&report, "newest"), stay.iter().cloned().collect());
        assert_eq!(ids(&report["removed"]), go.iter().cloned().collect());
        assert_eq!(kept(&report, "in_use"), set([&all[1]]));
        assert_eq!(present(&scope), ids(&report["kept"]));
        assert_eq!(report["app"], scope.app());
        assert_eq!(report["dry_run"], false);
    }
}

#[test]
fn images_of_running_stopped_and_created_containers_stay() {
    let scope = Scope::new("used");
    let all = versions(&scope, 5);
    let (runs, stopped, created) = (scope.app(), scope.candidate(), format!("{}-x", scope.app()));
    scope.also_container(&created);
    docker(["run", "-d", "--name", runs, &tag_of(&scope, "v1")]).unwrap();
    docker(["run", "-d", "--name", &stopped, &tag_of(&scope, "v2")]).unwrap();
    docker(["kill", &stopped]).unwrap();
    docker(["create", "--name", &created, &tag_of(&scope, "v3")]).unwrap();
    let report = done(&prune(&scope, &["--keep", "0"]));
    assert_eq!(kept(&report, "in_use"), set([&all[0], &all[1], &all[2]]));
    assert_eq!(ids(&report["removed"]), set([&all[3], &all[4]]));
    assert_eq!(present(&scope), set([&all[0], &all[1], &all[2]]));
    let status = |name: &str| super::inspect(name).unwrap().unwrap()["State"]["Status"].clone();
    assert_eq!(
        [runs, &stopped, &created].map(status),
        ["running", "exited", "created"]
    );
}

#[test]
fn an_image_in_use_keeps_all_its_tags() {
    let scope = Scope::new("tags");
    versions(&scope, 2);
    docker(["tag", &tag_of(&scope, "v1"), &tag_of(&scope, "stable")]).unwrap();
    docker(["run", "-d", "--name", scope.app(), &tag_of(&scope, "v1")]).unwrap();
    let report = done(&prune(&scope, &["--keep", "0"]));
    let tags = report["kept"][0]["tags"].as_array().unwrap();
    assert_eq!(tags.len(), 2, "{report}");
    assert_eq!(listed(&scope).len(), 2);
}

#[test]
fn the_image_that_the_live_container_replaced_stays() {
    let scope = Scope::new("previous");
    let all = versions(&scope, 4);
    let tag = tag_of(&scope, "v4");
    let make = |name: &str, marks: Marks| {
        let words = [
            &["create", "--name", name].map(str::to_owned)[..],
            &marks.options(),
            std::slice::from_ref(&tag),
        ]
        .concat();
        docker(words).unwrap();
    };
    let marks = || Marks::candidate(scope.app(), &tag).unwrap();
    make(scope.app(), marks().made_final().previous(&all[0]));
    // Only what the live container says counts.
    make(&scope.candidate(), marks().previous(&all[1]));
    let report = done(&prune(&scope, &["--keep", "0"]));
    assert_eq!(kept(&report, "previous"), set([&all[0]]));
    assert_eq!(present(&scope), set([&all[0], &all[3]]));
}

#[test]
fn what_every_live_container_of_an_app_can_go_back_to_stays() {
    let app = App::new("two-lives");
    let staging = format!("{}-staging", app.name());
    for end in ["", "-new", "-next", "-old"] {
        app.scope.also_container(&format!("{staging}{end}"));
    }
    let all = ["v1", "v2", "v3"].map(|version| app.build(version));
    app.deploy(&all[0], &[]);
    app.deploy(&all[1], &[]);
    let at = ["--container", &staging];
    let publish = format!("{}:8080", free_port());
    let start = ["--image", &all[2].name, "--publish", &publish];
    ok(&app.step("start-candidate", &[&at, &start[..]].concat()));
    ok(&app.step("probe-health", &at));
    ok(&app.step("promote", &at));
    let report = ok(&app.step("prune-app", &[&at[..], &["--keep", "0"]].concat()));
    assert_eq!(kept(&report, "previous"), set([&all[0].id]));
    assert_eq!(report["removed"], serde_json::json!([]));
    // Production goes back, by what it has of the release before.
    ok(&app.step("start-candidate", &["--previous"]));
    app.prove_candidate();
    ok(&app.promote(&[]));
    app.assert_live(&all[0]);
}

#[test]
fn the_image_that_is_named_by_its_digest_as_the_one_to_go_back_to_stays() {
    let scope = Scope::new("named");
    let all = versions(&scope, 3);
    let pushed = format!("{}/{}:v1", registry::shared().unwrap().host(), scope.app());
    docker(["tag", &tag_of(&scope, "v1"), &pushed]).unwrap();
    docker(["push", &pushed]).unwrap();
    let of = "{{index .RepoDigests 0}}";
    let digest = docker(["image", "inspect", "--format", of, &pushed]).unwrap();
    let (_, digest) = digest.split_once('@').unwrap();
    let report = done(&prune(&scope, &["--keep", "0", "--previous", digest]));
    assert_eq!(kept(&report, "previous"), set([&all[0]]));
    assert_eq!(present(&scope), set([&all[0]]));
}

#[test]
fn left_overs_of_a_moved_tag_go() {
    let scope = Scope::new("moved");
    let all = ["latest"; 3].map(|tag| build(&scope, tag));
    let report = done(&prune(&scope, &[]));
    assert_eq!(ids(&report["removed"]), set([&all[0], &all[1]]));
    assert_eq!(report["removed"][0]["tags"], serde_json::json!([]));
    assert!(report["removed"][0]["size_bytes"].as_u64().unwrap() > 0);
    assert_eq!(present(&scope), set([&all[2]]));
}

#[test]
fn an_image_with_two_tags_in_one_repository_goes() {
    let scope = Scope::new("latest");
    build(&scope, "v1");
    docker(["tag", &tag_of(&scope, "v1"), &tag_of(&scope, "latest")]).unwrap();
    let report = done(&prune(&scope, &["--keep", "0"]));
    let tags = report["removed"][0]["tags"].as_array().unwrap();
    assert_eq!(tags.len(), 2, "{report}");
    assert!(listed(&scope).is_empty());
}

#[test]
fn an_image_with_tags_and_digests_in_several_repositories_goes_entirely() {
    let scope = Scope::new("many");
    let mut all = versions(&scope, 1);
    let old = tag_of(&scope, "v1");
    let host = registry::shared().unwrap().host();
    let pushed = ["a", "b"].map(|name| format!("{host}/{}-{name}:v1", scope.app()));
    for name in &pushed {
        docker(["tag", &old, name]).unwrap();
        docker(["push", name]).unwrap();
    }
    docker(["tag", &old, &tag_of(&scope, "again")]).unwrap();
    // One repository knows it by digest only.
    docker(["image", "rm", &pushed[1]]).unwrap();
    let by_digest = listed(&scope)
        .iter()
        .filter(|it| it.contains("sha256:"))
        .count();
    assert!(by_digest > 2, "{:?}", listed(&scope));
    all.push(build(&scope, "v2"));
    let report = done(&prune(&scope, &["--keep", "1"]));
    assert_eq!(ids(&report["removed"]), set([&all[0]]));
    assert_eq!(present(&scope), set([&all[1]]));
}

#[test]
fn a_dry_run_says_the_same_and_does_nothing() {
    let scope = Scope::new("dry");
    let all = versions(&scope, 4);
    docker(["run", "-d", "--name", scope.app(), &tag_of(&scope, "v2")]).unwrap();
    let tag = tag_of(&scope, "v4");
    let marks = Marks::candidate(scope.app(), &tag).unwrap().options();
    let name = ["create", "--name", &scope.candidate()].map(str::to_owned);
    docker([&name[..], &marks, &[tag]].concat()).unwrap();
    let before = listed(&scope);
    let args = ["--candidate", "--keep", "0"];
    let dry = done(&prune(&scope, &[&args[..], &["--dry-run"]].concat()));
    assert_eq!(dry["dry_run"], true);
    assert_eq!(listed(&scope), before);
    assert!(super::exists(&scope.candidate()));
    let real = done(&prune(&scope, &args));
    for key in ["containers_removed", "removed", "kept"] {
        assert_eq!(dry[key], real[key], "{key}");
    }
    assert_eq!(
        real["containers_removed"],
        serde_json::json!([scope.candidate()])
    );
    assert_eq!(present(&scope), set([&all[1]]));
}

#[test]
fn running_it_twice_is_safe() {
    let scope = Scope::new("twice");
    let all = versions(&scope, 3);
    done(&prune(&scope, &[]));
    let second = done(&prune(&scope, &[]));
    assert_eq!(second["removed"], serde_json::json!([]));
    assert_eq!(kept(&second, "newest"), set([&all[2]]));
    assert_eq!(present(&scope), set([&all[2]]));
}

#[test]
fn two_at_once_do_not_trouble_each_other() {
    let scope = Scope::new("atonce");
    let all = versions(&scope, 8);
    thread::scope(|threads| {
        let one = || done(&prune(&scope, &["--candidate"]));
        let both = [threads.spawn(one), threads.spawn(one)];
        for run in both {
            run.join().unwrap();
        }
    });
    assert_eq!(present(&scope), set([&all[7]]));
}

#[test]
fn an_app_without_images_is_done() {
    let scope = Scope::new("nothing");
    let report = done(&prune(&scope, &["--candidate"]));
    for key in ["containers_removed", "removed", "kept"] {
        assert_eq!(report[key], serde_json::json!([]), "{key}");
    }
}

#[test]
fn progress_is_told_unless_quiet() {
    for (args, told) in [
        (&["--keep", "0"][..], true),
        (&["--keep", "0", "--quiet"], false),
    ] {
        let scope = Scope::new("quiet");
        let all = versions(&scope, 1);
        let run = stage::steps::run(command(&scope, args), None).unwrap();
        done(&run);
        assert_eq!(run.stderr.contains(&all[0]), told, "{run:?}");
        assert_eq!(run.stderr.is_empty(), !told, "{run:?}");
    }
}
