//! A disk that is full when the candidate is created or started.

use std::process::Command;

use stage::steps::Run;

use crate::runs::finish;
use crate::small_engine::SmallEngine;
use crate::support::{App, Fault, failed, ok};

/// An image in a small engine, and an app that is to start from it there.
struct Ground {
    app: App,
    engine: SmallEngine,
    image: String,
}

impl Ground {
    fn new() -> Ground {
        let app = App::new("full-start");
        let image = app.image("v1").change("VOLUME /data");
        let shared = stage::registry::shared().unwrap().host();
        let name = format!("{shared}/{}:v1", app.name());
        image.build(&name).unwrap().push().unwrap();
        let engine = SmallEngine::start();
        let registry = engine.registry();
        let image = name.replace(shared, &registry.host());
        engine.ask(&["pull", &image]);
        Ground { app, engine, image }
    }

    fn start(&self, fault: Fault<'_>) -> Run {
        let publish = format!("{}:8080", self.app.port);
        let flags = ["--image", &self.image, "--publish", &publish];
        let options = ["--", "--network", "none"];
        let flags = [&flags[..], &options].concat();
        let mut command: Command = self.app.faulty("start-candidate", fault, &flags);
        command.env("DOCKER_HOST", self.engine.address());
        finish(command)
    }

    fn left(&self) -> [String; 2] {
        let questions: [&[&str]; 2] = [&["ps", "-aq"], &["volume", "ls", "-q"]];
        questions.map(|words| self.engine.ask(words))
    }
}

#[test]
fn a_disk_that_is_full_at_the_creation_or_at_the_start_is_24_and_leaves_nothing() {
    let ground = Ground::new();
    for call in ["create", "start"] {
        let run = ground.start(Fault::Before(call, &ground.engine.filling()));
        let report = failed(&run, 24, "not_started");
        assert!(report.to_string().contains("no space left"), "{report}");
        assert_eq!(ground.left(), ["", ""]);
        ground.engine.free();
    }
    ok(&ground.start(Fault::Before("none", ":")));
    let [containers, volumes] = ground.left().map(|all| all.lines().count());
    assert_eq!([containers, volumes], [1, 1]);
}
