//! The page's box of commands.

use std::fs;

use stage::docker::docker;
use stage::steps::run;

use super::front::{Behind, settings};
use crate::pipeline::{pushed, shell};
use crate::support::text;

#[test]
fn the_page_puts_a_release_live_under_its_alias() {
    let behind = Behind::new("behind-page");
    let app = &behind.app;
    let folder = tempfile::tempdir().unwrap();
    let env = folder.path().join("env");
    fs::write(&env, "COLOR=blue\n").unwrap();
    docker(["network", "rm", &behind.network]).unwrap();
    let script = settings("sh")
        .replace(
            "network create web",
            &format!("network create {}", behind.network),
        )
        .replace("--network web", &format!("--network {}", behind.network))
        .replace("--app web", &format!("--app {}", app.name()))
        .replace("/etc/web.env", env.to_str().unwrap())
        .replace("$image", "$IMAGE");
    let image = pushed(app, &app.image("v1"), "v1");
    let done = run(shell(&format!("set -e\n{script}"), app, &image.name), None).unwrap();
    assert_eq!(done.code, 0, "{done:?}");
    assert!(behind.is_called(""));
    let live = app.container("").unwrap();
    assert_eq!(text(&live["Image"]), image.id);
    assert!(live["Config"]["Env"].to_string().contains("COLOR=blue"));
    assert_eq!(app.present(), [""]);
}
