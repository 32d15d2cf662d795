//! A start-candidate that is killed at a random moment, and the same command right after it.

use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use fastrand::Rng;
use serde_json::Value;
use stage::docker::docker;
use stage::steps::run;

use crate::support::{App, failed, first_seed, ok};

/// Kills a start-candidate so many times at a random moment of its run, and gives the same command again at once: it is done
/// (the report goes to `is_done`), or has said before that it was, and is refused.
pub(crate) fn killed_and_given_again(
    kills: u64,
    clear: impl Fn(),
    command: impl Fn() -> Command,
    is_done: impl Fn(&Value, u64),
) {
    let began = Instant::now();
    ok(&run(command(), None).unwrap());
    let whole = began.elapsed().as_micros() as u64;
    let first = first_seed();
    for seed in first..first + kills {
        clear();
        let mut killed = command();
        let started = killed.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let mut started = started.unwrap();
        let moment = Duration::from_micros(Rng::with_seed(seed).u64(..whole));
        thread::sleep(moment);
        // Where it is done before, and has said so, its candidate is another's.
        let was_done = started.try_wait().unwrap().is_some();
        let _ = started.kill();
        let was_done = was_done || started.wait().unwrap().success();
        let again = run(command(), None).unwrap();
        if was_done {
            failed(&again, 21, "candidate_exists");
        } else {
            is_done(&ok(&again), seed);
        }
    }
}

#[test]
fn killed_at_any_moment_the_same_command_right_after_it_has_the_place() {
    let app = App::new("killed");
    let image = app.build("v1");
    let flags = ["--image", &image.name, "--publish", "1:8080"];
    let clear = || drop(docker(["rm", "-f", &app.scope.candidate()]).unwrap());
    let command = || app.command("start-candidate", &flags);
    killed_and_given_again(20, clear, command, |report, seed| {
        assert_eq!(report["candidate_id"], app.id("-new"), "seed {seed}");
        let running = &app.container("-new").unwrap()["State"]["Running"];
        assert_eq!(running, true, "seed {seed}");
    });
}
