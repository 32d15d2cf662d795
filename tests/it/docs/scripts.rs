//! The two ways to write a pipeline and the way back, run as they stand on the pages.

use serde_json::Value;
use stage::registry;
use stage::steps::run;

use super::{BACK, README, START, only};
use crate::pipeline::{pushed, shell};
use crate::support::App;

#[test]
fn the_scripts_on_the_page_bring_release_after_release() {
    let app = App::new("on-the-page");
    let folder = tempfile::tempdir().unwrap();
    let env = folder.path().join("env");
    std::fs::write(&env, "SHAPE=round\n").unwrap();
    let repository = format!("{}/{}", registry::shared().unwrap().host(), app.name());
    let here = |text: &str| {
        text.replace("/etc/web.env", env.to_str().unwrap())
            .replace("ghcr.io/acme/web", "REPOSITORY")
            .replace("web", app.name())
            .replace("REPOSITORY", &repository)
            .replace("80:8080", &format!("{}:8080", app.port))
    };
    let flags = here(&only(README, "sh", "#!/bin/sh"))
        .replace("$1", "$TAG")
        .replace("$2", "$NUMBER");
    let pipe = format!(
        "image={repository}:$TAG\n{}",
        here(&only(START, "sh", "pull-image"))
    );
    let mut images = Vec::new();
    for (number, (script, reports)) in [(&flags, 5), (&pipe, 1), (&flags, 5)]
        .into_iter()
        .enumerate()
    {
        let tag = format!("v{number}");
        let image = pushed(&app, &app.image(&tag), &tag);
        let mut sh = shell(script, &app, "");
        sh.env("TAG", &tag).env("NUMBER", (number + 1).to_string());
        let done = run(sh, None).unwrap();
        assert_eq!(done.code, 0, "{done:?}");
        let lines: Vec<Value> = done
            .stdout
            .lines()
            .map(|it| serde_json::from_str(it).unwrap())
            .collect();
        assert_eq!(lines.len(), reports, "{done:?}");
        assert!(lines.iter().all(|it| it["ok"] == true), "{done:?}");
        app.assert_live(&image);
        let env = app.container("").unwrap()["Config"]["Env"].to_string();
        assert!(env.contains("SHAPE=round"), "{env}");
        images.push(image);
    }
    let back = here(&only(BACK, "sh", "start-candidate"));
    let done = run(shell(&format!("set -e\n{back}"), &app, ""), None).unwrap();
    assert_eq!(done.code, 0, "{done:?}");
    app.assert_live(&images[1]);
    for script in [&flags, &pipe] {
        let bad = pushed(&app, &app.image("bad").env("CRASH", "1"), "bad");
        let mut sh = shell(script, &app, &bad.name);
        sh.env("TAG", "bad").env("NUMBER", "9");
        let done = run(sh, None).unwrap();
        assert_eq!(done.code, 32, "{done:?}");
        assert_eq!(app.present(), [""]);
    }
}
