//! What a registry refuses: it has no such image, or does not let this user see it.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use stage::docker::{Scope, docker, with_logins};
use stage::fault::{Fault, Proxy};
use stage::image::Image;
use stage::registry::{self, PASSWORD, Registry};
use stage::steps;

use super::{name, pull, push};
use crate::runs::{finish, has_image};
use crate::support::{failed, ok};

#[test]
fn a_wrong_tag_is_10_and_leaves_nothing() {
    let scope = Scope::new("tag");
    let pushed = push(&Image::of(scope.app()), &name(&scope, "v1"));
    let wrong = name(&scope, "v2");
    let run = pull(&[&wrong]);
    let report = failed(&run, 10, "image_not_found");
    assert_eq!(report["image"], wrong.as_str());
    assert!(!run.stderr.contains("trying again"), "{run:?}");
    assert!(!has_image(&wrong) && !has_image(&pushed.name));
}

#[test]
fn a_missing_repository_is_10() {
    let scope = Scope::new("nowhere");
    let missing = name(&scope, "v1");
    failed(&pull(&[&missing]), 10, "image_not_found");
    assert!(!has_image(&missing));
}

#[test]
fn words_in_the_name_of_an_image_do_not_decide_its_failure() {
    let host = registry::shared().unwrap().host();
    for word in ["denied", "unauthorized", "forbidden", "blob", "timeout"] {
        let missing = format!("{host}/{word}/{word}-app:{word}");
        failed(&pull(&[&missing]), 10, "image_not_found");
    }
    let gone = crate::support::free_port();
    for word in ["denied", "not-found", "no-space"] {
        let missing = format!("127.0.0.1:{gone}/{word}/forbidden:unauthorized");
        let run = pull(&[&missing, "--attempts", "1"]);
        failed(&run, 12, "registry_unreachable");
    }
}

#[test]
fn a_registry_that_asks_for_a_password_is_11_until_someone_logs_in() {
    let registry = Registry::start_with_password("deployer").unwrap();
    let scope = Scope::new("login");
    let built = Image::of(scope.app())
        .build(&format!("{}/{}:v1", registry.host(), scope.app()))
        .unwrap();
    let config = tempfile::tempdir().unwrap();
    let folder = config.path().to_str().unwrap();
    let login = ["login", "-u", "deployer", "-p", PASSWORD, registry.host()];
    docker(with_logins(folder, &login)).unwrap();
    docker(with_logins(folder, &["push", &built.name])).unwrap();
    docker(["image", "rm", &built.name]).unwrap();

    let run = pull(&[&built.name]);
    let report = failed(&run, 11, "access_denied");
    assert_eq!(report["image"], built.name.as_str());
    assert!(!run.stderr.contains("trying again"), "{run:?}");
    assert!(!has_image(&built.name));

    let mut command = steps::step("pull-image").unwrap();
    command.arg(&built.name).env("DOCKER_CONFIG", folder);
    let run = finish(command);
    assert_eq!(ok(&run)["image_id"], built.id.as_str());
    assert!(!format!("{run:?}").contains(PASSWORD));
}

#[test]
fn a_wrong_password_is_11() {
    let registry = Registry::start_with_password("deployer").unwrap();
    let config = tempfile::tempdir().unwrap();
    // base64 of `deployer:wrong`
    let auths = serde_json::json!({"auths": {registry.host(): {"auth": "ZGVwbG95ZXI6d3Jvbmc="}}});
    fs::write(config.path().join("config.json"), auths.to_string()).unwrap();
    let mut command = steps::step("pull-image").unwrap();
    command
        .arg(format!("{}/web:v1", registry.host()))
        .env("DOCKER_CONFIG", config.path());
    failed(&finish(command), 11, "access_denied");
}

#[test]
fn a_cli_that_asks_for_a_login_does_not_wait_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let cli = folder.path().join("docker");
    let script = "#!/bin/sh\n[ $1 = pull ] || exec docker \"$@\"\n\
        printf 'Username: '; read answer || exec sleep 60; echo 'an answer is needed' >&2; exit 1\n";
    fs::write(&cli, script).unwrap();
    fs::set_permissions(&cli, Permissions::from_mode(0o755)).unwrap();
    let mut command = steps::step("pull-image").unwrap();
    command
        .args(["127.0.0.1:1/web:v1", "--timeout", "20s", "--docker"])
        .arg(&cli);
    failed(&finish(command), 11, "access_denied");
}

#[test]
fn a_registry_that_answers_forbidden_is_11() {
    let host = registry::shared().unwrap().host();
    for status in [401, 403] {
        let proxy = Proxy::in_front_of(host, Fault::Status(status)).unwrap();
        let name = format!("{}/web:v1", proxy.host());
        failed(&pull(&[&name]), 11, "access_denied");
    }
}
