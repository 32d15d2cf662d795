//! Something cannot be removed: that is 50 and told, and the rest is done.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use stage::docker::{Scope, docker, docker_with, in_containerds_store};
use stage::ground::on_podman;

use super::{done, ids, listed, not_removed, present, prune, set, tag_of, versions};

#[test]
fn an_image_that_another_app_has_built_upon_is_50_and_the_rest_is_done() {
    let (scope, other) = (Scope::new("base"), Scope::new("upon"));
    let all = versions(&scope, 3);
    let dockerfile = format!("FROM {}\nLABEL app={}\n", all[1], other.app());
    let child = tag_of(&other, "v1");
    docker_with(
        ["build", "-q", "-t", &child, "-"],
        Some(dockerfile.into_bytes()),
    )
    .unwrap();
    let before = listed(&other);
    let run = prune(&scope, &["--keep", "0"]);
    if on_podman() || in_containerds_store() {
        // It lets the image go and keeps the layers for the other one.
        assert_eq!(ids(&done(&run)["removed"]), all.iter().cloned().collect());
        assert_eq!(listed(&other), before);
        docker(["run", "-d", "--name", other.app(), &child]).unwrap();
        return;
    }
    let (report, why) = not_removed(&run, &all[1]);
    assert!(why.contains("dependent child"), "{why}");
    assert_eq!(ids(&report["removed"]), set([&all[0], &all[2]]));
    assert_eq!(present(&scope), set([&all[1]]));
    assert_eq!(listed(&other), before);
    docker(["image", "rm", &child]).unwrap();
    done(&prune(&scope, &["--keep", "0"]));
    assert!(present(&scope).is_empty());
}

/// The real CLI, before which somebody starts a container from `tag` as soon as images are removed.
fn racing_docker(folder: &std::path::Path, container: &str, tag: &str) -> String {
    let script = format!(
        "#!/bin/sh\nif [ \"$1 $2\" = 'image rm' ]; then docker run -d --name {container} {tag} >/dev/null 2>&1; fi\nexec docker \"$@\"\n"
    );
    let path = folder.join("docker");
    fs::write(&path, script).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn an_image_that_comes_into_use_meanwhile_stays_and_keeps_its_tag() {
    let scope = Scope::new("race");
    let all = versions(&scope, 3);
    let folder = tempfile::tempdir().unwrap();
    let cli = racing_docker(folder.path(), scope.app(), &tag_of(&scope, "v1"));
    let report = done(&prune(&scope, &["--keep", "0", "--docker", &cli]));
    assert_eq!(ids(&report["kept"]), set([&all[0]]));
    assert_eq!(report["kept"][0]["why"], "in_use");
    assert_eq!(ids(&report["removed"]), set([&all[1], &all[2]]));
    assert_eq!(present(&scope), set([&all[0]]));
    assert!(
        listed(&scope)
            .first()
            .unwrap()
            .contains(&tag_of(&scope, "v1"))
    );
    let status = &super::inspect(scope.app()).unwrap().unwrap()["State"]["Status"];
    assert_eq!(status, "running");
}
