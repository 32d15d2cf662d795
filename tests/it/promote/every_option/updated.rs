//! What `docker update` has changed on the live container, whoever made that.

use serde_json::{Value, json};
use stage::docker::docker;
use stage::ground::on_podman;
use stage::skipped::skip;

use super::page::on_both;
use crate::support::{App, has_run_where_limits_are, ok};

/// What is changed, and how the engine shows it then.
const CHANGE: &str =
    "--cpu-shares 256 --cpuset-cpus 0 --cpus 0.25 --memory 48m --memory-swap 96m --pids-limit 50";

fn changed() -> Value {
    json!({
        "CpuShares": 256, "CpusetCpus": "0", "NanoCpus": 250_000_000, "Memory": 48 << 20, "MemorySwap": 96 << 20,
        "PidsLimit": 50,
    })
}

/// As the engine shows it.
fn limits(app: &App, end: &str) -> Value {
    let host = &app.container(end).unwrap()["HostConfig"];
    let keys = changed();
    let keys = keys.as_object().unwrap().keys();
    keys.map(|key| (key.clone(), host[key].clone())).collect()
}

fn policy(app: &App, end: &str) -> Value {
    app.container(end).unwrap()["HostConfig"]["RestartPolicy"].clone()
}

#[test]
fn limits_and_a_policy_that_docker_update_has_changed_are_the_next_releases() {
    if has_run_where_limits_are() {
        return;
    }
    if on_podman() {
        return skip("podman does not keep what its update changes");
    }
    let page = on_both();
    let said = |row: &str| page[row].clone();
    assert_eq!(said("limits of `docker update`"), ["the same", "the same"]);
    assert_eq!(
        said("a restart policy of `docker update`"),
        ["never", "when verified"]
    );
    assert_eq!(said("the command"), ["the same", "the same"]);
    let app = App::new("updated");
    let [v1, v2, v3] = ["v1", "v2", "v3"].map(|version| app.build(version));
    let given = [
        "-m",
        "32m",
        "--memory-swap=-1",
        "--cpus=0.5",
        "--cpu-shares",
        "512",
        "--init",
    ];
    let ports = format!("{}:8080", app.port);
    let by_hand = ["run", "-d", "--name", app.name(), "-p", &ports];
    let made: [&dyn Fn(); 2] = [
        &|| drop(docker([&by_hand[..], &given, &[&v1.name, "one"]].concat()).unwrap()),
        &|| drop(app.deploy(&v2, &[&given[..], &["--", "one"]].concat())),
    ];
    for make in made {
        make();
        let words = ["update", "--restart", "on-failure:4"].into_iter();
        docker(words.chain(CHANGE.split(' ')).chain([app.name()])).unwrap();
        let all = policy(&app, "");
        assert_eq!(
            (limits(&app, ""), &all["MaximumRetryCount"]),
            (changed(), &json!(4))
        );
        let report = ok(&app.step("start-candidate", &["--image", &v3.name, "--like-live"]));
        assert!(report.get("not_carried").is_none(), "{report}");
        assert_eq!(
            (limits(&app, "-new"), &policy(&app, "-new")["Name"]),
            (changed(), &json!("no"))
        );
        let with_command = |end: &str| {
            let container = app.container(end).unwrap();
            assert_eq!(container["HostConfig"]["Init"], true);
            assert_eq!(container["Config"]["Cmd"], json!(["one"]));
        };
        with_command("-new");
        app.prove_candidate();
        ok(&app.promote(&[]));
        assert_eq!((limits(&app, ""), policy(&app, "")), (changed(), all));
        with_command("");
    }
}

#[test]
fn limits_that_docker_update_has_set_are_named_where_the_release_has_them_not() {
    if has_run_where_limits_are() {
        return;
    }
    if on_podman() {
        return skip("podman does not keep what its update changes");
    }
    let app = App::new("unlimited");
    let (v1, v2) = (app.build("v1"), app.build("v2"));
    app.deploy(&v1, &[]);
    docker(["update", "--cpu-shares", "256", app.name()]).unwrap();
    let started = app.step("start-candidate", &["--image", &v2.name]);
    assert_eq!(ok(&started)["not_carried"], json!(["--cpu-shares"]));
    assert!(started.stderr.contains("--like-live keeps"), "{started:?}");
}
