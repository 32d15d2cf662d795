//! A live container that something else starts again, removes or counts as its own.

use stage::docker::docker;
use stage::image::Built;

use crate::support::{App, Fault, failed, ok, text};

/// What gives away a keeper, what the message says of it, and what the hint says.
const KEPT: [(&[&str], &str, &str); 4] = [
    (
        &["--rm"],
        "was started with --rm: the engine removes it as soon as it stops, and nothing could be rolled back to",
        "stop it and start it without --rm",
    ),
    (
        &["--label", "PODMAN_SYSTEMD_UNIT=web.service"],
        "is run by the systemd unit web.service, which would start it again or end what comes in its place",
        "`systemctl disable --now web.service`",
    ),
    (
        &["--label", "com.docker.swarm.service.name=shop_web"],
        "is a task of the swarm's service shop_web, which would start another one",
        "give --swarm and --container shop_web to every step",
    ),
    (
        &["--label", "io.kubernetes.pod.name=web-0"],
        "is kept by the Kubernetes pod web-0, which would undo the release",
        "deploy by what keeps it",
    ),
];
const COMPOSED: [&str; 4] = [
    "--label=com.docker.compose.project=shop",
    "--label=com.docker.compose.service=web",
    "--label=com.docker.compose.container-number=1",
    "--label=com.docker.compose.config-hash=abc",
];

/// Starts a live container by hand.
fn by_hand(app: &App, image: &Built, options: &[&str]) {
    let publish = format!("{}:8080", app.port);
    let head = ["run", "-d", "--name", app.name(), "-p", &publish];
    docker([&head[..], options, &[&image.name]].concat()).unwrap();
}

fn labels(app: &App, end: &str) -> Vec<(String, String)> {
    let found = app.container(end).expect(end);
    let all = found["Config"]["Labels"].as_object().unwrap().clone();
    let its = all
        .into_iter()
        .filter(|(name, _)| name.starts_with("com.docker.compose."));
    its.map(|(name, value)| (name, text(&value).to_owned()))
        .collect()
}

#[test]
fn what_something_else_keeps_is_9_with_the_way_out_before_anything_is_touched() {
    let app = App::new("kept");
    let (v1, v2) = (app.build("v1"), app.build("v2"));
    let publish = format!("{}:8080", app.port);
    for (options, said, hint) in KEPT {
        app.candidate(&v2, &[]);
        by_hand(&app, &v1, options);
        let (live, candidate) = (app.id(""), app.id("-new"));
        for run in [
            app.promote(&[]),
            app.step(
                "start-candidate",
                &["--image", &v2.name, "--publish", &publish, "--replace"],
            ),
        ] {
            let error = &failed(&run, 9, "name_taken")["error"];
            let expected = format!("{} {said}; nothing was touched", app.name());
            assert_eq!(error["message"], expected);
            assert!(text(&error["hint"]).contains(hint), "{error}");
        }
        assert_eq!(app.id("-new"), candidate);
        app.assert_untouched(&live, &v1);
        docker(["rm", "-f", app.name(), &format!("{}-new", app.name())]).unwrap();
    }
}

#[test]
fn what_compose_has_made_keeps_its_labels_and_the_candidate_has_none_of_them() {
    let app = App::new("composed");
    let (v1, v2) = (app.build("v1"), app.build("v2"));
    let of = format!("--label=com.docker.compose.image={}", v1.id);
    by_hand(&app, &v1, &[&COMPOSED[..], &[&of]].concat());
    let made = labels(&app, "");
    for image in [&v2, &v1] {
        app.candidate(image, &[]);
        assert_eq!(labels(&app, "-new"), []);
        ok(&app.promote(&[]));
        assert_eq!(labels(&app, ""), made, "the file names v1 all the while");
        app.assert_live(image);
    }
}

#[test]
fn compose_finds_the_image_of_its_moving_tag_in_what_came_in_the_place_of_its_container() {
    let app = App::new("moving");
    let tag = format!("{}:latest", app.name());
    let v1 = app.build("v1");
    docker(["tag", &v1.name, &tag]).unwrap();
    let latest = Built {
        name: tag.clone(),
        ..v1.clone()
    };
    let of = format!("--label=com.docker.compose.image={}", v1.id);
    by_hand(&app, &latest, &[&COMPOSED[..], &[&of]].concat());
    for version in ["v2", "v3"] {
        let next = app.build(version);
        docker(["tag", &next.name, &tag]).unwrap();
        let latest = Built {
            name: tag.clone(),
            ..next.clone()
        };
        app.deploy(&latest, &[]);
        let all = labels(&app, "");
        let image = all.iter().find(|(name, _)| name.ends_with(".image"));
        assert_eq!(image.unwrap().1, next.id);
        app.assert_live(&next);
    }
}

#[test]
fn a_failed_promotion_leaves_composes_container_as_it_was() {
    let app = App::new("composed");
    let (v1, v2) = (app.build("v1"), app.build("v2"));
    by_hand(&app, &v1, &COMPOSED);
    let (live, made) = (app.id(""), labels(&app, ""));
    app.candidate(&v2, &[]);
    let crash = format!("docker kill {}-next", app.name());
    let report = failed(
        &app.promote_with(Fault::After("start", &crash), &[]),
        41,
        "rolled_back_unhealthy",
    );
    assert_eq!(report["rolled_back_to"], app.name());
    assert_eq!(labels(&app, ""), made);
    app.assert_untouched(&live, &v1);
}

#[test]
fn a_candidate_that_would_go_live_itself_cannot_follow_composes_container() {
    let app = App::new("composed");
    let network = format!("{}-net", app.name());
    docker(["network", "create", &network]).unwrap();
    app.scope.at_end(["network", "rm", &network]);
    let (v1, v2) = (app.build("v1"), app.build("v2"));
    let placed = ["--network", &network, "--network-alias", "web"];
    by_hand(&app, &v1, &[&COMPOSED[..], &placed].concat());
    let live = app.id("");
    ok(&app.step(
        "start-candidate",
        &["--image", &v2.name, "--", "--network", &network],
    ));
    ok(&app.step("probe-health", &[]));
    let error = failed(
        &app.promote(&["--network", &network, "--alias", "web"]),
        9,
        "name_taken",
    );
    let message = text(&error["error"]["message"]);
    assert!(message.contains("compose project shop"), "{message}");
    app.assert_untouched(&live, &v1);
}
