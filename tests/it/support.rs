//! One app on the stage: its images, its port, the steps as its tests call them, and what the engine has of it.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::Command;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::Value;
use stage::cargo;
use stage::docker::{Scope, docker, inspect};
use stage::ground::{Cgroup, ENGINE, on_machine, on_podman, patience};
use stage::image::{Built, Image};
use stage::process::{Run, run_within};
use stage::steps::{run, step};

/// One app with a host port of its own.
pub(crate) struct App {
    pub(crate) scope: Scope,
    pub(crate) port: u16,
}

/// A search path on which nft fails as `faulty-docker` does, for as long as the folder is there.
pub(crate) fn path_with_faulty_nft() -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let shim = cargo::steps().unwrap().join("faulty-docker");
    std::os::unix::fs::symlink(shim, folder.path().join("nft")).unwrap();
    let rest = std::env::var("PATH").unwrap();
    let path = format!("{}:{rest}", folder.path().display());
    (folder, path)
}

/// The call by which a proven container gets its restart policy; podman is asked before, with `no`, whether it can.
pub(crate) const PROVEN: &str = "update --restart always";

/// What happens at one of the engine's calls.
#[derive(Clone, Copy)]
pub(crate) enum Fault<'a> {
    /// At the call, the script.
    Before(&'a str, &'a str),
    /// At the call, the script.
    After(&'a str, &'a str),
}

impl App {
    pub(crate) fn new(prefix: &str) -> App {
        App {
            scope: Scope::new(prefix),
            port: free_port(),
        }
    }

    pub(crate) fn name(&self) -> &str {
        self.scope.app()
    }

