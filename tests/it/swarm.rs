//! The five steps on a swarm of three machines, under load through a real proxy that looks names up again.

mod breakdowns;
mod deploy_sh;
mod killed;
mod life;
mod machine;
mod moving;
mod ownership;
mod page;
mod paused;
mod ports;
mod prune;

use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use serde_json::Value;
use stage::cargo;
use stage::ground::{on_podman, on_rootless};
use stage::image::Image;
use stage::process::Run;
use stage::skipped::skip;
use stage::steps::run;
use stage::swarm::Swarm;

use crate::support::{App, ok};

/// The node where the proxy is: neither the manager nor the one that is cut off.
const FRONT: usize = 2;

/// One app on a swarm, which is this test's alone as long as it has it.
pub(crate) struct Sea {
    pub(crate) app: App,
    pub(crate) swarm: Arc<Swarm>,
    _alone: MutexGuard<'static, ()>,
}

/// For tests of a swarm: whether they are skipped. Podman has no swarm, and an engine without root no other machines.
pub(crate) fn lacks_swarm() -> bool {
    let lacks = on_podman() || on_rootless();
    if lacks {
        skip("no swarm: it is in Docker's engine alone, and wants root");
    }
    lacks
}

/// Three machines more are enough for these cores: one test at a time.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The program of a step: the one that runs in containers, too, is linked statically.
fn program(step: &str) -> PathBuf {
    let folder = if step == "probe-health" {
        cargo::static_steps()
    } else {
        cargo::steps()
    };
    folder.unwrap().join(step)
}

/// The swarm of all tests that leave it whole.
fn shared() -> Arc<Swarm> {
    static SHARED: OnceLock<Arc<Swarm>> = OnceLock::new();
    Arc::clone(SHARED.get_or_init(|| Arc::new(Swarm::start(99).unwrap())))
}

impl Sea {
    pub(crate) fn new(prefix: &str) -> Sea {
        let alone = alone();
        Sea::on(prefix, shared(), alone)
    }

    /// On machines that nobody else needs any more.
    pub(crate) fn to_be_broken(prefix: &str) -> Sea {
        let alone = alone();
        Sea::on(prefix, Arc::new(Swarm::start(97).unwrap()), alone)
    }

    fn on(prefix: &str, swarm: Arc<Swarm>, alone: MutexGuard<'static, ()>) -> Sea {
        let app = App::new(prefix);
        let network = format!("{}-net", app.name());
        let create = [
            "network",
            "create",
            "-d",
            "overlay",
            "--attachable",
            &network,
        ];
        swarm.docker(0, &create).unwrap();
        Sea {
            app,
            swarm,
            _alone: alone,
        }
    }

    pub(crate) fn name(&self) -> &str {
        self.app.name()
    }

    pub(crate) fn network(&self) -> String {
        format!("{}-net", self.name())
    }

    /// Has the image in the registry; what the nodes call it.
    pub(crate) fn push(&self, image: &Image, version: &str) -> String {
        let path = format!("{}:{version}", self.name());
        let here = format!("{}/{path}", self.swarm.registry());
        image.build(&here).unwrap().push().unwrap();
        format!("{}/{path}", self.swarm.others_registry())
    }

    /// An image that finishes its requests, and whose health Swarm knows.
    pub(crate) fn image(&self, version: &str) -> Image {
        self.app.image(version).for_swarm()
    }

    /// The command of a step on the manager.
    pub(crate) fn command(&self, name: &str, flags: &[&str]) -> Command {
        let mut command = Command::new(program(name));
        stage::process::scrub(&mut command).env_remove("RUST_BACKTRACE");
        command.args(["--swarm", "--app", self.name()]).args(flags);
        command.env("DOCKER_HOST", self.swarm.host(0));
        command
    }

    pub(crate) fn step(&self, name: &str, flags: &[&str]) -> Run {
        run(self.command(name, flags), None).unwrap()
    }

    /// Pulls it, starts the candidate, and proves it.
    pub(crate) fn candidate(&self, image: &str, options: &[&str]) {
        ok(&self.step("pull-image", &[image]));
        let start = ["--image", image, "--"];
        ok(&self.step("start-candidate", &[&start, options].concat()));
        ok(&self.step("probe-health", &[]));
    }

    /// The first release: three tasks.
    pub(crate) fn first(&self, image: &str) -> Value {
        self.candidate(image, &["--network", &self.network()]);
        ok(&self.step("promote", &["--replicas", "3", "--monitor", "1s"]))
    }

    /// What the service is specified as, by a Go template.
    pub(crate) fn service(&self, name: &str, template: &str) -> String {
        let inspect = ["service", "inspect", "--format", template, name];
        self.swarm.docker(0, &inspect).unwrap()
    }

    pub(crate) fn is_there(&self, name: &str) -> bool {
        self.swarm.docker(0, &["service", "inspect", name]).is_ok()
    }

    /// The images of all tasks that Swarm wants to run, and whether they do.
    pub(crate) fn tasks(&self) -> Vec<String> {
        let wanted = [
            "service",
            "ps",
            "--no-trunc",
            "--filter",
            "desired-state=running",
        ];
        let shown = ["--format", "{{.Image}} {{.CurrentState}}", self.name()];
        let said = self
            .swarm
            .docker(0, &[&wanted[..], &shown].concat())
            .unwrap();
        said.lines().map(str::to_owned).collect()
    }

    /// Three tasks run, all of them of this image, and no candidate is left.
    pub(crate) fn assert_live(&self, image: &str) {
        let tasks = self.tasks();
        let good = |task: &String| task.starts_with(image) && task.contains(" Running ");
        assert!(tasks.len() == 3 && tasks.iter().all(good), "{tasks:?}");
        assert!(!self.is_there(&self.app.scope.candidate()));
    }
}

impl Drop for Sea {
    fn drop(&mut self) {
        let (live, candidate) = (self.name(), self.app.scope.candidate());
        let _ = self.swarm.docker(0, &["service", "rm", live]);
        let _ = self.swarm.docker(0, &["service", "rm", &candidate]);
        let front = format!("{live}-front");
        let _ = self.swarm.docker(FRONT, &["rm", "-f", &front]);
    }
}
