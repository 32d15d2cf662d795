//! A live release and a proven candidate, and what can go wrong with them.

use std::fs;
use std::net::TcpListener;
use std::process::Stdio;

use stage::docker::docker;
use stage::image::Built;
use stage::steps::{Run, run};
use tempfile::TempDir;

use crate::bridge::modes::unprivileged;
use crate::support::{App, Fault, by_hand, eventually, failed, free_port, ok, text};

pub(super) struct Scene {
    app: App,
    v1: Built,
    v2: Built,
    live: String,
    /// What probe-health said of the candidate.
    probed: String,
    folder: TempDir,
    /// A second port, which the candidate alone publishes.
    more: u16,
}

/// Whether a text is another one than was expected.
pub(super) trait Unlike {
    fn unlike(&self, expected: &str) -> bool;
}

impl Unlike for String {
    fn unlike(&self, expected: &str) -> bool {
        match expected.strip_suffix('…') {
            Some(start) => !self.starts_with(start),
            None => self != expected,
        }
    }
}

impl Scene {
    pub(super) fn new() -> Scene {
        let (app, folder) = (App::new("told"), tempfile::tempdir().unwrap());
        let v1 = app.build("v1");
        let v2 = app.image("v2").env("SICK_FILE", "/flags/sick");
        let v2 = app.tagged(&v2, "v2");
        app.deploy(&v1, &[]);
        let mut scene = Scene {
            live: app.id(""),
            app,
            v1,
            v2,
            probed: String::new(),
            folder,
            more: free_port(),
        };
        scene.label("first");
        scene.probed = scene.candidate();
        scene
    }

    /// Starts a candidate of v2 and proves it.
    fn candidate(&self) -> String {
        let at = self.folder.path().display();
        let (publish, more) = (
            format!("{}:8080", self.app.port),
            format!("{}:9090", self.more),
        );
        let (mount, file) = (format!("{at}:/flags:ro"), format!("{at}/labels"));
        let flags = [
            "--image",
            &self.v2.name,
            "--publish",
            &publish,
            "--publish",
            &more,
        ];
        let options = ["--", "-v", &mount, "--label-file", &file];
        ok(&self
            .app
            .step("start-candidate", &[&flags[..], &options].concat()));
        self.app.prove_candidate()
    }

