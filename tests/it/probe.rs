//! probe-health against real containers: what is healthy, what is not, and what is told at once.

mod crashes;
mod inside;
mod looks;
mod refusals;
mod waiting;

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use serde_json::Value;
use stage::docker::{Scope, docker, inspect};
use stage::ground::on_rootless_docker;
use stage::image::Image;
use stage::marks::Marks;
use stage::steps::{Run, run, step};

/// Starts `image` as the container `name`, detached, the candidate as start-candidate does, and returns the container's id.
fn start_as(name: &str, scope: &Scope, image: &Image, options: &[&str]) -> String {
    let tag = format!("{}:v1", scope.app());
    image.build(&tag).unwrap();
    let mut labels = Vec::new();
    if name == scope.candidate() {
        labels = Marks::candidate(scope.app(), &tag).unwrap().options();
    }
    let labels = labels.iter().map(String::as_str);
    let head = ["run", "-d", "--name", name].into_iter().chain(labels);
    docker(head.chain(options.iter().copied()).chain([tag.as_str()])).unwrap()
}

/// Starts `image` as the candidate, on a loopback port, as start-candidate does.
fn start(scope: &Scope, image: &Image) -> String {
    start_with(scope, image, &[])
}

fn start_with(scope: &Scope, image: &Image, options: &[&str]) -> String {
    let publish = ["-p", "127.0.0.1::8080"];
    let options: Vec<&str> = publish.iter().chain(options).copied().collect();
    start_as(&scope.candidate(), scope, image, &options)
}

/// Options for a container that is to be looked at without a port of the host, where containers have an address here.
fn unpublished() -> &'static [&'static str] {
    if on_rootless_docker() {
        &["-p", "127.0.0.1::8080"]
    } else {
        &[]
    }
}

fn command(scope: &Scope, args: &[&str]) -> Command {
    let mut command = step("probe-health").unwrap();
    command.args(["--app", scope.app()]).args(args);
    command
}

fn probe(scope: &Scope, args: &[&str]) -> Run {
    run(command(scope, args), None).unwrap()
}

/// The report of a probe that must have found the app healthy.
fn healthy(run: &Run) -> Value {
    assert_eq!(run.code, 0, "{run:?}");
    let report = run.json().unwrap();
    assert_eq!(report["ok"], true, "{run:?}");
    assert_eq!(report["step"], "probe-health");
    report
}

/// The report of a probe that must have failed so.
fn failed(run: &Run, code: i32, kind: &str) -> Value {
    assert_eq!(run.code, code, "{run:?}");
    let report = run.json().unwrap();
    assert_eq!(report["ok"], false, "{run:?}");
    assert_eq!(report["error"]["code"], code, "{run:?}");
    assert_eq!(report["error"]["kind"], kind, "{run:?}");
    let message = report["error"]["message"].as_str().unwrap();
    assert!(
        run.stderr.contains(&format!("probe-health: {message}\n")),
        "{run:?}"
    );
    assert!(run.stderr.contains("hint: "), "{run:?}");
    report
}

fn last_saw(report: &Value) -> &str {
    let attempts = report["last_attempts"].as_array().unwrap();
    attempts.last().unwrap()["saw"].as_str().unwrap()
}

/// The container is just as the probe found it: nothing was started, stopped or removed.
fn still_runs(name: &str, id: &str) {
    let found = inspect(name).unwrap().expect("the container is gone");
    assert_eq!(found["Id"], id);
    assert_eq!(found["State"]["Status"], "running");
    assert_eq!(found["RestartCount"], 0);
}

/// Options that give a container of the demo app this machine's programs.
fn with_programs() -> Vec<String> {
    let folders = ["/usr", "/lib", "/lib64", "/bin"];
    let there = folders.iter().filter(|folder| Path::new(folder).exists());
    there
        .map(|folder| format!("--volume={folder}:{folder}:ro"))
        .collect()
}

/// A probe that is under way, past its first sentence on stderr.
struct UnderWay {
    child: Child,
    stderr: JoinHandle<String>,
}

impl UnderWay {
    fn of(mut command: Command) -> Self {
        let piped = command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = piped.stdin(Stdio::null()).spawn().unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut said = String::new();
        while !said.contains("waiting for") {
            assert!(stderr.read_line(&mut said).unwrap() > 0, "{said}");
        }
        // Long enough for looks to be made, on a busy machine as well.
        thread::sleep(Duration::from_millis(1500));
        let stderr = thread::spawn(move || {
            stderr.read_to_string(&mut said).unwrap();
            said
        });
        Self { child, stderr }
    }

    fn end(self) -> Run {
        let out = self.child.wait_with_output().unwrap();
        Run {
            code: stage::process::code_of(out.status),
            stdout: String::from_utf8(out.stdout).unwrap(),
            stderr: self.stderr.join().unwrap(),
        }
    }
}
