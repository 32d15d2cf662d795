//! Candidates that are refused before anything runs: each with its code, and nothing left behind.

use std::path::Path;

use stage::docker::{docker, inspect};
use stage::fault::{Fault, Proxy};
use stage::ground::on_podman;
use stage::marks::Marks;
use stage::registry;

use super::nothing_left;
use crate::runs::finish;
use crate::support::{App, engine_at, failed, free_port, ok};

#[test]
fn an_image_that_is_not_here_is_20_and_nobody_goes_to_fetch_it() {
    let app = App::new("absent");
    let proxy = Proxy::in_front_of(registry::shared().unwrap().host(), Fault::None).unwrap();
    let image = app
        .image("v1")
        .build(&format!("{}/{}:v1", proxy.host(), app.name()));
    let image = image.unwrap();
    image.push().unwrap();
    docker(["image", "rm", &image.name]).unwrap();
    let before = proxy.connections();
    let run = app.step("start-candidate", &["--image", &image.name]);
    failed(&run, 20, "image_absent");
    assert_eq!(proxy.connections(), before);
    nothing_left(&app);
}

#[test]
fn a_left_over_candidate_is_21_until_it_is_replaced() {
    let app = App::new("left");
    let image = app.build("v1");
    app.start(&image, &[]);
    let first = app.id("-new");
    let run = app.step("start-candidate", &["--image", &image.name]);
    let report = failed(&run, 21, "candidate_exists");
    assert_eq!(report["candidate"], app.scope.candidate());
    assert_eq!(app.id("-new"), first);
    assert_eq!(app.container("-new").unwrap()["State"]["Running"], true);

    let report = ok(&app.step("start-candidate", &["--image", &image.name, "--replace"]));
    assert_ne!(report["candidate_id"], first.as_str());
    assert_eq!(report["candidate_id"], app.id("-new").as_str());
    assert!(docker(["container", "inspect", &first]).is_err());
}

#[test]
fn a_replacement_that_cannot_be_made_leaves_the_left_over_alone() {
    let app = App::new("kept");
    let image = app.build("v1");
    app.start(&image, &[]);
    let first = app.id("-new");
    let missing = format!("{}:v2", app.name());
    let run = app.step("start-candidate", &["--replace", "--image", &missing]);
    failed(&run, 20, "image_absent");
    assert_eq!(app.id("-new"), first);
}

#[test]
fn labels_of_ours_in_a_file_are_22_as_those_among_the_options_are() {
    let app = App::new("labelfile");
    let image = app.build("v1");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("labels");
    let path = file.to_str().unwrap();
    for ours in ["deploy-steps.app=other", "deploy-steps.zzz=1"] {
        std::fs::write(&file, format!("# of ours\ntier=web\n{ours}\n")).unwrap();
        let flags = ["--image", &image.name, "--"];
        for options in [["--label-file", path], ["--label", ours]] {
            let words = [&flags[..], &options].concat();
            let report = failed(&app.step("start-candidate", &words), 22, "option_refused");
            let message = report["error"]["message"].to_string();
            assert!(message.contains("the labels of deploy-steps"), "{message}");
            nothing_left(&app);
        }
    }
    std::fs::write(&file, "tier=web\nnot.deploy-steps.app=x\n").unwrap();
    ok(&app.step(
        "start-candidate",
        &["--image", &image.name, "--", "--label-file", path],
    ));
}

