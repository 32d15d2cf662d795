//! Volumes that two releases would write to at the same time.

use tests::docker::docker;

use crate::support::{App, failed, ok};

fn start(app: &App, image: &str, options: &[&str]) -> tests::steps::Run {
    let flags = ["--replace", "--image", image, "--"];
    app.step("start-candidate", &[&flags, options].concat())
}

#[test]
fn a_volume_that_the_live_container_mounts_too_is_23_unless_read_only_or_allowed() {
    let app = App::new("volume");
    let (image, volume) = (app.build("v1"), format!("{}-data", app.name()));
    app.scope.at_end(["volume", "rm", "-f", &volume]);
    let mount = format!("{volume}:/data");
    docker(["run", "-d", "--name", app.name(), "-v", &mount, &image.name]).unwrap();
    let by_mount = format!("type=volume,src={volume},dst=/elsewhere");
    for options in [
        ["-v", &mount],
        ["--mount", &by_mount],
        ["--volumes-from", app.name()],
    ] {
        let run = start(&app, &image.name, &options);
        let report = failed(&run, 23, "shared_volume");
        assert!(report["error"]["message"].to_string().contains(app.name()));
        assert_eq!(app.present(), [""]);
    }

    ok(&start(&app, &image.name, &["-v", &format!("{mount}:ro")]));
    ok(&start(
        &app,
        &image.name,
        &["-v", &format!("{volume}-b:/data")],
    ));
    app.scope
        .at_end(["volume", "rm", "-f", &format!("{volume}-b")]);
    let flags = [
        "--replace",
        "--allow-shared-volumes",
        "--image",
        &image.name,
    ];
    let options = ["--", "-v", &mount];
    ok(&app.step("start-candidate", &[&flags[..], &options].concat()));
    assert_eq!(app.present(), ["", "-new"]);
}

#[test]
fn folders_of_the_host_that_lie_in_one_another_are_23() {
    let app = App::new("folder");
    let image = app.build("v1");
    let folder = tempfile::tempdir().unwrap();
    let outer = folder.path().join("data");
    let inner = outer.join("inner");
    let beside = folder.path().join("data2");
    for path in [&inner, &beside] {
        std::fs::create_dir_all(path).unwrap();
    }
    let bind = |path: &std::path::Path| format!("{}:/data", path.display());
    docker([
        "run",
        "-d",
        "--name",
        app.name(),
        "-v",
        &bind(&outer),
        &image.name,
    ])
    .unwrap();
    for shared in [&*outer, &inner, folder.path()] {
        let run = start(&app, &image.name, &["-v", &bind(shared)]);
        failed(&run, 23, "shared_volume");
        assert_eq!(app.present(), [""]);
    }
    ok(&start(&app, &image.name, &["-v", &bind(&beside)]));
}

#[test]
fn volumes_that_the_engine_names_itself_are_not_shared() {
    let app = App::new("anon");
    let image = app.tagged(&app.image("v1").change("VOLUME /data"), "v1");
    docker(["run", "-d", "--name", app.name(), &image.name]).unwrap();
    ok(&start(&app, &image.name, &[]));
    assert_eq!(app.present(), ["", "-new"]);
}
