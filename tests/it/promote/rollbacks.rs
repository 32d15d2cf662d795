//! Swaps that go wrong halfway: the very same old container serves again, or a person is told what to run.

use std::fs;
use std::path::Path;

use serde_json::Value;
use stage::docker::docker;
use stage::ground::on_rootless;
use stage::image::Built;
use stage::load::Load;
use tempfile::TempDir;

use crate::bridge::has_bridge;
use crate::support::{App, Fault, PROVEN, failed, free_port, ok, text};

/// A live v1, and a proven candidate v2 that sees a folder of the host.
pub(super) struct Stage {
    pub(super) app: App,
    pub(super) v1: Built,
    pub(super) v2: Built,
    pub(super) live: String,
    flags: TempDir,
}

impl Stage {
    fn new(prefix: &str, switch: &str) -> Stage {
        Stage::with_old(prefix, switch, &[])
    }

    fn with_old(prefix: &str, switch: &str, of_old: &[&str]) -> Stage {
        Stage::of(App::new(prefix), switch, of_old)
    }

    pub(super) fn of(app: App, switch: &str, of_old: &[&str]) -> Stage {
        let flags = tempfile::tempdir().unwrap();
        let v1 = app.build("v1");
        let v2 = app.tagged(&app.image("v2").env(switch, "/flags/on"), "v2");
        app.deploy(&v1, of_old);
        let live = app.id("");
        let mount = format!("{}:/flags:ro", flags.path().display());
        app.candidate(&v2, &["-v", &mount]);
        Stage {
            app,
            v1,
            v2,
            live,
            flags,
        }
    }

    pub(super) fn path(&self) -> &Path {
        self.flags.path()
    }

    fn switch_on(&self) -> String {
        format!("touch {}/on", self.path().display())
    }

    /// The old one serves as before, the candidate is still there, and nothing else.
    pub(super) fn assert_rolled_back(&self, report: &Value) {
        assert_eq!(report["rolled_back_to"], self.app.name());
        let message = text(&report["error"]["message"]);
        assert!(message.contains("rolled back"), "{message}");
        self.app.assert_untouched(&self.live, &self.v1);
        assert_eq!(self.app.present(), ["", "-new"]);
        let live = self.app.container("").unwrap();
        assert_eq!(live["HostConfig"]["RestartPolicy"]["Name"], "always");
        // A port that the live one does not have is not watched.
        let swap = &report["swap"];
        let has_moved = text(&swap["bridge_off_because"]).starts_with("nobody calls");
        assert_eq!(swap["probes"].as_u64() == Some(0), has_moved, "{report}");
    }
}

#[test]
fn a_new_container_that_is_not_healthy_is_rolled_back() {
    let stage = Stage::new("unwell", "SICK_FILE");
    let fault = Fault::Before("start", &stage.switch_on());
    let run = stage.app.promote_with(fault, &["--within", "2s"]);
    let report = failed(&run, 41, "rolled_back_unhealthy");
    stage.assert_rolled_back(&report);
    let looks = report["last_attempts"].to_string();
    assert!(looks.contains("503"), "{looks}");
    assert!(report["log"].to_string().contains("listens on"), "{report}");

    // The same candidate, well again, may have another try.
    fs::remove_file(stage.path().join("on")).unwrap();
    ok(&stage.app.promote(&[]));
    stage.app.assert_live(&stage.v2);
}

/// What a firewall does that is closed to this port, until dropped.
struct Closed(String);

impl Closed {
    /// The script that closes it.
    fn script(&self, port: u16) -> String {
        let Closed(table) = self;
        let chain = "{ type filter hook output priority -300; }";
        format!(
            "nft 'add table inet {table}; add chain inet {table} output {chain}; \
             add rule inet {table} output tcp dport {port} reject with tcp reset'"
        )
    }
}

impl Drop for Closed {
    fn drop(&mut self) {
        let mut nft = std::process::Command::new("nft");
        let _ = nft.args(["delete", "table", "inet", &self.0]).status();
    }
}

#[test]
fn a_new_container_that_is_healthy_but_not_through_its_port_is_rolled_back() {
    let stage = Stage::new("shut", "SICK_FILE");
    let closed = Closed(format!("closed-{}", stage.app.name()));
    let close = closed.script(stage.app.port);
    let run = stage.app.promote_with(Fault::After("start", &close), &[]);
    drop(closed);
    if on_rootless() {
        // Neither has another way to be proven than the port that is closed.
        let report = failed(&run, 43, "rollback_failed");
        let message = text(&report["error"]["message"]);
        assert!(message.contains("was not healthy"), "{message}");
        assert_eq!(stage.app.answer(), "v1");
        return;
    }
    let report = failed(&run, 41, "rolled_back_unhealthy");
    let message = text(&report["error"]["message"]);
    assert!(message.contains("not through the host port"), "{message}");
    stage.assert_rolled_back(&report);
}

