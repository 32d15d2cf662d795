//! The page for those who come from a deployment script: all of its boxes, run in their order.

use std::fs;

use serde_json::Value;
use stage::cargo;
use stage::load::Load;
use stage::registry;
use stage::steps::{Run, run};

use super::{pushed, shell};
use crate::bridge::has_bridge;
use crate::support::{App, free_port, ok};

/// The page's boxes, with this app's names in place of those of its example.
struct Page {
    app: App,
    repository: String,
    /// Where the old script looks at its own candidate.
    spare: u16,
    folder: tempfile::TempDir,
    boxes: Vec<String>,
}

impl Page {
    fn new() -> Page {
        let app = App::new("from-a-script");
        let path = cargo::workspace().join("docs/from-a-script.md");
        let text = fs::read_to_string(path).unwrap();
        let boxes = text.split("\n```sh\n").skip(1);
        let boxes = boxes.map(|rest| rest.split_once("\n```\n").unwrap().0.to_owned());
        let page = Page {
            repository: format!("{}/{}", registry::shared().unwrap().host(), app.name()),
            spare: free_port(),
            folder: tempfile::tempdir().unwrap(),
            boxes: boxes.collect(),
            app,
        };
        fs::write(page.folder.path().join("env"), "SHAPE=round\n").unwrap();
        page
    }

    /// The box that begins so, as it is for this app, behind the exports of the page.
    fn script(&self, beginning: &str) -> String {
        let found = self.boxes.iter().filter(|it| it.starts_with(beginning));
        let [script] = &found.collect::<Vec<_>>()[..] else {
            panic!("not one box begins with {beginning}: {:#?}", self.boxes)
        };
        let env_file = self.folder.path().join("env");
        let (name, port) = (self.app.name(), self.app.port.to_string());
        [&self.boxes[1], *script]
            .map(|text| {
                text.replace("/etc/web.env", env_file.to_str().unwrap())
                    .replace("ghcr.io/acme/web", "REPOSITORY")
                    .replace("web", name)
                    .replace("REPOSITORY", &self.repository)
                    .replace("80:8080", &format!("{port}:8080"))
                    .replace("-p 80:", &format!("-p {port}:"))
                    .replace("INTERVAL=5", "INTERVAL=1")
                    .replace("8081", &self.spare.to_string())
            })
            .join("\n")
    }

    fn run(&self, beginning: &str) -> Run {
        run(shell(&self.script(beginning), &self.app, ""), None).unwrap()
    }

    /// The old script's deployment of a tag.
    fn old_way(&self, tag: &str) {
        let script = self.script("#!/bin/sh").replace("$1", tag);
        let done = run(shell(&script, &self.app, ""), None).unwrap();
        assert_eq!(done.code, 0, "{done:?}");
    }

    /// A box of several steps, the last of which says that all is done.
    fn released(&self, beginning: &str) {
        let done = self.run(beginning);
        assert_eq!(done.code, 0, "{done:?}");
        let reports = done.stdout.lines().map(serde_json::from_str::<Value>);
        let reports: Vec<Value> = reports.map(Result::unwrap).collect();
        assert_eq!(reports.len(), 4, "{done:?}");
        assert!(reports.iter().all(|it| it["ok"] == true), "{done:?}");
    }

    /// The variables of the script are those of the live container.
    fn assert_options(&self) {
        let live = self.app.container("").unwrap();
        let env = live["Config"]["Env"].to_string();
        assert!(
            env.contains("SHAPE=round") && env.contains("COLOR=blue"),
            "{env}"
        );
    }
}

#[test]
fn from_the_script_to_the_steps_and_back_as_the_page_says_and_no_request_fails() {
    let page = Page::new();
    let app = &page.app;
    let [v1, v2, v3] = ["v1", "v2", "v3"].map(|it| pushed(app, &app.image(it), it));
    assert_eq!(page.boxes.len(), 11);
    page.old_way("v1");
    app.assert_live(&v1);
    page.assert_options();

    let load = Load::start(app.addr(), "/", 100);
    ok(&page.run("pull-image"));
    ok(&page.run("start-candidate --image"));
    let port = page.run("docker port");
    assert!(port.stdout.starts_with("127.0.0.1:"), "{port:?}");
    ok(&page.run("probe-health"));
    let promoted = ok(&page.run("promote"));
    let bridge = if has_bridge() { "on" } else { "off" };
    assert_eq!(promoted["swap"]["bridge"], bridge);
    assert_eq!(promoted["replaced"]["image_id"], v1.id.as_str());
    ok(&page.run("prune-app"));
    app.assert_live(&v2);
    page.assert_options();

    page.released("start-candidate --previous -- ");
    app.assert_live(&v1);
    page.assert_options();
    page.released("start-candidate --previous &&");
    app.assert_live(&v2);
    page.assert_options();
    let seen = load.stop();
    let none = seen.failed() == 0;
    assert_eq!(none, has_bridge(), "{:?} of {}", seen.kinds(), seen.sent());
    assert_eq!(seen.versions(), ["v1", "v2"]);

    let there = page.run("docker ps");
    assert!(there.stdout.contains(app.name()) && !there.stdout.contains("-old"));
    page.old_way("v3");
    app.assert_live(&v3);
    let labels = app.container("").unwrap()["Config"]["Labels"].to_string();
    assert!(!labels.contains("deploy-steps"), "{labels}");
}
