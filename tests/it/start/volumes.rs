//! Volumes that two releases would write to at the same time.

use stage::docker::docker;

use crate::support::{App, failed, ok};

fn start(app: &App, image: &str, options: &[&str]) -> stage::steps::Run {
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
fn a_socket_and_the_machines_own_files_are_no_data_that_two_releases_spoil() {
    let app = App::new("nodata");
    let image = app.build("v1");
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("engine.sock");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let socket = format!("{}:/run/engine.sock", socket.display());
    let options = [
        "-v",
        &socket,
        "-v",
        "/etc/localtime:/etc/localtime",
        "-v",
        "/dev/null:/dev/zero",
    ];
    let head = ["run", "-d", "--name", app.name()];
    docker([&head[..], &options, &[&image.name]].concat()).unwrap();
    ok(&start(&app, &image.name, &options));
    assert_eq!(app.present(), ["", "-new"]);
}

#[test]
fn one_volume_is_allowed_by_its_name_or_either_place_and_another_is_not() {
    let app = App::new("some");
    let (image, volume) = (app.build("v1"), format!("{}-data", app.name()));
    app.scope.at_end(["volume", "rm", "-f", &volume]);
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().to_str().unwrap();
    let options = [
        "-v",
        &format!("{volume}:/data"),
        "-v",
        &format!("{source}:/files"),
    ];
    let head = ["run", "-d", "--name", app.name()];
    docker([&head[..], &options, &[&image.name]].concat()).unwrap();
    let start = |allowed: &str| {
        let flag = format!("--allow-shared-volumes={allowed}");
        let flags = ["--replace", &flag, "--image", &image.name, "--"];
        app.step("start-candidate", &[&flags, &options[..]].concat())
    };
    for (some, other) in [
        (volume.as_str(), "/files"),
        ("/data", "/files"),
        ("/files", "/data"),
        (source, "/data"),
    ] {
        let report = failed(&start(some), 23, "shared_volume");
        let message = report["error"]["message"].to_string();
        assert!(message.contains(other), "{some}: {message}");
    }
    ok(&start(&format!("{volume},{source}")));
    assert_eq!(app.present(), ["", "-new"]);
}

#[test]
fn volumes_that_the_engine_names_itself_are_not_shared_and_it_is_told_that_they_stay_behind() {
    let app = App::new("anon");
    let image = app.tagged(&app.image("v1").change("VOLUME /data"), "v1");
    docker([
        "run",
        "-d",
        "--name",
        app.name(),
        "-v",
        "/more",
        &image.name,
    ])
    .unwrap();
    let started = start(&app, &image.name, &[]);
    assert_eq!(
        ok(&started)["fresh_volumes"],
        serde_json::json!(["/data", "/more"])
    );
    for place in ["/data", "/more"] {
        let told = format!("{} has {place} in a volume without a name", app.name());
        assert!(started.stderr.contains(&told), "{}", started.stderr);
    }
    let named = format!("{}-data", app.name());
    app.scope.at_end(["volume", "rm", "-f", &named]);
    let mounts = [
        "-v",
        &format!("{named}:/data"),
        "-v",
        &format!("{named}:/more"),
    ];
    let report = ok(&start(&app, &image.name, &mounts));
    assert!(report.get("fresh_volumes").is_none(), "{report}");
    assert_eq!(app.present(), ["", "-new"]);
}

#[test]
fn a_folder_that_is_mounted_by_another_path_is_23_as_well() {
    let app = App::new("paths");
    let image = app.build("v1");
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let data = path("releases/1/data");
    std::fs::create_dir_all(format!("{data}/inner")).unwrap();
    std::fs::create_dir_all(path("releases/2/data")).unwrap();
    let point_to = |release: &str| {
        let _ = std::fs::remove_file(path("current"));
        std::os::unix::fs::symlink(path(release), path("current")).unwrap();
    };
    point_to("releases/1");
    let bind = format!("{data}:/data");
    docker(["run", "-d", "--name", app.name(), "-v", &bind, &image.name]).unwrap();
    let volume = |name: &str, device: &str| {
        let name = format!("{}-{name}", app.name());
        app.scope.at_end(["volume", "rm", "-f", &name]);
        let device = format!("device={device}");
        let options = ["--opt", "type=none", "--opt", "o=bind", "--opt", &device];
        docker([&["volume", "create"], &options[..], &[&name]].concat()).unwrap();
        format!("{name}:/data")
    };
    let (current, inner) = (path("current/data:/data"), path("current/data/inner:/data"));
    for shared in [&current, &inner, &volume("same", &data)] {
        let run = start(&app, &image.name, &["-v", shared]);
        failed(&run, 23, "shared_volume");
        assert_eq!(app.present(), [""]);
    }
    point_to("releases/2");
    for other in [&current, &volume("other", &path("releases/2/data"))] {
        ok(&start(&app, &image.name, &["-v", other]));
    }
}
