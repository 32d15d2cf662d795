//! The proxy on a node of the swarm, with the settings of the page, and the load through it.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tests::clients::RemoteLoad;
use tests::load::Outcome;
use tests::unpacked;

use super::{FRONT, Sea};
use crate::docs;
use crate::proxy::front::say;

const RATE: u32 = 50;

/// haproxy in the network of a container of the swarm.
pub(super) struct Front<'a> {
    sea: &'a Sea,
    child: Child,
    container: String,
    _folder: tempfile::TempDir,
}

impl Front<'_> {
    pub(super) fn start<'a>(sea: &'a Sea, image: &str) -> Front<'a> {
        let container = format!("{}-front", sea.name());
        let network = format!("--network={}", sea.network());
        let run = [
            "run",
            "-d",
            "--name",
            &container,
            "--no-healthcheck",
            &network,
            image,
        ];
        sea.swarm.docker(FRONT, &run).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let settings = docs::only(docs::SWARM, "haproxy", "resolvers");
        let settings = settings.replace(" web:8080", &format!(" {}:8080", sea.name()));
        let file = folder.path().join("settings");
        fs::write(&file, format!("global\n    maxconn 4000\n{settings}")).unwrap();
        let child = haproxy(sea, &container, &file);
        let front = Front {
            sea,
            child,
            container,
            _folder: folder,
        };
        crate::support::eventually("the proxy answers", || {
            let load = front.load();
            std::thread::sleep(Duration::from_millis(300));
            load.finish()
                .is_ok_and(|seen| seen.sent() > 0 && seen.failed() == 0)
        });
        front
    }

    fn load(&self) -> RemoteLoad {
        let way = self.sea.swarm.way_into(FRONT, &self.container).unwrap();
        let way: Vec<&str> = way.iter().map(String::as_str).collect();
        RemoteLoad::start(&way, "127.0.0.1:80", RATE).unwrap()
    }

    /// What clients see while something is done.
    pub(super) fn watch<T>(&self, what: &str, during: impl FnOnce() -> T) -> (T, Outcome) {
        let load = self.load();
        std::thread::sleep(Duration::from_millis(500));
        let done = during();
        std::thread::sleep(Duration::from_millis(1500));
        let seen = load.finish().unwrap();
        say(&format!("swarm, {what}"), &seen);
        (done, seen)
    }

    /// As [`Front::watch`], and no request fails.
    pub(super) fn unfailing<T>(&self, what: &str, during: impl FnOnce() -> T) -> (T, Outcome) {
        let (done, seen) = self.watch(what, during);
        assert_eq!(seen.failed(), 0, "{what}: {:?}", seen.kinds());
        (done, seen)
    }

    /// The same, answered by these releases alone.
    pub(super) fn unnoticed<T>(
        &self,
        what: &str,
        versions: &[&str],
        during: impl FnOnce() -> T,
    ) -> T {
        let (done, seen) = self.unfailing(what, during);
        assert_eq!(seen.versions(), versions, "{what}");
        done
    }
}

fn haproxy(sea: &Sea, container: &str, settings: &Path) -> Child {
    let proxy = unpacked::command("haproxy")
        .unwrap_or_else(|| panic!("haproxy is missing: `cargo xtask test --install` unpacks it"));
    let mut command = Command::new("nsenter");
    command.args(sea.swarm.way_into(FRONT, container).unwrap());
    command
        .arg("--")
        .arg(proxy.get_program())
        .args(["-q", "-db", "-f"]);
    command
        .arg(settings)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let given = proxy.get_envs();
    command.envs(given.filter_map(|(name, value)| Some((name, value?))));
    command.spawn().unwrap()
}

impl Drop for Front<'_> {
    fn drop(&mut self) {
        let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
        let _ = self.child.wait();
    }
}