#[test]
fn options_that_are_promotes_business_or_nonsense_are_22_and_leave_nothing() {
    let app = App::new("option");
    let (image, other) = (app.build("v1"), app.build("v2"));
    let missing = format!("{}:v3", app.name());
    let named = format!("{}-x", app.name());
    app.scope.also_container(&named);
    let port = format!("{}:8080", free_port());
    let glued = format!("-p{port}");
    let cases: [&[&str]; 25] = [
        &["--network", "host"],
        &["--net=host"],
        &["-p", &port],
        &[&glued],
        &["--publish", "127.0.0.1::8080"],
        &["--publish", "53:53/udp"],
        &["-P"],
        &["--publish-all"],
        &["--restart", "always"],
        &["--restart=unless-stopped"],
        &["--rm"],
        &["--name", &named],
        &["--label", "deploy-steps.recipe={}"],
        &["--label", "deploy-steps.app=other"],
        &["--label=deploy-steps.previous={}"],
        &[&other.name],
        &["-e", "A=b", &image.name],
        &[&image.id],
        &[&missing],
        &["--no-such-option"],
        &["-e"],
        &["--memory", "plenty"],
        &["--volume", "relative/../path:/x"],
        &["--detach"],
        &["--replace", "--name", app.name()],
    ];
    for options in cases {
        let flags = [&["--image", &image.name, "--"], options].concat();
        let run = app.step("start-candidate", &flags);
        let same = ["127.0.0.1::8080", "-P", "--publish-all"];
        if on_podman() && run.code == 0 && same.contains(options.last().unwrap()) {
            // The candidate's own port asked for twice, of which podman makes one; podman 4 with -P, too.
            ok(&run);
            docker(["rm", "-f", &app.scope.candidate()]).unwrap();
            continue;
        }
        assert_eq!(run.code, 22, "{options:?}");
        let report = failed(&run, 22, "option_refused");
        assert!(report.get("candidate_id").is_none(), "{options:?}");
        nothing_left(&app);
        assert!(inspect(&named).unwrap().is_none(), "{options:?}");
    }
}

#[test]
fn a_cidfile_is_22_and_is_not_written() {
    let app = App::new("cidfile");
    let image = app.build("v1");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("id");
    let glued = format!("--cidfile={}", file.display());
    for options in [&["--cidfile", file.to_str().unwrap()][..], &[&glued]] {
        let flags = [&["--image", &image.name, "--"], options].concat();
        failed(&app.step("start-candidate", &flags), 22, "option_refused");
        assert!(!Path::new(&file).exists(), "{options:?}");
        nothing_left(&app);
    }
}

#[test]
fn the_live_containers_name_among_the_options_is_22_and_does_not_touch_it() {
    let app = App::new("taken");
    let image = app.build("v1");
    docker(["run", "-d", "--name", app.name(), &image.name]).unwrap();
    let live = app.container("").unwrap();
    let flags = ["--image", &image.name, "--", "--name", app.name()];
    failed(&app.step("start-candidate", &flags), 22, "option_refused");
    assert_eq!(app.container("").unwrap()["Id"], live["Id"]);
    assert_eq!(app.present(), [""]);
}

#[test]
fn an_unfinished_promotion_is_25_and_nothing_is_touched() {
    let app = App::new("unfinished");
    let image = app.build("v1");
    let old = format!("{}-old", app.name());
    let replaced = docker(["create", "--name", &old, &image.name]).unwrap();
    let next = format!("{}-next", app.name());
    let marks = Marks::candidate(app.name(), &image.name).unwrap();
    let marks = marks.replaces(&replaced);
    let made = marks.clone().made_final();
    made.run(&next, &[&image.name]).unwrap();
    for flags in [
        &["--image", &image.name][..],
        &["--replace", "--image", &image.name],
    ] {
        let run = app.step("start-candidate", flags);
        failed(&run, 25, "promotion_unfinished");
        assert_eq!(app.present(), ["-old", "-next"]);
    }
    marks.run(&app.scope.candidate(), &[&image.name]).unwrap();
    let serving = app.id("-new");
    for flags in [
        &["--image", &image.name][..],
        &["--replace", "--image", &image.name],
    ] {
        let run = app.step("start-candidate", flags);
        failed(&run, 25, "promotion_unfinished");
        assert_eq!(app.id("-new"), serving);
    }
}

#[test]
fn an_engine_that_is_not_there_is_4() {
    let gone = format!("tcp://127.0.0.1:{}", free_port());
    for host in ["unix:///nowhere/docker.sock", gone.as_str()] {
        let app = App::new("gone");
        let mut start = app.command("start-candidate", &["--image", "web:v1"]);
        engine_at(&mut start, host);
        failed(&finish(start), 4, "engine_unreachable");
        let mut pull = app.command("pull-image", &["web:v1"]);
        engine_at(&mut pull, host);
        failed(&finish(pull), 4, "engine_unreachable");
    }
}
