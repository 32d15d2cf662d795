//! The engine restarts in the middle of a pull, a start, a probe or a prune.

use std::cell::Cell;
use std::time::Duration;

use stage::docker::docker;
use stage::fault::{Fault, Proxy, Wrong};
use stage::registry;

use super::ground::{Ground, Work};
use super::on_a_machine_of_its_own;
use crate::support::{App, eventually, ok};

#[test]
fn after_an_engine_restart_at_any_call_of_any_other_step_the_apps_answer_and_a_new_run_converges() {
    on_a_machine_of_its_own("steps::engine_restarts");
}

#[test]
#[ignore = "ends the engine: run on a stage of its own by the test above"]
fn engine_restarts() {
    let ground = Ground::new();
    pulls(&ground);
    starts(&ground);
    probes(&ground);
    prunes(&ground);
}

fn after(ms: u64) -> impl Fn() {
    move || std::thread::sleep(Duration::from_millis(ms))
}

/// Of these steps' calls the first one only asks where things stand: it is left out.
fn pulls(ground: &Ground) {
    let app = &ground.app;
    let proxy = Proxy::in_front_of(registry::shared().unwrap().host(), Fault::None).unwrap();
    let name = format!("{}/{}:pulled", proxy.host(), app.name());
    app.image("pulled")
        .padding_mb(2)
        .build(&name)
        .unwrap()
        .push()
        .unwrap();
    let pull = Work {
        step: "pull-image",
        flags: &[&name],
        before: &|| drop(docker(["image", "rm", &name])),
        again: &|| drop(ok(&app.step("pull-image", &[&name]))),
    };
    // Two of its calls are made at the same time, and only one of them is held.
    ground.at_each_call(&pull, 2.., &[0, 4]);

    let struck = Cell::new(0);
    let stalled = Work {
        before: &|| {
            (pull.before)();
            proxy.set(Fault::Layers(Wrong::StallAfter(100_000)));
            struck.set(proxy.struck());
        },
        again: &|| {
            proxy.set(Fault::None);
            (pull.again)();
        },
        ..pull
    };
    let in_a_layer = || {
        eventually("a layer stalls", || proxy.struck() > struck.get());
        proxy.set(Fault::None);
    };
    ground.within(&stalled, "pull", in_a_layer, &[0, 4, 12]);
    docker(["image", "rm", &name]).unwrap();
}

fn starts(ground: &Ground) {
    let app = &ground.app;
    let image = app.tagged(&app.image("v2").change("VOLUME /data"), "v2");
    let publish = format!("{}:8080", app.port);
    let flags = ["--image", &image.name, "--publish", &publish, "--replace"];
    let start = || drop(ok(&app.step("start-candidate", &flags)));
    let replaces = Work {
        step: "start-candidate",
        flags: &flags,
        before: &start,
        again: &start,
    };
    // It asks for its image and its place at the same time, and only one of the two is held.
    ground.at_each_call(&replaces, 2.., &[0, 4]);
    // The engine makes the volume before it notes down the container: if it ends between the two, it is left with one.
    let without_the_engines_left_over = || {
        start();
        docker(["volume", "prune", "--force"]).unwrap();
    };
    let created = Work {
        again: &without_the_engines_left_over,
        ..replaces
    };
    ground.within(&created, "create", after(20), &[0, 4, 24]);
    ground.within(&replaces, "start", after(100), &[0, 4, 24]);
    remove_candidate(app);
}

fn remove_candidate(app: &App) {
    docker(["rm", "-f", "-v", &app.scope.candidate()]).unwrap();
}

fn probes(ground: &Ground) {
    let app = &ground.app;
    let image = app.build("v2");
    let start = |options: &[&str]| {
        let flags = ["--image", &image.name, "--replace", "--"];
        ok(&app.step("start-candidate", &[&flags[..], options].concat()));
    };
    let again = || {
        start(&[]);
        app.prove_candidate();
    };
    let probe = Work {
        step: "probe-health",
        flags: &[],
        before: &|| start(&[]),
        again: &again,
    };
    // A candidate is not restarted with the engine.
    ground.at_each_call(&probe, 1.., &[32]);
    let slow = Work {
        before: &|| start(&["-e", "BOOT_MS=60000"]),
        ..probe
    };
    ground.within(&slow, "container", after(1000), &[32]);
    remove_candidate(app);
}

fn prunes(ground: &Ground) {
    let app = &ground.app;
    let prune = Work {
        step: "prune-app",
        flags: &["--candidate", "--keep", "0"],
        before: &|| drop(app.start(&app.build("v2"), &[])),
        again: &|| drop(ok(&app.step("prune-app", &["--candidate", "--keep", "0"]))),
    };
    ground.at_each_call(&prune, 2.., &[0, 4]);
    ground.within(&prune, "image rm", after(20), &[0, 4, 50]);
}