#[test]
fn a_new_container_that_crashes_is_rolled_back() {
    let stage = Stage::new("crashes", "CRASH_FILE");
    let fault = Fault::Before("start", &stage.switch_on());
    let report = failed(
        &stage.app.promote_with(fault, &[]),
        41,
        "rolled_back_unhealthy",
    );
    stage.assert_rolled_back(&report);
    assert_eq!(report["crash"]["exit_code"], 5);
    assert!(report["log"].to_string().contains("by a file"), "{report}");
}

#[test]
fn a_new_container_that_cannot_be_started_is_rolled_back() {
    let app = App::new("stuck");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("settings");
    fs::write(&file, "").unwrap();
    let (v1, v2) = (app.build("v1"), app.build("v2"));
    app.deploy(&v1, &[]);
    let live = app.id("");
    let mount = format!("type=bind,src={},dst=/settings,readonly", file.display());
    app.candidate(&v2, &["--mount", &mount]);
    let vanish = format!("rm -f {}", file.display());
    let run = app.promote_with(Fault::Before("start", &vanish), &[]);
    let report = failed(&run, 42, "rolled_back_not_started");
    let message = text(&report["error"]["message"]);
    // Docker's words, and those of podman's runtime.
    let missing = ["does not exist", "No such file"];
    assert!(missing.iter().any(|it| message.contains(it)), "{message}");
    assert_eq!(report["rolled_back_to"], app.name());
    app.assert_untouched(&live, &v1);
    assert_eq!(app.present(), ["", "-new"]);
}

#[test]
fn a_new_container_that_cannot_even_be_created_leaves_the_live_one_alone() {
    let app = App::new("uncreated");
    let (v1, v2) = (app.build("v1"), app.build("v2"));
    app.deploy(&v1, &[]);
    let live = app.id("");
    app.candidate(&v2, &[]);
    let next = format!("{}-next", app.name());
    let in_the_way = format!("docker create --name {next} {}", v1.name);
    let run = app.promote_with(Fault::Before("create", &in_the_way), &[]);
    let report = failed(&run, 42, "rolled_back_not_started");
    let message = text(&report["error"]["message"]);
    assert!(
        message.contains("no live container was touched"),
        "{message}"
    );
    app.assert_untouched(&live, &v1);
    failed(&app.promote(&[]), 9, "name_taken");
    docker(["rm", &next]).unwrap();
    ok(&app.promote(&[]));
    app.assert_live(&v2);
}

#[test]
fn another_port_that_is_taken_at_the_last_moment_is_rolled_back() {
    let stage = Stage::new("late", "SICK_FILE");
    let (app, port) = (&stage.app, free_port());
    docker(["rm", "-f", &app.scope.candidate()]).unwrap();
    let publish = format!("{port}:8080");
    let flags = ["--image", &stage.v2.name, "--publish", &publish];
    ok(&app.step("start-candidate", &flags));
    app.prove_candidate();
    let thief = format!("thief-of-{}", app.name());
    app.scope.also_container(&thief);
    let steal = format!(
        "docker run -d --name {thief} -p {publish} {} || true",
        stage.v1.name
    );
    let run = app.promote_with(Fault::Before("start", &steal), &[]);
    let report = failed(&run, 46, "port_taken");
    stage.assert_rolled_back(&report);
    let message = text(&report["error"]["message"]);
    assert!(
        message.contains(&format!("the container {thief}")),
        "{message}"
    );
}

#[test]
fn an_old_container_that_cannot_come_back_is_43_and_a_later_promotion_carries_on() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("settings");
    fs::write(&file, "").unwrap();
    let mount = format!("type=bind,src={},dst=/settings,readonly", file.display());
    let stage = Stage::with_old("lost", "SICK_FILE", &["--mount", &mount]);
    let app = &stage.app;
    let both = format!("rm -f {} && {}", file.display(), stage.switch_on());
    let run = app.promote_with(Fault::Before("start", &both), &["--within", "1s"]);
    let report = failed(&run, 43, "rollback_failed");
    let hint = text(&report["error"]["hint"]);
    for said in ["promote again", "docker start", "docker rename"] {
        assert!(hint.contains(said), "{hint}");
    }
    assert!(report.get("rolled_back_to").is_none(), "{report}");
    assert_eq!(app.id("-old"), stage.live);
    assert_eq!(app.present(), ["-new", "-old"]);
    let refused = app.step("start-candidate", &["--image", &stage.v2.name]);
    failed(&refused, 25, "promotion_unfinished");

    fs::remove_file(stage.path().join("on")).unwrap();
    let report = ok(&app.promote(&[]));
    assert_eq!(report["carried_on"], true);
    assert_eq!(report["replaced"]["image_id"], stage.v1.id.as_str());
    app.assert_live(&stage.v2);
}

