//! Several at once, and a promotion under way.

use std::fs::{self, File};
use std::path::Path;
use std::thread;

use super::nothing_left;
use crate::runs::finish;
use crate::support::{App, failed, ok};

#[test]
fn of_several_started_at_once_exactly_one_wins_and_the_others_are_21() {
    let app = App::new("race");
    let image = app.build("v1");
    let runs: Vec<_> = thread::scope(|scope| {
        let start = || finish(app.command("start-candidate", &["--image", &image.name]));
        let all: Vec<_> = (0..6).map(|_| scope.spawn(start)).collect();
        all.into_iter().map(|one| one.join().unwrap()).collect()
    });
    let (won, lost): (Vec<_>, Vec<_>) = runs.iter().partition(|run| run.code == 0);
    assert_eq!(won.len(), 1, "{runs:?}");
    for run in lost {
        failed(run, 21, "candidate_exists");
    }
    let report = ok(won[0]);
    assert_eq!(report["candidate_id"], app.id("-new").as_str());
    assert_eq!(app.container("-new").unwrap()["State"]["Running"], true);
}

#[test]
fn the_one_who_comes_second_does_not_remove_the_firsts_candidate() {
    let app = App::new("second");
    let image = app.build("v1");
    app.start(&image, &[]);
    let first = app.id("-new");
    let flags = ["--image", &image.name, "--", "--rm"];
    failed(&app.step("start-candidate", &flags), 21, "candidate_exists");
    assert_eq!(app.id("-new"), first);
}

#[test]
fn while_a_promotion_holds_the_lock_it_is_25() {
    let app = App::new("locked");
    let image = app.build("v1");
    let shared = Path::new("/run/lock");
    let folder = if shared.is_dir() {
        shared.to_owned()
    } else {
        std::env::temp_dir()
    };
    let path = folder.join(format!("deploy-steps-{}.lock", app.name()));
    let lock = File::create(&path).unwrap();
    lock.lock().unwrap();
    for flags in [
        &["--image", &image.name][..],
        &["--replace", "--image", &image.name],
    ] {
        let run = app.step("start-candidate", flags);
        failed(&run, 25, "promotion_unfinished");
        nothing_left(&app);
    }
    drop(lock);
    ok(&app.step("start-candidate", &["--image", &image.name]));
    fs::remove_file(path).unwrap();
}
