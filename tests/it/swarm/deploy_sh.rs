//! The whole pipeline by the script for the VM, and by xtask, on a manager where the package is installed.

use std::os::unix::fs::symlink;

use serde_json::Value;
use stage::cargo::{self, STEPS};
use stage::steps::{Run, run};
use tempfile::TempDir;

use super::machine::Front;
use super::{Sea, lacks_swarm, program};
use crate::docs;
use crate::support::ok;
use crate::vm::Vm;

/// The manager as its administrator has set it up.
struct Manager<'a> {
    sea: &'a Sea,
    vm: Vm,
    steps: TempDir,
}

impl Manager<'_> {
    fn of(sea: &Sea) -> Manager<'_> {
        let vm = Vm::of(&sea.app, sea.swarm.registry());
        let conf = docs::only(docs::SWARM, "conf", "each --swarm");
        let conf = conf
            .replace("=web", &format!("={}", sea.network()))
            .replace("/etc/web.env", &format!("/etc/{}.env", sea.name()));
        let conf = format!("{conf}promote --monitor=1s\n");
        vm.write(&format!("deploy-steps/{}.conf", sea.name()), 0o644, &conf);
        let steps = installed_everywhere(sea);
        Manager { sea, vm, steps }
    }

    /// Runs it there, with `DEPLOY_STEPS_SWARM` if that is what says so.
    fn run(&self, argv: &[&str], by_environment: bool) -> Run {
        let mut command = self.vm.command(argv);
        let host = self.sea.swarm.host(0);
        command
            .env("SOCKET", host.trim_start_matches("unix://"))
            .env("STEPS", self.steps.path());
        if by_environment {
            command.env("DEPLOY_STEPS_SWARM", "1");
        }
        run(command, None).unwrap()
    }

    fn deploy(&self, image: &str) -> Run {
        self.run(&["deploy.sh", self.sea.name(), "deploy", image], false)
    }

    /// The candidate was refused by `probe-health`, and went.
    fn assert_fallen_back(&self, run: &Run) {
        assert_eq!(run.code, 32, "{run:?}");
        let report = run.json().unwrap();
        assert_eq!(report["failed_step"], "probe-health", "{report}");
        assert_eq!(report["fallback"]["ok"], true, "{report}");
        let removed = [self.sea.app.scope.candidate()];
        let said = &report["fallback"]["containers_removed"];
        assert_eq!(said, &serde_json::json!(removed), "{report}");
        let nodes = report["fallback"]["nodes"].as_array();
        assert_eq!(nodes.map(Vec::len), Some(2), "{report}");
    }

    fn history(&self) -> Vec<Value> {
        let log = format!("deploy-steps/{}.jsonl", self.sea.name());
        let lines = self.vm.log(&log);
        let lines = lines
            .lines()
            .map(|line| serde_json::from_str(line).unwrap());
        lines.collect()
    }
}

/// Those that run on nodes at their place there, as the package puts them; the folder that the manager has all from.
fn installed_everywhere(sea: &Sea) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for step in STEPS {
        symlink(program(step), folder.path().join(step)).unwrap();
    }
    let from = folder.path().display();
    let probe = format!("{from}/probe-health");
    let install = ["cp", "-L", &probe, "/usr/local/sbin/"];
    sea.swarm.everywhere(&install).unwrap();
    folder
}

#[test]
fn deploy_sh_on_a_swarm_brings_releases_and_falls_back_from_a_sick_one() {
    if lacks_swarm() {
        return;
    }
    let sea = Sea::new("deploy-sh");
    let at = Manager::of(&sea);
    let v1 = sea.push(&sea.image("v1"), "v1");
    let first = ok(&at.deploy(&v1));
    assert_eq!(first["steps"].as_array().map(Vec::len), Some(5), "{first}");
    sea.assert_live(&v1);
    let front = Front::start(&sea, &v1);

    let v2 = sea.push(&sea.image("v2"), "v2");
    front.unnoticed("deploy.sh", &["v1", "v2"], || ok(&at.deploy(&v2)));
    sea.assert_live(&v2);
    let sick = sea.push(&sea.image("v3").env("SICK", "1"), "v3");
    front.unnoticed("deploy.sh and a sick release", &["v2"], || {
        at.assert_fallen_back(&at.deploy(&sick));
    });
    sea.assert_live(&v2);

    let program = cargo::steps().unwrap().join("xtask");
    let xtask = [program.to_str().unwrap(), "deploy", "--app"];
    let from = [
        "--set=each --swarm",
        "--steps=/usr/local/sbin",
        "--replace",
        &sick,
    ];
    let xtask = [&xtask[..], &[sea.name()], &from].concat();
    at.assert_fallen_back(&at.run(&xtask, false));
    sea.assert_live(&v2);

    at.vm.reconfigure("each --swarm\n", "");
    ok(&at.run(&["deploy.sh", sea.name(), "status"], true));
    front.unnoticed("deploy.sh and back", &["v2", "v1"], || {
        ok(&at.run(&["deploy.sh", sea.name(), "rollback"], true));
    });
    sea.assert_live(&v1);
    let codes = at.history();
    let codes: Vec<&Value> = codes.iter().map(|it| &it["exit_code"]).collect();
    assert_eq!(codes, [0, 0, 32, 0]);
}
