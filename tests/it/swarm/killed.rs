//! A start-candidate on a swarm that is killed at a random moment, and the same command right after it.

use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use fastrand::Rng;

use super::{Sea, lacks_swarm};
use crate::support::{failed, first_seed, ok};

const KILLS: u64 = 10;

#[test]
fn killed_on_a_swarm_at_any_moment_the_same_command_right_after_it_has_the_place() {
    if lacks_swarm() {
        return;
    }
    let sea = Sea::new("killed");
    let image = sea.push(&sea.image("v1"), "v1");
    ok(&sea.step("pull-image", &[&image]));
    let flags = ["--image", &image];
    let began = Instant::now();
    ok(&sea.step("start-candidate", &flags));
    let whole = began.elapsed().as_micros() as u64;
    let first = first_seed();
    for seed in first..first + KILLS {
        ok(&sea.step("prune-app", &["--candidate"]));
        let mut command = sea.command("start-candidate", &flags);
        let started = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let mut started = started.unwrap();
        let moment = Duration::from_micros(Rng::with_seed(seed).u64(..whole));
        thread::sleep(moment);
        // Where it is done before, and has said so, its candidate is another's.
        let is_done = started.try_wait().unwrap().is_some();
        let _ = started.kill();
        let is_done = is_done || started.wait().unwrap().success();
        let again = sea.step("start-candidate", &flags);
        if is_done {
            failed(&again, 21, "candidate_exists");
        } else {
            let report = ok(&again);
            let id = sea.service(&sea.app.scope.candidate(), "{{.ID}}");
            assert_eq!(report["candidate_id"], id.as_str(), "seed {seed}");
        }
    }
}
