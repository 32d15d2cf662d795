//! A machine with a container on it, as its caller sees it.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tests::cargo;
use tests::process::code_of;
use tests::stage::Cgroup;
use tests::steps::step;

use crate::support::eventually;

/// Runs the demo app, whose folder is `$0`, in a container on the same port of every machine, says where its stage is,
/// and ends with its input.
const SCRIPT: &str = r#"set -e
    tar -c -C "$0" demo-app | docker import - app >/dev/null
    docker run -d --name app -p 8080:8080 app /demo-app >/dev/null
    echo "$DEPLOY_STEPS_STAGE"
    until curl -fs 127.0.0.1:8080/ >/dev/null; do sleep 0.1; done
    echo up
    read _ || :"#;

pub(super) struct Running {
    xtask: Child,
    folder: PathBuf,
    /// The namespace that its processes are in.
    space: PathBuf,
}

impl Running {
    pub(super) fn start(machine: &str) -> Running {
        let app = cargo::demo_app().unwrap().parent().unwrap();
        let mut xtask = step("xtask").unwrap();
        xtask
            .args(["stage", "--machine", machine, "--", "sh", "-c", SCRIPT])
            .arg(app)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut xtask = xtask.spawn().unwrap();
        let mut lines = BufReader::new(xtask.stdout.take().unwrap()).lines();
        let folder = PathBuf::from(lines.next().unwrap().unwrap());
        assert_eq!(lines.next().unwrap().unwrap(), "up");
        let space = space_of(&folder);
        Running {
            xtask,
            folder,
            space,
        }
    }

    pub(super) fn send(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.xtask), signal).unwrap();
    }

    pub(super) fn let_command_end(&mut self) {
        drop(self.xtask.stdin.take());
    }

    pub(super) fn wait(&mut self) -> i32 {
        code_of(self.xtask.wait().unwrap())
    }

    pub(super) fn assert_there(&self) {
        let names = self.processes();
        for name in ["systemd", "dockerd", "sshd", "demo-app"] {
            assert!(names.iter().any(|it| it == name), "{name}: {names:?}");
        }
        assert!(self.folder.exists());
        // Where this stage has the first version the machine's is not seen.
        assert!(self.has_cgroups() || Cgroup::here() == Cgroup::V1);
    }

    /// Nothing runs on it any more.
    pub(super) fn assert_ended(&self) {
        eventually("its processes end", || self.processes().is_empty());
    }

    /// As if it had never been.
    pub(super) fn assert_gone(&self) {
        self.assert_ended();
        assert!(!self.folder.exists());
        assert!(!self.has_cgroups());
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
        assert!(!mounts.contains(self.folder.to_str().unwrap()), "{mounts}");
    }

    /// The names of the processes on it.
    fn processes(&self) -> Vec<String> {
        let on_it =
            |at: &PathBuf| fs::read_link(at.join("ns/pid")).is_ok_and(|space| space == self.space);
        let names = processes().filter(on_it);
        names
            .map(|at| fs::read_to_string(at.join("comm")).unwrap_or_default())
            .map(|name| name.trim().to_owned())
            .collect()
    }

    fn has_cgroups(&self) -> bool {
        let name = self.folder.file_name().unwrap();
        let all = fs::read_dir("/sys/fs/cgroup").unwrap().flatten();
        let mut all = all
            .map(|it| it.path())
            .chain([PathBuf::from("/sys/fs/cgroup")]);
        all.any(|it| it.join(name).exists())
    }
}

fn processes() -> impl Iterator<Item = PathBuf> {
    let all = fs::read_dir("/proc").unwrap().flatten();
    all.map(|it| it.path())
        .filter(|it| it.join("comm").exists())
}

/// The namespace of the engine that sees this stage's folder where it is bound for the machine.
fn space_of(folder: &Path) -> PathBuf {
    let bound = format!(" {} ", folder.display());
    let file = |at: &PathBuf, name| fs::read_to_string(at.join(name)).unwrap_or_default();
    let is_it =
        |at: &PathBuf| file(at, "comm") == "dockerd\n" && file(at, "mountinfo").contains(&bound);
    let found = processes().find(is_it).unwrap();
    fs::read_link(found.join("ns/pid")).unwrap()
}
