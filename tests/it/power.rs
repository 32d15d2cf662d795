//! The power fails, or the engine does, in the middle of a promotion or of another step.

mod ground;
mod held;
mod steps;

use serde_json::Value;
use stage::effort;
use stage::image::Built;
use stage::power::Engine;

use self::held::Held;
use crate::bridge::has_rules;
use crate::resume::{ENOUGH, assert_released};
use crate::support::{App, asks_docker, eventually, ok, on_a_stage_of_its_own};

/// Runs one of the ignored tests of this file with an engine of its own.
fn on_a_machine_of_its_own(name: &str) {
    asks_docker();
    let test = format!("power::{name}");
    on_a_stage_of_its_own(&["--engine", "docker"], &["--ignored", &test]);
}

#[test]
fn after_a_power_cut_at_any_call_of_a_promotion_one_healthy_container_answers_and_a_new_run_converges()
 {
    on_a_machine_of_its_own("power_cuts");
}

#[test]
fn after_an_engine_crash_at_any_call_of_a_promotion_one_healthy_container_answers_and_a_new_run_converges()
 {
    on_a_machine_of_its_own("engine_crashes");
}

#[test]
#[ignore = "ends every process it sees: run on a stage of its own by the test above"]
fn power_cuts() {
    let engine = Engine::find().unwrap();
    at_each_call(|| {
        engine.cut_power().unwrap();
        engine.start().unwrap();
    });
}

#[test]
#[ignore = "ends the engine: run on a stage of its own by the test above"]
fn engine_crashes() {
    let engine = Engine::find().unwrap();
    at_each_call(|| {
        engine.crash().unwrap();
        engine.start().unwrap();
    });
}

fn at_each_call(accident: impl Fn()) {
    at_every(effort::of([5, 3, 1]), accident);
}

/// An accident after which the engine runs again, at every `nth` call of a promotion.
pub(crate) fn at_every(nth: usize, accident: impl Fn()) {
    let (app, other) = (App::new("power"), App::new("bystander"));
    let images = [app.build("v1"), app.build("v2")];
    app.deploy(&images[1], &[]);
    other.deploy(&other.build("other"), &[]);
    // Its first call only asks where things stand.
    for k in (2..ENOUGH).step_by(nth) {
        let (new, old) = (&images[k % 2], &images[(k + 1) % 2]);
        let candidate = app.start(new, &["-e", "COLOR=blue"]);
        app.prove_candidate();
        let Some(promote) = Held::before(k, |fault| app.faulty_promote(fault, &[])) else {
            assert!(k > 5, "only {k} calls");
            return;
        };
        accident();
        let answers = format!("an app answers after call {k}");
        eventually(&answers, || ["v1", "v2"].contains(&&*app.answer()));
        eventually("the other app answers on its own port", || {
            other.answer() == "other"
        });
        let (_, calls) = promote.go_on();
        converges(&app, new, old, &candidate, &calls);
    }
    panic!("a promotion of {ENOUGH} calls");
}

/// What the job's next run does ends as if nothing had happened.
fn converges(app: &App, new: &Built, old: &Built, candidate: &Value, at: &str) {
    let again = app.promote(&[]);
    assert!(["v1", "v2"].contains(&&*app.answer()), "{again:?} at {at}");
    let live = app.container("").map(|live| live["Image"].clone());
    if live == Some(Value::from(new.id.as_str())) && app.present() == [""] {
        assert_released(app, new, old, candidate);
    } else {
        let publish = format!("{}:8080", app.port);
        let flags = ["--image", &new.name, "--publish", &publish, "--replace"];
        let candidate = ok(&app.step(
            "start-candidate",
            &[&flags[..], &["--", "-e", "COLOR=blue"]].concat(),
        ));
        app.prove_candidate();
        ok(&app.promote(&[]));
        assert_released(app, new, old, &candidate);
    }
    assert!(!has_rules(app), "{again:?} at {at}");
}