    /// `127.0.0.1` and the port.
    pub(crate) fn addr(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))
    }

    /// An image of this app that answers `version`.
    pub(crate) fn image(&self, version: &str) -> Image {
        Image::of(self.name()).version(version)
    }

    /// The same, built as `<app>:<version>`.
    pub(crate) fn build(&self, version: &str) -> Built {
        self.tagged(&self.image(version), version)
    }

    /// `image`, built as `<app>:<version>`.
    pub(crate) fn tagged(&self, image: &Image, version: &str) -> Built {
        let name = format!("{}:{version}", self.name());
        image.build(&name).unwrap()
    }

    /// The command of a step for this app.
    pub(crate) fn command(&self, name: &str, flags: &[&str]) -> Command {
        let mut command = step(name).unwrap();
        command.args(["--app", self.name()]).args(flags);
        command
    }

    /// Runs a step for this app.
    pub(crate) fn step(&self, name: &str, flags: &[&str]) -> Run {
        run(self.command(name, flags), None).unwrap()
    }

    pub(crate) fn promote(&self, flags: &[&str]) -> Run {
        self.step("promote", flags)
    }

    /// Promotes with something that happens in between.
    pub(crate) fn promote_with(&self, fault: Fault<'_>, flags: &[&str]) -> Run {
        run(self.faulty_promote(fault, flags), None).unwrap()
    }

    /// The command of [`App::promote_with`].
    pub(crate) fn faulty_promote(&self, fault: Fault<'_>, flags: &[&str]) -> Command {
        self.faulty("promote", fault, flags)
    }

    /// The command of a step with something that happens in between.
    pub(crate) fn faulty(&self, step: &str, fault: Fault<'_>, flags: &[&str]) -> Command {
        let docker = cargo::steps().unwrap().join("faulty-docker");
        let (when, at, script) = match fault {
            Fault::Before(at, script) => ("DEPLOY_STEPS_FAULT_BEFORE", at, script),
            Fault::After(at, script) => ("DEPLOY_STEPS_FAULT_AFTER", at, script),
        };
        let mut command = self.command(step, &[]);
        command.arg("--docker").arg(docker).args(flags);
        command.env("DEPLOY_STEPS_FAULT_AT", at).env(when, script);
        // Who is killed is not succeeded: what is tested is what the next command makes of it.
        command.env("DEPLOY_STEPS_HEIR", "2");
        command
    }

    /// Starts a candidate on this app's port, with run options.
    pub(crate) fn start(&self, image: &Built, options: &[&str]) -> Value {
        let publish = format!("{}:8080", self.port);
        let flags = ["--image", &image.name, "--publish", &publish, "--"];
        ok(&self.step("start-candidate", &[&flags, options].concat()))
    }

    /// Starts a candidate and proves it; returns the last report as it was written.
    pub(crate) fn candidate(&self, image: &Built, options: &[&str]) -> String {
        self.start(image, options);
        self.prove_candidate()
    }

    /// The same at these ports, with flags of `start-candidate`.
    pub(crate) fn candidate_at(
        &self,
        image: &Built,
        publish: &[String],
        flags: &[&str],
        options: &[&str],
    ) {
        let ports = publish.iter().flat_map(|it| ["--publish", it]);
        let ports: Vec<&str> = ports.collect();
        let words = [
            &["--image", &image.name],
            &ports[..],
            flags,
            &["--"],
            options,
        ];
        ok(&self.step("start-candidate", &words.concat()));
        self.prove_candidate();
    }

    pub(crate) fn prove_candidate(&self) -> String {
        let probed = self.step("probe-health", &[]);
        ok(&probed);
        probed.stdout
    }

    /// Puts a release live; returns promote's report.
    pub(crate) fn deploy(&self, image: &Built, options: &[&str]) -> Value {
        self.candidate(image, options);
        ok(&self.promote(&[]))
    }

    /// The container of this app whose name ends in `end` (`""`, `-new`, `-old`, `-next`).
    pub(crate) fn container(&self, end: &str) -> Option<Value> {
        inspect(&format!("{}{end}", self.name())).unwrap()
    }

    /// The full id of such a container.
    pub(crate) fn id(&self, end: &str) -> String {
        let found = self.container(end);
        let found = found.unwrap_or_else(|| panic!("there is no {}{end}", self.name()));
        text(&found["Id"]).to_owned()
    }

    /// Which of the four containers exist, by the ends of their names.
    pub(crate) fn present(&self) -> Vec<&'static str> {
        let ends = ["", "-new", "-old", "-next"];
        ends.into_iter()
            .filter(|end| self.container(end).is_some())
            .collect()
    }

    /// The body of `/` on the app's port.
    pub(crate) fn answer(&self) -> String {
        get(self.addr(), "/").unwrap_or_else(|error| format!("no answer: {error}"))
    }

    /// `image` is live, answers on the app's port, is restarted always, and nothing is left over.
    pub(crate) fn assert_live(&self, image: &Built) {
        let live = self.container("").expect("nothing is live");
        assert_eq!(live["Image"], image.id.as_str());
        assert_eq!(live["State"]["Running"], true);
        assert_eq!(live["HostConfig"]["RestartPolicy"]["Name"], "always");
        assert_eq!(self.answer(), version(image));
        assert_eq!(self.present(), [""]);
    }

    /// The container with this id is live under the app's name and answers as `image` does.
    pub(crate) fn assert_untouched(&self, id: &str, image: &Built) {
        let live = self.container("").expect("nothing is live");
        assert_eq!(live["Id"], id);
        assert_eq!(live["State"]["Running"], true);
        assert_eq!(self.answer(), version(image));
    }
}

fn version(image: &Built) -> &str {
    image.name.rsplit(':').next().unwrap_or_default()
}

/// The report of a step that must have succeeded.
pub(crate) fn ok(run: &Run) -> Value {
    assert_eq!(run.code, 0, "{run:?}");
    let report = run.json().unwrap();
    assert_eq!(report["ok"], true, "{run:?}");
    report
}

/// The report of a step that must have failed in exactly this way, and said so to people as well.
pub(crate) fn failed(run: &Run, code: i32, kind: &str) -> Value {
    assert_eq!(run.code, code, "{run:?}");
    let report = run.json().unwrap();
    let error = &report["error"];
    assert_eq!(report["ok"], false, "{run:?}");
    assert_eq!(error["code"], code, "{run:?}");
    assert_eq!(error["kind"], kind, "{run:?}");
    for said in [text(&error["message"]), text(&error["hint"])] {
        assert!(!said.is_empty() && run.stderr.contains(said), "{run:?}");
    }
    report
}

