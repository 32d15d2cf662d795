//! Several at once, and a promotion under way.

use std::fs::{self, File};
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use super::nothing_left;
use crate::runs::{finish, has_image};
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

fn lock_file(app: &App, end: &str) -> PathBuf {
    format!("/run/deploy-steps/deploy-steps-{}.{end}", app.name()).into()
}

#[test]
fn no_container_is_made_from_an_image_while_images_are_removed_nor_the_other_way_round() {
    let app = App::new("images");
    let image = app.build("v1");
    let path = lock_file(&app, "images");
    let lock = File::create(&path).unwrap();
    lock.lock().unwrap();
    let [started, pruned] = thread::scope(|scope| {
        let start = scope.spawn(|| app.step("start-candidate", &["--image", &image.name]));
        let prune = scope.spawn(|| app.step("prune-app", &["--keep", "0"]));
        thread::sleep(Duration::from_secs(1));
        assert!(app.present().is_empty() && has_image(&image.name));
        lock.unlock().unwrap();
        [start, prune].map(|run| run.join().unwrap())
    });
    // Whichever came first, and nothing in between.
    ok(&pruned);
    if has_image(&image.name) {
        ok(&started);
    } else {
        failed(&started, 20, "image_absent");
    }
    fs::remove_file(&path).unwrap();
}

#[test]
fn while_a_promotion_holds_the_lock_it_is_25() {
    let app = App::new("locked");
    let image = app.build("v1");
    let path = lock_file(&app, "lock");
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
