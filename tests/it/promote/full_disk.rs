//! A disk that is full when the final container is created.

use stage::image::Built;
use stage::steps::Run;

use crate::runs::finish;
use crate::small_engine::SmallEngine;
use crate::support::{App, Fault, failed, ok};

/// An app whose images are in a small engine, too.
struct Ground {
    app: App,
    engine: SmallEngine,
}

impl Ground {
    fn step(&self, step: &str, fault: Fault<'_>, flags: &[&str]) -> Run {
        let command = self.app.faulty(step, fault, flags);
        finish(self.engine.inside(&command))
    }

    fn candidate(&self, image: &str) {
        let publish = format!("{}:8080", self.app.port);
        let flags = ["--image", image, "--publish", &publish];
        ok(&self.step("start-candidate", UNDISTURBED, &flags));
        ok(&self.step("probe-health", UNDISTURBED, &[]));
    }

    /// The containers by name, each with its image and since when it runs.
    fn containers(&self) -> Vec<String> {
        let ids = self.engine.ask(&["ps", "-aq", "--no-trunc"]);
        let shown = "{{.Name}} {{.Image}} {{.State.StartedAt}} {{.State.Running}}";
        let words = ["inspect", "-f", shown].into_iter().chain(ids.lines());
        let mut all: Vec<String> = self
            .engine
            .ask(&words.collect::<Vec<_>>())
            .lines()
            .map(str::to_owned)
            .collect();
        all.sort_unstable();
        all
    }
}

const UNDISTURBED: Fault<'_> = Fault::Before("none", ":");

/// Built here, pulled there; its name and id there.
fn pulled(app: &App, engine: &SmallEngine, registry: &str, version: &str) -> Built {
    let shared = stage::registry::shared().unwrap().host();
    let name = format!("{shared}/{}:{version}", app.name());
    let built = app.image(version).build(&name).unwrap();
    built.push().unwrap();
    let name = name.replace(shared, registry);
    engine.ask(&["pull", &name]);
    Built { name, ..built }
}

#[test]
fn a_disk_that_is_full_when_the_final_container_is_created_changes_nothing() {
    let (app, engine) = (App::new("full-promote"), SmallEngine::start());
    let registry = engine.registry();
    let [v1, v2] = ["v1", "v2"].map(|tag| pulled(&app, &engine, &registry.host(), tag));
    let ground = Ground { app, engine };
    ground.candidate(&v1.name);
    ok(&ground.step("promote", UNDISTURBED, &["--bridge", "off"]));
    ground.candidate(&v2.name);
    let before = ground.containers();
    assert_eq!(before.len(), 2, "{before:?}");

    let full = ground.engine.filling();
    let run = ground.step(
        "promote",
        Fault::Before("create", &full),
        &["--bridge", "off"],
    );
    let report = failed(&run, 42, "rolled_back_not_started");
    assert!(report.to_string().contains("no space left"), "{report}");
    assert_eq!(ground.containers(), before);

    ground.engine.free();
    ok(&ground.step("promote", UNDISTURBED, &["--bridge", "off"]));
    let live = ground.containers();
    assert!(live.len() == 1 && live[0].contains(&v2.id), "{live:?}");
}