/// Does what the report says is to be done by hand.
pub(crate) fn by_hand(report: &Value) {
    let hint = text(&report["error"]["hint"]);
    let by_hand = hint.split_once("by hand: ").expect(hint).1;
    let mut sh = Command::new("sh");
    sh.args(["-c", by_hand]);
    let done = run(sh, None).unwrap();
    assert_eq!(done.code, 0, "{by_hand}: {done:?}");
}

/// A JSON string.
pub(crate) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// For those who start a `dockerd` beside the stage's engine: on podman's stage `docker` is podman, and knows no other.
pub(crate) fn asks_docker() {
    assert!(
        !on_podman(),
        "a dockerd of its own is asked by docker's own CLI: run this test on docker"
    );
}

/// Runs a test of this program, by these words for it, on a stage of its own that is started with these flags.
pub(crate) fn on_a_stage_of_its_own(flags: &[&str], test: &[&str]) {
    let mut stage = step("xtask").unwrap();
    stage.arg("stage").args(flags).arg("--");
    stage.arg(std::env::current_exe().unwrap());
    stage.args(["--nocapture", "--exact"]).args(test);
    let ran = run_within(&mut stage, None, Duration::from_secs(900)).unwrap();
    assert!(
        ran.code == 0 && ran.stdout.contains("1 passed"),
        "{}\n{}",
        ran.stdout,
        ran.stderr
    );
}

/// For tests that need memory limits, which cgroup v2 lacks where version 1 has the controllers: runs the test on a stage
/// with version 1 instead, and says so.
pub(crate) fn has_run_where_limits_are() -> bool {
    if Cgroup::limits_memory() {
        return false;
    }
    let test = std::thread::current().name().unwrap().to_owned();
    let engine = std::env::var(ENGINE).unwrap_or_default();
    // A machine's own engine is the installed one there.
    let is_named = |name: &&str| !name.is_empty() && !on_machine();
    let engine = engine.split(' ').next().filter(is_named);
    let flags = ["--cgroup", "v1", "--engine", engine.unwrap_or("docker")];
    on_a_stage_of_its_own(&flags, &[&test]);
    true
}

/// Has the command look for its engine at `host`, docker by one variable and podman by the other.
pub(crate) fn engine_at<'a>(command: &'a mut Command, host: &str) -> &'a mut Command {
    command.env("DOCKER_HOST", host).env("CONTAINER_HOST", host)
}

/// The body of a good answer.
pub(crate) fn get(addr: SocketAddr, path: &str) -> anyhow::Result<String> {
    let config = ureq::Agent::config_builder()
        .proxy(None)
        .timeout_global(Some(Duration::from_secs(10)));
    let agent = ureq::Agent::new_with_config(config.build());
    let mut answer = agent.get(format!("http://{addr}{path}")).call()?;
    Ok(answer.body_mut().read_to_string()?)
}

/// Waits until `is` says so, at most a minute.
pub(crate) fn eventually(what: &str, is: impl Fn() -> bool) {
    let end = Instant::now() + patience(Duration::from_secs(60));
    while !is() {
        assert!(
            Instant::now() < end,
            "in a minute not: {what}; the engine has\n{}",
            everything()
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// All containers, and why the engine could not start them.
fn everything() -> String {
    let ids = docker(["ps", "-aq"]).unwrap_or_default();
    let shown = "{{.Name}} {{.State.Status}} {{.State.Error}} {{.HostConfig.RestartPolicy.Name}}";
    let words = ["inspect", "-f", shown].into_iter().chain(ids.lines());
    docker(words).unwrap_or_else(|error| error.to_string())
}

/// A port of the host that nobody has. Below the range from which the kernel and the engine
/// choose theirs, or one of them might take it before the test does.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = 20_000 + (std::process::id() % 10_000) as u16;
    loop {
        let port = first + NEXT.fetch_add(1, Ordering::Relaxed);
        if TcpListener::bind(("0.0.0.0", port)).is_ok() {
            return port;
        }
    }
}

/// Where a test's seeds begin: at `FIRST_SEED`, to see a run again, else anywhere.
pub(crate) fn first_seed() -> u64 {
    let given = std::env::var("FIRST_SEED").ok();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    given.map_or(now.as_secs() % 1_000_000 * 1_000, |seed| {
        seed.parse().unwrap()
    })
}
