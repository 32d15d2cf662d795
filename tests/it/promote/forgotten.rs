//! What docker 29 does: a container whose start fails has lost its networks, and is started without any by the next one.
//! The real engine is told to forget them in between.

use std::process::Command;

use stage::docker::{default_network, docker};
use stage::process::Run;
use stage::steps::run;

use super::rollbacks::Stage;
use crate::support::{App, Fault, by_hand, failed, ok, text};

/// An engine that forgets the networks of a container whose start fails, as docker 29 does, beside a thief who takes
/// the port of the old one as soon as it is free.
struct Forgetful {
    stage: Stage,
    thief: String,
    network: String,
}

impl Forgetful {
    fn new() -> Forgetful {
        let app = App::new("forgets");
        let network = app.scope.app().to_owned();
        docker(["network", "create", &network]).unwrap();
        app.scope.at_end(["network", "rm", &network]);
        let of_old = ["--network", &network, "--network-alias", "shop"];
        let stage = Stage::of(app, "SICK_FILE", &of_old);
        let second = ["network", "connect", default_network(), &stage.live];
        docker(second).unwrap();
        let thief = format!("thief-of-{}", stage.app.name());
        stage.app.scope.also_container(&thief);
        Forgetful {
            stage,
            thief,
            network,
        }
    }

    /// Promotes; after the first start that fails for the old container `then` is done.
    fn promote(&self, then: &str) -> Run {
        let (app, thief) = (&self.stage.app, &self.thief);
        let (port, image) = (app.port, &self.stage.v1.name);
        let flag = format!("{}/stolen", self.stage.path().display());
        let steal =
            format!("mkdir {flag} && docker run -d --name {thief} -p {port}:8080 {image} || true");
        let forget = format!("{} && {{ {then}; }} || true", self.forget());
        let mut promote = app.faulty_promote(Fault::After("start", &forget), &[]);
        promote.env("DEPLOY_STEPS_FAULT_BEFORE", steal);
        run(promote, None).unwrap()
    }

    /// What the engine does when a start of the old one has failed.
    fn forget(&self) -> String {
        let (app, network) = (self.stage.app.name(), &self.network);
        let old = format!("{app}-old");
        format!(
            "! docker container inspect {app}-next && \
             test \"$(docker container inspect --format '{{{{.State.Running}}}}' {old})\" = false && \
             {{ docker network disconnect {network} {old}; docker network disconnect {} {old}; true; }}",
            default_network()
        )
    }

    /// The old one serves, and is on both of its networks, under its alias, too.
    fn assert_remembered(&self) {
        let app = &self.stage.app;
        app.assert_untouched(&self.stage.live, &self.stage.v1);
        let live = app.container("").unwrap();
        let places = live["NetworkSettings"]["Networks"].as_object().unwrap();
        assert!(places.contains_key(default_network()), "{places:?}");
        let aliases = places[&self.network]["Aliases"].to_string();
        assert!(aliases.contains("\"shop\""), "{aliases}");
    }
}

#[test]
fn an_old_container_whose_networks_the_engine_has_forgotten_at_a_failed_start_gets_them_back() {
    let forgetful = Forgetful::new();
    let run = forgetful.promote(&format!("docker rm -f {}", forgetful.thief));
    forgetful
        .stage
        .assert_rolled_back(&failed(&run, 46, "port_taken"));
    forgetful.assert_remembered();
}

#[test]
fn what_43_says_to_run_gives_the_old_container_its_networks_back_whatever_is_forgotten_meanwhile() {
    let forgetful = Forgetful::new();
    let report = failed(&forgetful.promote("true"), 43, "rollback_failed");
    let app = &forgetful.stage.app;
    let hint = text(&report["error"]["hint"]);
    let connects = format!("docker network connect --alias=shop {}", forgetful.network);
    assert!(hint.contains(&connects), "{hint}");
    let left = app.container("-old").unwrap();
    let places = left["NetworkSettings"]["Networks"].as_object().unwrap();
    assert_eq!(places.len(), 2, "{places:?}");

    // Whoever starts it too early is where it was before.
    let old = format!("{}-old", app.name());
    docker(["start", &old]).unwrap_err();
    let mut sh = Command::new("sh");
    sh.args(["-c", &forgetful.forget()]);
    assert_eq!(run(sh, None).unwrap().code, 0);
    docker(["rm", "-f", &forgetful.thief]).unwrap();
    by_hand(&report);
    forgetful.assert_remembered();
    ok(&app.promote(&[]));
    app.assert_live(&forgetful.stage.v2);
}
