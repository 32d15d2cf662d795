//! A way back that failed behind a proxy, and what a person is told to run then.

use std::fs;

use stage::steps::run;

use super::front::Behind;
use crate::support::{Fault, by_hand, failed, ok};

#[test]
fn what_43_says_to_run_has_the_old_container_serve_again_and_the_new_one_end() {
    let behind = Behind::new("behind-43");
    let app = &behind.app;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("settings");
    fs::write(&file, "").unwrap();
    let (v1, v2) = (
        app.build("v1"),
        app.tagged(&app.image("v2").env("SICK_FILE", "/sick"), "v2"),
    );
    let mount = format!("type=bind,src={},dst=/settings,readonly", file.display());
    let on = ["--", "--network", &behind.network, "--mount", &mount];
    ok(&app.step(
        "start-candidate",
        &[&["--image", &v1.name], &on[..]].concat(),
    ));
    app.prove_candidate();
    ok(&app.promote(&behind.flags(&[])));
    let live = app.id("");
    behind.candidate(&v2);

    let both = format!(
        "rm -f {} && docker cp /dev/null {}:/sick",
        file.display(),
        app.name()
    );
    let flags = behind.flags(&["--within", "1s"]);
    let run = run(
        app.faulty_promote(Fault::After("stop", &both), &flags),
        None,
    )
    .unwrap();
    let report = failed(&run, 43, "rollback_failed");
    assert_eq!(app.present(), ["-new", "-old"]);
    fs::write(&file, "").unwrap();
    by_hand(&report);
    assert_eq!((app.id(""), app.present()), (live, vec!["", "-new"]));
    let running = ["", "-new"].map(|end| app.container(end).unwrap()["State"]["Running"].clone());
    assert_eq!(running, [true, false]);
    assert!(behind.is_called(""));
}
