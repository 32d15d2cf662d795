//! A machine with a container on it, as its caller sees it.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use stage::cargo;
use stage::ground::Cgroup;
use stage::process::code_of;
use stage::steps::step;

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
    /// By itself, as a child that is waited for loses it.
    stdin: Option<ChildStdin>,
    folder: PathBuf,
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
        let stdin = xtask.stdin.take();
        Running {
            xtask,
            stdin,
            folder,
        }
    }

    pub(super) fn send(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.xtask), signal).unwrap();
    }

    pub(super) fn let_command_end(&mut self) {
        self.stdin = None;
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
        assert!(!mounts.contains(self.name()), "{mounts}");
    }

    /// The names of the processes in its cgroups, which are named after its folder.
    fn processes(&self) -> Vec<String> {
        let file = |at: &Path, name| fs::read_to_string(at.join(name)).unwrap_or_default();
        let all = fs::read_dir("/proc").unwrap().flatten();
        all.map(|it| it.path())
            .filter(|at| file(at, "cgroup").contains(self.name()))
            .map(|at| file(&at, "comm").trim().to_owned())
            .collect()
    }

    fn has_cgroups(&self) -> bool {
        let root = PathBuf::from("/sys/fs/cgroup");
        let below = fs::read_dir(&root).unwrap().flatten();
        let mut all = below.map(|it| it.path()).chain([root]);
        all.any(|it| it.join(self.name()).exists())
    }

    fn name(&self) -> &str {
        self.folder.file_name().unwrap().to_str().unwrap()
    }
}