    fn label(&self, tier: &str) {
        self.write("labels", &format!("tier={tier}\n"));
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.folder.path().join(name), text).unwrap();
    }

    fn well_again(&self) {
        fs::remove_file(self.folder.path().join("sick")).unwrap();
    }

    /// Message and hint of a failure, with what differs from run to run by other names.
    pub(super) fn error(&self, run: &Run, code: i32, kind: &str) -> [String; 2] {
        let error = &failed(run, code, kind)["error"];
        let names = [
            (self.more.to_string(), "MORE"),
            (self.app.port.to_string(), "PORT"),
            (self.app.name().to_owned(), "web"),
        ];
        ["message", "hint"].map(|key| {
            let said = text(&error[key]).to_owned();
            names
                .iter()
                .fold(said, |said, (is, name)| said.replace(is, name))
        })
    }

    pub(super) fn assert_untouched(&self) {
        self.app.assert_untouched(&self.live, &self.v1);
    }

    pub(super) fn assert_replaced(&self) {
        self.app.assert_live(&self.v2);
    }

    pub(super) fn sick_by_now(&self) -> Run {
        self.write("sick", "");
        let run = self.app.promote(&[]);
        self.well_again();
        run
    }

    pub(super) fn with_a_report_of_another(&self) -> Run {
        let of_live = self.probed.replace(&self.app.id("-new"), &self.live);
        run(
            self.app.command("promote", &["--from", "-"]),
            Some(&of_live),
        )
        .unwrap()
    }

    pub(super) fn port_of_a_process(&self) -> Run {
        let _listener = TcpListener::bind(("0.0.0.0", self.more)).unwrap();
        self.app.promote(&[])
    }

    pub(super) fn port_of_a_container(&self) -> Run {
        let other = format!("other-of-{}", self.app.name());
        self.app.scope.also_container(&other);
        let publish = format!("{}:8080", self.more);
        docker(["run", "-d", "--name", &other, "-p", &publish, &self.v1.name]).unwrap();
        let run = self.app.promote(&[]);
        docker(["rm", "-f", &other]).unwrap();
        run
    }

    pub(super) fn without_the_right(&self) -> Run {
        run(unprivileged(&self.app, &["--bridge", "require"]), None).unwrap()
    }

    pub(super) fn without_a_port(&self) -> Run {
        let app = App::new("portless");
        let image = app.build("v1");
        docker(["run", "-d", "--name", app.name(), &image.name]).unwrap();
        ok(&app.step("start-candidate", &["--image", &image.name]));
        app.prove_candidate();
        let run = app.promote(&["--bridge", "require"]);
        assert_eq!(app.present(), ["", "-new"]);
        run
    }

    pub(super) fn with_another_label(&self) -> Run {
        self.label("second");
        let run = self.app.promote(&[]);
        self.label("first");
        run
    }

    pub(super) fn ended(&self) -> Run {
        docker(["kill", &self.app.scope.candidate()]).unwrap();
        let run = self.app.promote(&[]);
        docker(["rm", "-f", &self.app.scope.candidate()]).unwrap();
        run
    }

    pub(super) fn with_a_stranger(&self) -> Run {
        let name = self.app.scope.candidate();
        let id = docker(["run", "-d", "--name", &name, &self.v1.name]).unwrap();
        let run = self.app.promote(&[]);
        assert!(run.stderr.contains(&id), "{run:?}");
        docker(["rm", "-f", &id]).unwrap();
        run
    }

    pub(super) fn without_a_candidate(&self) -> Run {
        self.app.promote(&[])
    }

    pub(super) fn name_taken_meanwhile(&self) -> Run {
        let next = format!("{}-next", self.app.name());
        let in_the_way = format!("docker create --name {next} {} || true", self.v1.name);
        let run = self
            .app
            .promote_with(Fault::Before("create", &in_the_way), &[]);
        failed(&self.app.promote(&[]), 9, "name_taken");
        docker(["rm", &next]).unwrap();
        run
    }

    pub(super) fn sick_as_the_final_one(&self) -> Run {
        let sick = format!("touch {}/sick", self.folder.path().display());
        let run = self
            .app
            .promote_with(Fault::Before("start", &sick), &["--within", "1s"]);
        self.well_again();
        run
    }

    pub(super) fn robbed_of_its_port(&self) -> Run {
        let thief = format!("thief-of-{}", self.app.name());
        self.app.scope.also_container(&thief);
        let (port, image) = (self.app.port, &self.v1.name);
        let steal = format!("docker run -d --name {thief} -p {port}:8080 {image} || true");
        let run = self.app.promote_with(Fault::Before("start", &steal), &[]);
        docker(["rm", "-f", &thief]).unwrap();
        by_hand(&run.json().unwrap());
        assert_eq!(self.app.present(), ["", "-new"]);
        run
    }

    pub(super) fn with_a_gap(&self) -> Run {
        let run = self.app.promote(&["--bridge", "off", "--max-gap", "1ms"]);
        let swap = &run.json().unwrap()["swap"];
        assert!(swap["longest_gap_ms"].as_u64() > Some(1), "{run:?}");
        run
    }

    pub(super) fn beside_another_promotion(&self) -> Run {
        self.candidate();
        let at = self.folder.path().display();
        let wait = format!("touch {at}/there; until [ -e {at}/go ]; do sleep 0.05; done");
        let mut first = self.app.faulty_promote(Fault::Before("rename", &wait), &[]);
        let first = first.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let mut first = first.unwrap();
        eventually("the first promotion is under way", || {
            self.folder.path().join("there").exists()
        });
        let run = self.app.promote(&[]);
        let start = ["--image", &self.v2.name, "--replace"];
        failed(
            &self.app.step("start-candidate", &start),
            25,
            "promotion_unfinished",
        );
        self.write("go", "");
        assert!(first.wait().unwrap().success());
        run
    }
}
