//! Secrets of every shape, planted wherever a step takes a value, and every failure that is cheap: no stream, report, label,
//! event, argument of a child or note has one of them, in whatever encoding.

mod seen;
mod shapes;

use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::Command;

use stage::cargo;
use stage::docker::docker;
use stage::effort;
use stage::ground::on_podman;
use stage::image::Built;
use stage::steps::run;

use self::seen::{Seen, Watch};
use self::shapes::{Planted, planted};
use crate::heir::{mortal, wait_for_heirs};
use crate::resume::KILLED;
use crate::support::{App, Fault, failed, first_seed, ok, text};

/// An app whose steps' calls of the engine are recorded, and what was seen of it.
struct Ground {
    app: App,
    images: [Built; 2],
    folder: tempfile::TempDir,
    planted: Planted,
    seen: Seen,
}

impl Ground {
    fn new(seed: u64) -> Self {
        let app = App::new("planted");
        let images = ["v1", "v2"].map(|version| app.build(version));
        let folder = tempfile::tempdir().unwrap();
        let planted = planted(&mut fastrand::Rng::with_seed(seed));
        fs::write(folder.path().join("web.env"), planted.file_text()).unwrap();
        fs::write(folder.path().join("other.env"), planted.other_text()).unwrap();
        fs::create_dir(folder.path().join("flags")).unwrap();
        Self {
            app,
            images,
            folder,
            planted,
            seen: Seen::default(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A step in the folder of the relative env file, its calls recorded.
    fn command(&self, step: &str, flags: &[String]) -> Command {
        let mut command = self.app.command(step, &[]);
        command.args(flags).current_dir(self.folder.path());
        let docker = cargo::steps().unwrap().join("record-docker");
        command.env("DEPLOY_STEPS_DOCKER", docker);
        command.env("RECORD_FILE", self.path("calls"));
        command
    }

    fn step(&mut self, step: &str, flags: &[String]) -> stage::process::Run {
        let run = run(self.command(step, flags), None).unwrap();
        self.seen.stream(&run.stdout);
        self.seen.stream(&run.stderr);
        self.seen.labels_of(&self.app);
        run
    }

    /// `start-candidate` with everything that is planted, and further options.
    fn start(&mut self, image: usize, more: &[&str]) -> stage::process::Run {
        let port = format!("{}:8080", self.app.port);
        let image = self.images[image].name.clone();
        let flags = ["--replace", "--image", &image, "-p", &port, "--"].map(str::to_owned);
        let file = format!("--env-file={}", self.path("web.env").display());
        let files = [file, "--env-file".to_owned(), "other.env".to_owned()];
        let more = more.iter().map(|&word| word.to_owned());
        let words = flags.into_iter().chain(files).chain(self.planted.options());
        let words = words.chain(more).chain(self.planted.command());
        self.step("start-candidate", &words.collect::<Vec<_>>())
    }

    fn remove_candidate(&mut self) {
        self.step("prune-app", &words(&["--candidate", "--keep", "9"]));
    }

    fn deploy(&mut self, image: usize, more: &[&str]) {
        ok(&self.start(image, more));
        let header = words(&["--header", &self.planted.header()]);
        ok(&self.step("probe-health", &header));
        ok(&self.step("promote", &header));
    }
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

#[test]
fn no_planted_secret_is_seen_anywhere() {
    let (first, rounds) = (first_seed(), effort::of([1, 1, 12]));
    for seed in first..first + rounds {
        let _ = writeln!(io::stderr(), "FIRST_SEED={seed}");
        one_round(seed);
    }
}

fn one_round(seed: u64) {
    let watch = Watch::start();
    let mut ground = Ground::new(seed);
    refused_options(&mut ground);
    malformed_files(&mut ground);
    crashes_and_probes(&mut ground);
    releases(&mut ground);
    ground
        .seen
        .arguments(&fs::read_to_string(ground.path("calls")).unwrap());
    watch.end(&mut ground.seen);
    let hits = ground.seen.hits(&ground.planted);
    let (secrets, texts) = (ground.planted.count(), ground.seen.count());
    let _ = writeln!(
        io::stderr(),
        "{secrets} secrets, {texts} texts, {} hits",
        hits.len()
    );
    assert!(hits.is_empty(), "seed {seed}: {hits:#?}");
}

/// Refused with a sentence in which no word is hidden.
fn refused_options(ground: &mut Ground) {
    for options in [
        &["--memory", "1k"][..],
        &["--memory", "plenty"],
        &["--no-such-option"],
        &["--env-file", "gone.env"],
        &["--restart", "always"],
        &["surplus"],
    ] {
        let report = failed(&ground.start(0, options), 22, "option_refused");
        let message = text(&report["error"]["message"]);
        assert!(!message.contains("***"), "{options:?}: {message}");
    }
    let run = ground.start(0, &["--entrypoint", "/no/such/program"]);
    let report = failed(&run, 24, "not_started");
    let message = text(&report["error"]["message"]);
    assert!(message.contains("<--entrypoint>"), "{message}");
}

fn malformed_files(ground: &mut Ground) {
    if on_podman() {
        return;
    }
    for bytes in ground.planted.malformed() {
        let file = ground.path("bad.env");
        fs::write(&file, &bytes).unwrap();
        let run = ground.start(0, &["--env-file", "bad.env"]);
        let report = failed(&run, 22, "option_refused");
        let message = text(&report["error"]["message"]);
        let begins = "not allowed: line 2 of bad.env ";
        assert!(message.starts_with(begins), "{message}");
    }
}

/// An app that prints its environment and ends, one that is never healthy, and headers that are none.
fn crashes_and_probes(ground: &mut Ground) {
    ok(&ground.start(0, &["-e", "LOG_ENV=1", "-e", "CRASH=1"]));
    ground.seen.begin_log();
    let report = failed(&ground.step("probe-health", &[]), 32, "crashed");
    assert!(
        report["log"].to_string().contains("told to crash"),
        "{report}"
    );
    ok(&ground.start(0, &["-e", "LOG_ENV=1", "-e", "SICK=1"]));
    let header = ground.planted.header();
    let sick = words(&["--within", "1s", "--header", &header]);
    failed(&ground.step("probe-health", &sick), 30, "unhealthy");
    failed(&ground.step("promote", &sick), 40, "no_candidate");
    ground.seen.end_log();
    let malformed = header.replace(':', " ");
    for flags in [
        words(&["--header", &malformed]),
        vec![format!("--header={malformed}")],
        vec![format!("--header={header}\u{1}")],
    ] {
        for step in ["probe-health", "promote"] {
            let run = ground.step(step, &flags);
            assert_eq!(run.code, 2, "{run:?}");
            assert!(run.stderr.contains("a header looks like"), "{run:?}");
        }
    }
    ground.remove_candidate();
}

/// Killed, it leaves its report to its heir, who tells it the system's log and those who come later.
fn killed(ground: &mut Ground) {
    let header = ground.planted.header();
    let fault = Fault::Before("stop", "kill -KILL $CALLER");
    let mut promote = mortal(&ground.app, fault, &["--header", &header]);
    promote.current_dir(ground.folder.path());
    assert_eq!(run(promote, None).unwrap().code, KILLED);
    wait_for_heirs(&ground.app);
    ground.seen.notes();
}

/// Two releases, a way back, and a final container that ends at its start.
fn releases(ground: &mut Ground) {
    ground.deploy(0, &[]);
    ground.deploy(1, &[]);
    let live = ground.app.container("").unwrap();
    for (name, value) in ground.planted.variables() {
        let pair = format!("{name}={value}");
        let env = live["Config"]["Env"].as_array().unwrap();
        assert!(env.iter().any(|it| *it == pair.as_str()), "{name} is lost");
    }
    fs::remove_file(ground.path("web.env")).unwrap();
    ok(&ground.step("start-candidate", &words(&["--previous"])));
    ground.remove_candidate();
    fs::write(ground.path("web.env"), "A=b\n").unwrap();
    let flags = format!("{}:/flags", ground.path("flags").display());
    let crash = [
        "-v",
        &flags,
        "-e",
        "CRASH_FILE=/flags/on",
        "-e",
        "LOG_ENV=1",
    ];
    ok(&ground.start(0, &crash));
    ok(&ground.step("probe-health", &[]));
    fs::write(ground.path("flags").join("on"), "").unwrap();
    ground.seen.begin_log();
    let header = words(&["--header", &ground.planted.header()]);
    failed(
        &ground.step("promote", &header),
        41,
        "rolled_back_unhealthy",
    );
    killed(ground);
    ground.seen.end_log();
    ground.remove_candidate();
    let image = ground.images[0].name.clone();
    let plain = words(&["--replace", "--image", &image]);
    ok(&ground.step("start-candidate", &plain));
    ok(&ground.step("probe-health", &[]));
    // It passes on what the heir has reported, with the log in it.
    ground.seen.begin_log();
    ok(&ground.step("promote", &[]));
    ground.seen.end_log();
    let gone = failed(
        &ground.step("start-candidate", &words(&["--previous"])),
        27,
        "values_gone",
    );
    let missing = gone["missing"].as_array().unwrap();
    assert!(missing.iter().any(|name| *name == "TOKEN_0"), "{gone}");
    docker(["rm", "-f", ground.app.name()]).unwrap();
}