#[test]
fn an_old_container_that_was_sick_before_need_not_be_healthy_after_a_rollback() {
    let app = App::new("both-sick");
    let flags = tempfile::tempdir().unwrap();
    let v1 = app.tagged(&app.image("v1").env("SICK_AFTER_MS", "6000"), "v1");
    let v2 = app.tagged(&app.image("v2").env("CRASH_FILE", "/flags/on"), "v2");
    app.deploy(&v1, &[]);
    let live = app.id("");
    let mount = format!("{}:/flags:ro", flags.path().display());
    app.candidate(&v2, &["-v", &mount]);
    crate::support::eventually("v1 is sick", || {
        crate::support::get(app.addr(), "/health").is_err()
    });
    let crash = format!("touch {}/on", flags.path().display());
    let run = app.promote_with(Fault::Before("start", &crash), &[]);
    failed(&run, 41, "rolled_back_unhealthy");
    app.assert_untouched(&live, &v1);
}

#[test]
fn a_live_container_that_was_down_is_not_said_to_serve_after_a_rollback() {
    let app = App::new("was-down");
    let network = format!("{}-net", app.name());
    docker(["network", "create", &network]).unwrap();
    app.scope.at_end(["network", "rm", &network]);
    let (v1, v2) = (app.build("v1"), app.build("v2"));
    app.deploy(&v1, &["--network", &network]);
    let live = app.id("");
    docker(["stop", app.name()]).unwrap();
    docker(["network", "rm", &network]).unwrap();
    app.candidate(&v2, &[]);
    let report = failed(&app.promote(&[]), 42, "rolled_back_not_started");
    let error = &report["error"];
    let message = text(&error["message"]);
    assert!(message.ends_with("is down as before"), "{message}");
    let hint = text(&error["hint"]);
    assert!(
        hint.contains("network create") && hint.contains("--network"),
        "{hint}"
    );
    assert!(report.get("rolled_back_to").is_none(), "{report}");
    assert_eq!(app.id(""), live);
    assert_eq!(app.present(), ["", "-new"]);
    docker(["network", "create", &network]).unwrap();
    ok(&app.promote(&[]));
    app.assert_live(&v2);
}

#[test]
fn a_failed_first_deployment_leaves_nothing_under_the_apps_name() {
    let app = App::new("first-fails");
    let flags = tempfile::tempdir().unwrap();
    let v1 = app.tagged(&app.image("v1").env("CRASH_FILE", "/flags/on"), "v1");
    let mount = format!("{}:/flags:ro", flags.path().display());
    app.candidate(&v1, &["-v", &mount]);
    let crash = format!("touch {}/on", flags.path().display());
    let run = app.promote_with(Fault::Before("start", &crash), &[]);
    let report = failed(&run, 41, "rolled_back_unhealthy");
    assert!(report.get("rolled_back_to").is_none(), "{report}");
    assert_eq!(app.present(), ["-new"]);
}

#[test]
fn a_new_container_that_falls_sick_while_it_settles_is_rolled_back_without_a_failed_request() {
    let app = App::new("settle");
    let folder = tempfile::tempdir().unwrap();
    let bind = format!("{}:/switch:ro", folder.path().display());
    let v1 = app.build("v1");
    let v2 = app.tagged(&app.image("v2").env("SICK_FILE", "/switch/sick"), "v2");
    app.deploy(&v1, &[]);
    let live = app.id("");
    app.candidate(&v2, &["-v", &bind]);
    let load = Load::start(app.addr(), "/", 100);
    // The policy is set when it is proven: a moment later it is sick.
    let script = format!(
        "(sleep 1; touch {}/sick) > /dev/null 2>&1 &",
        folder.path().display()
    );
    let run = app.promote_with(Fault::After(PROVEN, &script), &["--settle", "20s"]);
    let report = failed(&run, 41, "rolled_back_unhealthy");
    let seen = load.stop();
    let none = seen.failed() == 0;
    assert_eq!(none, has_bridge(), "{:?} {report}", seen.kinds());
    assert_eq!(seen.versions(), ["v1", "v2"], "{report}");
    assert_eq!(report["rolled_back_to"], app.name());
    app.assert_untouched(&live, &v1);
}

#[test]
fn a_new_container_that_settles_stays() {
    let app = App::new("settled");
    let (v1, v2) = (app.build("v1"), app.build("v2"));
    app.deploy(&v1, &[]);
    app.candidate(&v2, &[]);
    let report = ok(&app.promote(&["--settle", "1s"]));
    assert!(report["took_ms"].as_u64() >= Some(1000), "{report}");
    app.assert_live(&v2);
}
