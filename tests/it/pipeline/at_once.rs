//! Two deployments at the same time, of one app and of two.

use std::thread;

use stage::process::Run;
use stage::steps::run;

use super::{PIPE, pushed, shell};
use crate::support::App;

fn both(scripts: [std::process::Command; 2]) -> [Run; 2] {
    let [a, b] = scripts.map(|sh| thread::spawn(move || run(sh, None).unwrap()));
    [a.join().unwrap(), b.join().unwrap()]
}

/// The loser hears of it as 21 (the other's candidate exists), 25 (the other's promotion runs),
/// 31 or 40 (the other's fallback or promotion took the candidate), or 45 (the lock is held).
/// Both win where they happened to come one after the other.
#[test]
fn of_two_deployments_of_one_app_at_once_one_wins_and_nothing_is_broken() {
    const LOST: [i32; 5] = [21, 25, 31, 40, 45];
    // No fallback: whoever fails must not take the other's candidate away.
    let script = PIPE.split("||").next().unwrap();
    for _ in 0..3 {
        let app = App::new("rivals");
        let live = app.build("v0");
        app.deploy(&live, &[]);
        let images = ["v1", "v2"].map(|version| pushed(&app, &app.image(version), version));
        let runs = both(images.each_ref().map(|it| shell(script, &app, &it.name)));
        let won = |run: &Run| run.code == 0;
        assert!(runs.iter().any(won), "{runs:?}");
        for lost in runs.iter().filter(|run| !won(run)) {
            assert!(LOST.contains(&lost.code), "{lost:?}");
            assert_eq!(lost.json().unwrap()["error"]["code"], lost.code);
        }
        let winner = images.iter().zip(&runs).filter(|(_, run)| won(run));
        let answered = app.answer();
        let is_live = |image: &stage::image::Built| image.name.ends_with(&answered);
        let live = winner.map(|(image, _)| image).find(|image| is_live(image));
        app.assert_live(live.expect("a loser is live"));
    }
}

#[test]
fn two_apps_are_deployed_at_once() {
    let apps = [App::new("left"), App::new("right")];
    for version in ["v1", "v2"] {
        let images = apps
            .each_ref()
            .map(|app| pushed(app, &app.image(version), version));
        let [left, right] = &apps;
        let runs = both([
            shell(PIPE, left, &images[0].name),
            shell(PIPE, right, &images[1].name),
        ]);
        for ((app, image), run) in apps.iter().zip(&images).zip(&runs) {
            assert_eq!(run.code, 0, "{run:?}");
            app.assert_live(image);
        }
    }
}
