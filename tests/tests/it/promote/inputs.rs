//! What the words of a recipe stand for may change between the candidate and the final container. Then nothing goes
//! live, and the message names each input that changed.

use std::fs;

use tests::docker::docker;
use tests::image::Built;
use tests::process::Run;
use tests::skipped::skip;
use tests::stage::on_podman;
use tests::steps::run;

use crate::support::{App, failed, ok, text};

/// From inside: some candidates here have no network of their own.
const PROBE: [&str; 2] = ["--exec", "/demo-app healthy"];

/// An app whose release v1 is live, and a folder for its files.
struct Live {
    app: App,
    image: Built,
    id: String,
    folder: tempfile::TempDir,
}

impl Live {
    fn new(prefix: &str) -> Self {
        let app = App::new(prefix);
        let (v1, image) = (app.build("v1"), app.build("v2"));
        app.deploy(&v1, &[]);
        let id = app.id("");
        Self {
            app,
            image,
            id,
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn candidate(&self, options: &[&str]) {
        let flags = ["--image", &self.image.name, "--"];
        ok(&self
            .app
            .step("start-candidate", &[&flags, options].concat()));
        ok(&self.app.step("probe-health", &PROBE));
    }

    fn file(&self, name: &str, text: &str) -> String {
        let path = self.folder.path().join(name);
        fs::write(&path, text).unwrap();
        path.display().to_string()
    }

    /// Promote refuses, names `input`, shows no secret, and has touched nothing.
    fn refuses(&self, input: &str) {
        self.refused(&self.app.promote(&PROBE), input);
    }

    fn refused(&self, run: &Run, input: &str) {
        let report = failed(run, 47, "not_verified");
        let message = text(&report["error"]["message"]);
        let expected = format!("would differ from the candidate in {input}; nothing was touched");
        assert!(message.contains(&expected), "{input}: {message}");
        assert!(!format!("{run:?}").contains("secret"), "{run:?}");
        assert_eq!(self.app.id(""), self.id);
        assert_eq!(self.app.answer(), "v1");
        assert_eq!(self.app.present(), ["", "-new"]);
    }
}

#[test]
fn a_variable_of_an_env_file_that_changed_was_lost_or_joined_is_named() {
    let live = Live::new("envfile");
    let file = live.file("env", "A=1\nTOKEN=first-secret\n");
    live.candidate(&["--env-file", &file]);
    for (now, named) in [
        (
            "A=1\nTOKEN=second-secret\n",
            "the environment variable TOKEN",
        ),
        ("A=1\n", "the environment variable TOKEN"),
        (
            "A=1\nTOKEN=first-secret\nB=secret\n",
            "the environment variable B",
        ),
        (
            "B=secret\n",
            "the environment variable A, the environment variable B, the environment variable TOKEN",
        ),
    ] {
        live.file("env", now);
        live.refuses(named);
    }
    live.file("env", "TOKEN=first-secret\nA=1\n");
    ok(&live.app.promote(&PROBE));
    assert_eq!(live.app.present(), [""]);
}

#[test]
fn a_variable_of_the_callers_environment_that_changed_is_named() {
    let live = Live::new("callers");
    let mut start = live
        .app
        .command("start-candidate", &["--image", &live.image.name]);
    start
        .args(["--", "-e", "TOKEN"])
        .env("TOKEN", "first-secret");
    ok(&run(start, None).unwrap());
    for now in [Some("second-secret"), None] {
        let mut promote = live.app.command("promote", &PROBE);
        promote
            .env_remove("TOKEN")
            .envs(now.map(|value| ("TOKEN", value)));
        let refused = run(promote, None).unwrap();
        live.refused(&refused, "the environment variable TOKEN");
    }
}

#[test]
fn a_proxy_of_the_clients_settings_that_changed_is_named() {
    if on_podman() {
        return skip("podman's client has no such settings");
    }
    let live = Live::new("settings");
    let settings = |proxy: &str| {
        let text = format!(r#"{{"proxies": {{"default": {{"ftpProxy": "{proxy}"}}}}}}"#);
        live.file("config.json", &text);
    };
    let with = |step: &str, flags: &[&str]| {
        let mut command = live.app.command(step, flags);
        command.env("DOCKER_CONFIG", live.folder.path());
        run(command, None).unwrap()
    };
    settings("ftp://first-secret.example");
    ok(&with("start-candidate", &["--image", &live.image.name]));
    settings("ftp://second-secret.example");
    let named = "the environment variable FTP_PROXY, the environment variable ftp_proxy";
    live.refused(&with("promote", &PROBE), named);
}

#[test]
fn a_label_of_a_label_file_that_changed_is_named() {
    let live = Live::new("labelfile");
    let file = live.file("labels", "tier=first-secret\n");
    live.candidate(&["--label-file", &file]);
    live.file("labels", "tier=second-secret\n");
    live.refuses("the label tier");
}

#[test]
fn a_seccomp_profile_whose_file_changed_is_named() {
    if on_podman() {
        return skip("podman shows the name of the file, not what is in it");
    }
    let live = Live::new("seccomp");
    let file = live.file("seccomp", r#"{"defaultAction": "SCMP_ACT_ALLOW"}"#);
    live.candidate(&["--security-opt", &format!("seccomp={file}")]);
    live.file("seccomp", r#"{"defaultAction": "SCMP_ACT_LOG"}"#);
    live.refuses("its seccomp profile");
}

#[test]
fn a_volume_of_another_container_that_changed_is_named() {
    let live = Live::new("volumesfrom");
    let other = format!("{}-other", live.app.name());
    live.app.scope.also_container(&other);
    let made = |place: &str| {
        docker(["create", "--name", &other, "-v", place, &live.image.name]).unwrap();
    };
    made("/one");
    live.candidate(&["--volumes-from", &other]);
    docker(["rm", &other]).unwrap();
    made("/other");
    live.refuses("the mount at /one, the mount at /other");
}

#[test]
fn a_container_whose_memory_is_shared_and_that_is_another_by_now_is_named() {
    let live = Live::new("shared");
    let other = format!("{}-other", live.app.name());
    live.app.scope.also_container(&other);
    let started = || {
        let words = [
            "run",
            "-d",
            "--name",
            &other,
            "--ipc",
            "shareable",
            &live.image.name,
        ];
        docker(words).unwrap();
    };
    started();
    live.candidate(&["--ipc", &format!("container:{other}")]);
    docker(["rm", "-f", &other]).unwrap();
    started();
    live.refuses("the container whose memory it shares");
}

#[test]
fn a_candidate_that_somebody_made_again_by_hand_is_refused_for_each_input_of_its_own() {
    let live = Live::new("byhand");
    live.candidate(&[]);
    let labels = live.app.container("-new").unwrap()["Config"]["Labels"].clone();
    let labels = labels.as_object().unwrap().iter();
    let ours = labels.filter(|(name, _)| name.starts_with("deploy-steps."));
    let ours: Vec<String> = ours
        .map(|(name, value)| format!("--label={name}={}", text(value)))
        .collect();
    let again = |options: &[&str], image: &str, command: &[&str]| {
        docker(["rm", "-f", "-v", &live.app.scope.candidate()]).unwrap();
        let name = ["run", "-d", "--name", &live.app.scope.candidate()].map(str::to_owned);
        let words = [options, &[image], command].concat();
        let words = words.iter().map(|&word| word.to_owned());
        docker(name.into_iter().chain(ours.iter().cloned()).chain(words)).unwrap();
        ok(&live.app.step("probe-health", &PROBE));
    };
    let (ours, v1) = (live.image.id.as_str(), format!("{}:v1", live.app.name()));
    for (options, image, command, named) in [
        (&["--user", "1000"][..], ours, &[][..], "its user"),
        (&["--workdir", "/data"], ours, &[], "its working directory"),
        (
            &["--entrypoint", "/./demo-app"],
            ours,
            &[],
            "its entrypoint",
        ),
        (&[], ours, &["ignored"], "its command"),
        (
            &["-e", "MORE=1"],
            ours,
            &[],
            "the environment variable MORE",
        ),
        (&["-v", "/more"], ours, &[], "the mount at /more"),
        (&[], &v1, &[], "its image, the environment variable VERSION"),
    ] {
        again(options, image, command);
        live.refuses(named);
    }
}
