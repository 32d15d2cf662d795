//! `--keep-log`: what the replaced container has said is in a file before the container is gone.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::proxy::front::Behind;
use crate::resume::KILLED;
use crate::support::{App, Fault, ok};

/// A file that is not there yet.
fn file() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("replaced.log");
    (folder, file)
}

fn flags(file: &Path) -> [&str; 2] {
    ["--keep-log", file.to_str().unwrap()]
}

/// The file has one log for each of these containers, which said so much, and no other line.
fn assert_has(file: &Path, logs: &[(&str, &str)]) {
    let kept = fs::read_to_string(file).unwrap();
    let parts: Vec<&str> = kept.split("# log of the container ").skip(1).collect();
    assert_eq!(parts.len(), logs.len(), "{kept}");
    for (part, (id, said)) in parts.iter().zip(logs) {
        let (title, log) = part.split_once('\n').unwrap();
        assert!(title.contains(id), "{kept}");
        let mut lines = log.lines().filter(|line| !line.is_empty());
        assert!(log.contains(said), "{kept}");
        assert!(lines.all(|line| line.starts_with("20")), "{kept}");
    }
}

#[test]
fn the_log_is_appended_after_a_line_that_says_whose_it_is_to_a_file_of_its_owners() {
    let app = App::new("keptlog");
    let (_folder, file) = file();
    let [v1, v2, v3] = ["v1", "v2", "v3"].map(|version| app.build(version));
    let report = {
        app.candidate(&v1, &["-e", "LOG=said by the first"]);
        ok(&app.promote(&flags(&file)))
    };
    assert!(report.get("log_kept").is_none(), "nothing was replaced");
    let first = app.id("");
    app.candidate(&v2, &["-e", "LOG=said by the second"]);
    let report = ok(&app.promote(&flags(&file)));
    assert_eq!(report["log_kept"], true);
    assert_has(&file, &[(&first, "said by the first")]);
    let title = fs::read_to_string(&file).unwrap();
    let title = title.lines().next().unwrap();
    for word in [app.name(), &v1.name, &v1.id] {
        assert!(title.contains(word), "{title}");
    }
    let mode = fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let second = app.id("");
    app.candidate(&v3, &[]);
    ok(&app.promote(&flags(&file)));
    let both = [
        (first.as_str(), "said by the first"),
        (&second, "said by the second"),
    ];
    assert_has(&file, &both);
    app.candidate(&v1, &[]);
    let report = ok(&app.promote(&[]));
    assert!(report.get("log_kept").is_none(), "{report}");
    assert_has(&file, &both);
}

#[test]
fn behind_a_proxy_the_log_is_kept_as_well() {
    let behind = Behind::new("keptalias");
    let app = &behind.app;
    let (_folder, file) = file();
    let v1 = app.tagged(&app.image("v1").env("LOG", "said by the first"), "v1");
    let v2 = app.build("v2");
    behind.deploy(&v1);
    let first = app.id("");
    let candidate = behind.candidate(&v2);
    let report = ok(&app.promote(&behind.flags(&flags(&file))));
    assert_eq!(report["log_kept"], true);
    assert_has(&file, &[(&first, "said by the first")]);
    behind.assert_live(&candidate, &v2);
}

#[test]
fn a_log_that_cannot_be_read_is_a_warning_and_the_release_is_live() {
    let app = App::new("nolog");
    let (_folder, file) = file();
    let (v1, v2) = (app.build("v1"), app.build("v2"));
    app.deploy(&v1, &["--log-driver", "none"]);
    app.candidate(&v2, &[]);
    let promoted = app.promote(&flags(&file));
    assert_eq!(ok(&promoted)["log_kept"], false);
    let said = promoted.stderr.to_lowercase();
    assert!(said.contains("log of what was replaced"), "{promoted:?}");
    assert!(said.contains("read"), "the engine's word: {promoted:?}");
    app.assert_live(&v2);
}

#[test]
fn a_log_that_does_not_come_delays_no_promotion_for_longer_than_a_call_may_take() {
    let app = App::new("slowlog");
    let (_folder, file) = file();
    let (v1, v2) = (app.build("v1"), app.build("v2"));
    app.deploy(&v1, &[]);
    app.candidate(&v2, &[]);
    let hangs = Fault::Before("logs --timestamps", "sleep 600");
    let [flag, path] = flags(&file);
    let promoted = app.promote_with(hangs, &[flag, path, "--engine-timeout", "10s"]);
    assert_eq!(ok(&promoted)["log_kept"], false);
    assert!(promoted.stderr.contains("took longer"), "{promoted:?}");
    app.assert_live(&v2);
}

#[test]
fn a_promotion_that_was_killed_keeps_the_log_when_it_is_run_again() {
    for at in ["logs --timestamps", "rm"] {
        let app = App::new("killedlog");
        let (_folder, file) = file();
        let (v1, v2) = (app.build("v1"), app.build("v2"));
        app.deploy(&v1, &["-e", "LOG=said by the first"]);
        let first = app.id("");
        app.candidate(&v2, &[]);
        let killed = Fault::Before(at, "kill -KILL $CALLER; exit 1");
        assert_eq!(app.promote_with(killed, &flags(&file)).code, KILLED, "{at}");
        let report = ok(&app.promote(&flags(&file)));
        assert_eq!(
            (&report["carried_on"], &report["log_kept"]),
            (&true.into(), &true.into())
        );
        let kept = fs::read_to_string(&file).unwrap();
        let (_, last) = kept.rsplit_once("# log of the container ").unwrap();
        assert!(
            last.contains(&first) && last.contains("said by the first"),
            "{kept}"
        );
        app.assert_live(&v2);
    }
}

#[test]
fn a_file_that_cannot_be_appended_to_is_a_usage_error_before_anything_is_touched() {
    let app = App::new("nofile");
    let (folder, _) = file();
    let (v1, v2) = (app.build("v1"), app.build("v2"));
    app.deploy(&v1, &[]);
    let live = app.id("");
    app.candidate(&v2, &[]);
    let pipe = folder.path().join("pipe");
    assert!(
        Command::new("mkfifo")
            .arg(&pipe)
            .status()
            .unwrap()
            .success()
    );
    let nowhere = folder.path().join("no/such/file");
    for (path, why) in [
        (nowhere.as_path(), "No such file"),
        (folder.path(), "directory"),
        (&pipe, "--keep-log"),
    ] {
        let promoted = app.promote(&flags(path));
        assert_eq!(promoted.code, 2, "{promoted:?}");
        assert!(promoted.stderr.contains(why), "{promoted:?}");
    }
    app.assert_untouched(&live, &v1);
    assert_eq!(app.present(), ["", "-new"]);
    let good = folder.path().join("log");
    let swarm = [&flags(&good)[..], &["--swarm"]].concat();
    assert_eq!(app.promote(&swarm).code, 2);
}
