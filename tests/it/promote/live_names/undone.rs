//! Promotions that are killed or rolled back: who is live has all its names and networks, and the candidate has none.

use std::fs;

use stage::docker::docker;
use stage::image::Built;

use super::Called;
use crate::resume::KILLED;
use crate::support::{App, Fault, failed, ok};

/// A live container by hand with names on two networks, and a verified candidate that sees a folder of the host.
struct Stage {
    called: Called,
    live: String,
    v1: Built,
    v2: Built,
    flags: tempfile::TempDir,
}

impl Stage {
    fn new(prefix: &str) -> Stage {
        let called = Called::new(prefix, None);
        let app = &called.app;
        let v1 = app.build("v1");
        let v2 = app.tagged(&app.image("v2").env("SICK_FILE", "/flags/on"), "v2");
        called.by_hand(&v1, &[]);
        called.connect();
        let flags = tempfile::tempdir().unwrap();
        let mount = format!("{}:/flags:ro", flags.path().display());
        called.candidate(&v2, &["--network-alias", "api", "-v", &mount]);
        Stage {
            live: called.app.id(""),
            called,
            v1,
            v2,
            flags,
        }
    }

    fn app(&self) -> &App {
        &self.called.app
    }

    fn switch_on(&self) -> String {
        format!("touch {}/on", self.flags.path().display())
    }

    /// The old one is live as before.
    fn assert_undone(&self) {
        self.app().assert_untouched(&self.live, &self.v1);
        self.called.assert_called();
        self.called.assert_uncalled();
    }

    /// The new one is live, and nothing else is there.
    fn assert_done(&self) {
        self.app().assert_live(&self.v2);
        self.called.assert_called();
    }
}

#[test]
fn after_a_rollback_the_old_one_has_all_names_and_the_candidate_none() {
    let stage = Stage::new("names-back");
    let fault = Fault::Before("start", &stage.switch_on());
    let run = stage.app().promote_with(fault, &["--within", "2s"]);
    failed(&run, 41, "rolled_back_unhealthy");
    stage.assert_undone();
}

#[test]
fn a_promotion_that_is_given_up_before_the_swap_takes_the_names_back() {
    let stage = Stage::new("names-given-up");
    let fault = Fault::Before("network connect", &stage.switch_on());
    failed(&stage.app().promote_with(fault, &[]), 40, "no_candidate");
    fs::remove_file(stage.flags.path().join("on")).unwrap();
    stage.assert_undone();
    ok(&stage.app().promote(&[]));
    stage.assert_done();
}

#[test]
fn killed_while_the_candidate_is_off_its_network_the_same_command_finishes_it() {
    let stage = Stage::new("names-killed");
    // Not at the final container's networks, which is made meanwhile.
    let script = format!(
        "docker container inspect --format '{{{{json .NetworkSettings.Networks}}}}' {} | grep {} && exit 0; \
         kill -KILL $CALLER; exit 1",
        stage.app().scope.candidate(),
        stage.called.front
    );
    let kill = Fault::Before("network connect", &script);
    assert_eq!(stage.app().promote_with(kill, &[]).code, KILLED);
    assert!(!stage.called.names("-new").contains_key(&stage.called.front));
    ok(&stage.app().promote(&[]));
    stage.assert_done();
}

#[test]
fn killed_with_the_names_at_a_candidate_that_is_sick_by_then_they_are_taken_from_it() {
    let stage = Stage::new("names-stale");
    let kill = Fault::Before("rename", "kill -KILL $CALLER; exit 1");
    assert_eq!(stage.app().promote_with(kill, &[]).code, KILLED);
    let has_names = stage.called.names("-new");
    assert!(
        has_names[&stage.called.front].contains(&"api".to_owned()),
        "{has_names:?}"
    );
    fs::write(stage.flags.path().join("on"), "").unwrap();
    failed(&stage.app().promote(&[]), 40, "no_candidate");
    stage.assert_undone();
}

#[test]
fn killed_while_the_final_container_is_off_its_network_the_same_command_finishes_it() {
    let stage = Stage::new("names-final");
    let app = stage.app();
    // Not at the candidate's networks: before the swap there is no old container.
    let script = format!(
        "docker container inspect {}-old || exit 0; kill -KILL $CALLER; exit 1",
        app.name()
    );
    let kill = Fault::Before("network connect", &script);
    assert_eq!(app.promote_with(kill, &[]).code, KILLED);
    assert_eq!(app.present(), ["-new", "-old", "-next"]);
    assert_eq!(stage.called.names("-next").len(), 1);
    ok(&app.promote(&[]));
    stage.assert_done();
}

#[test]
fn killed_after_the_final_container_started_and_the_candidate_gone_the_old_one_has_its_names() {
    let stage = Stage::new("names-orphan");
    let app = stage.app();
    let kill = Fault::After("stop", "kill -KILL $CALLER");
    assert_eq!(app.promote_with(kill, &[]).code, KILLED);
    docker(["rm", "-f", &app.scope.candidate()]).unwrap();
    failed(&app.promote(&[]), 42, "rolled_back_not_started");
    app.assert_untouched(&stage.live, &stage.v1);
    stage.called.assert_called();
}
