//! The commands of the page, as a shell runs them on a manager.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use stage::cargo::STEPS;
use stage::steps::run;

use super::{Sea, lacks_swarm, program};
use crate::docs;

#[test]
fn the_page_puts_a_release_live_on_the_swarm() {
    if lacks_swarm() {
        return;
    }
    let sea = Sea::new("page");
    let folder = tempfile::tempdir().unwrap();
    for step in STEPS {
        symlink(program(step), folder.path().join(step)).unwrap();
    }
    let env = folder.path().join("env");
    fs::write(&env, "COLOR=blue\n").unwrap();
    let image = sea.push(&sea.image("v1"), "v1");
    sea.swarm
        .docker(0, &["network", "rm", &sea.network()])
        .unwrap();
    let boxes = ["docker network", "export DEPLOY_STEPS_SWARM"];
    let script = boxes
        .map(|beginning| docs::only(docs::SWARM, "sh", beginning))
        .join("");
    let script = script
        .replace("attachable web", &format!("attachable {}", sea.network()))
        .replace("--network web", &format!("--network {}", sea.network()))
        .replace("--app web", &format!("--app {}", sea.name()))
        .replace("/etc/web.env", env.to_str().unwrap());
    let mut path = folder.path().as_os_str().to_owned();
    path.push(":");
    path.push(std::env::var_os("PATH").unwrap_or_default());
    let mut shell = Command::new("sh");
    stage::process::scrub(&mut shell)
        .args(["-ec", &script])
        .envs([("PATH", path.as_os_str())])
        .env("image", &image)
        .env("DOCKER_HOST", sea.swarm.host(0));
    let done = run(shell, None).unwrap();
    assert_eq!(done.code, 0, "{done:?}");
    sea.assert_live(&image);
    let spec = sea.service(sea.name(), "{{json .Spec.TaskTemplate.ContainerSpec.Env}}");
    assert_eq!(spec, r#"["COLOR=blue"]"#);
}
