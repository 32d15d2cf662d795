//! A start-candidate that is killed at a random moment, and the same command right after it.

use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use fastrand::Rng;

use crate::support::{App, failed, first_seed, ok};

const KILLS: u64 = 20;

#[test]
fn killed_at_any_moment_the_same_command_right_after_it_has_the_place() {
    let app = App::new("killed");
    let image = app.build("v1");
    let flags = ["--image", &image.name, "--publish", "1:8080"];
    let began = Instant::now();
    ok(&app.step("start-candidate", &flags));
    let whole = began.elapsed().as_micros() as u64;
    let first = first_seed();
    for seed in first..first + KILLS {
        stage::docker::docker(["rm", "-f", &app.scope.candidate()]).unwrap();
        let mut command = app.command("start-candidate", &flags);
        let started = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let mut started = started.unwrap();
        let moment = Duration::from_micros(Rng::with_seed(seed).u64(..whole));
        thread::sleep(moment);
        // Where it is done before, and has said so, its candidate is another's.
        let is_done = started.try_wait().unwrap().is_some();
        let _ = started.kill();
        let is_done = is_done || started.wait().unwrap().success();
        let again = app.step("start-candidate", &flags);
        if is_done {
            failed(&again, 21, "candidate_exists");
        } else {
            let report = ok(&again);
            assert_eq!(report["candidate_id"], app.id("-new"), "seed {seed}");
            let running = &app.container("-new").unwrap()["State"]["Running"];
            assert_eq!(running, true, "seed {seed}");
        }
    }
}
