//! What the words of a recipe stand for may change between the candidate and the final container. Then nothing goes
//! live, and the message names each input that changed.

use std::fs;
use std::process::Command;

use serde_json::Value;
use stage::docker::docker;
use stage::ground::on_podman;
use stage::image::Built;
use stage::process::Run;
use stage::skipped::skip;
use stage::steps::run;

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

/// Promote puts live what was verified, whatever its inputs are by now.
fn goes_live_with(live: &Live, promote: Command, variables: &[&str]) {
    let run = run(promote, None).unwrap();
    ok(&run);
    assert!(!format!("{run:?}").contains("secret"), "{run:?}");
    let container = live.app.container("").unwrap();
    let env = container["Config"]["Env"].as_array().unwrap();
    for variable in variables {
        assert!(env.contains(&Value::from(*variable)), "{variable}: {env:?}");
    }
    assert_eq!(live.app.present(), [""]);
}

#[test]
fn an_env_file_is_read_once_whatever_becomes_of_it() {
    let live = Live::new("envfile");
    for now in [Some("TOKEN=second-secret\nB=secret\n"), None] {
        let file = live.file("env", "A=1\nTOKEN=first-secret\nHTTP_PROXY=\n");
        live.candidate(&["--env-file", &file, "-e", "A=2"]);
        match now {
            Some(text) => drop(live.file("env", text)),
            None => fs::remove_file(&file).unwrap(),
        }
        let promote = live.app.command("promote", &PROBE);
        goes_live_with(
            &live,
            promote,
            &["A=2", "TOKEN=first-secret", "HTTP_PROXY="],
        );
    }
}

#[test]
fn a_pipe_in_an_env_files_place_is_read_once() {
    let live = Live::new("piped");
    let start = live
        .app
        .command("start-candidate", &["--image", &live.image.name]);
    let mut words = vec![start.get_program()];
    words.extend(start.get_args());
    let mut shell = Command::new("bash");
    shell.args([
        "-c",
        "\"$@\" -- --env-file <(echo TOKEN=first-secret)",
        "bash",
    ]);
    shell.args(words);
    ok(&run(shell, None).unwrap());
    let promote = live.app.command("promote", &PROBE);
    goes_live_with(&live, promote, &["TOKEN=first-secret"]);
}

#[test]
fn a_variable_of_the_callers_environment_is_as_it_was_at_the_candidates_start() {
    let live = Live::new("callers");
    for now in [Some("second-secret"), None] {
        let mut start = live
            .app
            .command("start-candidate", &["--image", &live.image.name]);
        start
            .args(["--", "-e", "TOKEN", "-e", "UNSET"])
            .env_remove("UNSET")
            .env("TOKEN", "first-secret");
        ok(&run(start, None).unwrap());
        let mut promote = live.app.command("promote", &PROBE);
        promote
            .env("UNSET", "set")
            .env_remove("TOKEN")
            .envs(now.map(|value| ("TOKEN", value)));
        goes_live_with(&live, promote, &["TOKEN=first-secret"]);
    }
}

#[test]
fn a_proxy_of_the_clients_settings_is_as_it_was_at_the_candidates_start() {
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
        command
    };
    settings("ftp://first-secret.example");
    let start = with("start-candidate", &["--image", &live.image.name]);
    ok(&run(start, None).unwrap());
    settings("ftp://second-secret.example");
    let both = [
        "FTP_PROXY=ftp://first-secret.example",
        "ftp_proxy=ftp://first-secret.example",
    ];
    goes_live_with(&live, with("promote", &PROBE), &both);
}

#[test]
fn a_variable_that_the_clients_settings_have_gained_is_named() {
    if on_podman() {
        return skip("podman's client has no such settings");
    }
    let live = Live::new("gained");
    live.candidate(&[]);
    live.file(
        "config.json",
        r#"{"proxies": {"default": {"ftpProxy": "ftp://secret.example"}}}"#,
    );
    let mut promote = live.app.command("promote", &PROBE);
    promote.env("DOCKER_CONFIG", live.folder.path());
    let named = "the environment variable FTP_PROXY, the environment variable ftp_proxy";
    live.refused(&run(promote, None).unwrap(), named);
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
    let marks: Vec<String> = ours
        .map(|(name, value)| format!("--label={name}={}", text(value)))
        .collect();
    let ours = live.image.id.as_str();
    let again = |options: &[&str], command: &[&str]| {
        docker(["rm", "-f", "-v", &live.app.scope.candidate()]).unwrap();
        let name = ["run", "-d", "--name", &live.app.scope.candidate()].map(str::to_owned);
        let words = [options, &[ours], command].concat();
        let words = words.iter().map(|&word| word.to_owned());
        docker(name.into_iter().chain(marks.iter().cloned()).chain(words)).unwrap();
        ok(&live.app.step("probe-health", &PROBE));
    };
    for (options, command, named) in [
        (&["--user", "1000"][..], &[][..], "its user"),
        (&["--workdir", "/data"], &[], "its working directory"),
        (&["--entrypoint", "/./demo-app"], &[], "its entrypoint"),
        (&[], &["ignored"], "its command"),
        (&["-v", "/more"], &[], "the mount at /more"),
    ] {
        again(options, command);
        live.refuses(named);
    }
}
