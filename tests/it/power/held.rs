//! A step held before one of its calls of the engine until it is told to go on.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use stage::process::code_of;
use stage::steps::Run;
use tempfile::TempDir;

use crate::support::Fault;

pub(super) struct Held {
    child: Child,
    folder: TempDir,
}

impl Held {
    /// The step before its call `k`; `None` if it ended before.
    pub(super) fn before(k: usize, step: impl Fn(Fault<'_>) -> Command) -> Option<Held> {
        Held::at(&k.to_string(), true, step)
    }

    /// The step whose call `at` has begun a moment ago: it is not held, and goes on.
    pub(super) fn in_the_middle_of(at: &str, step: impl Fn(Fault<'_>) -> Command) -> Held {
        Held::at(at, false, step).unwrap_or_else(|| panic!("it ended without `{at}`"))
    }

    fn at(at: &str, waits: bool, step: impl Fn(Fault<'_>) -> Command) -> Option<Held> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().display();
        let wait = format!("until [ -e {path}/go ]; do sleep 0.05; done");
        let script = format!("touch {path}/there; {}", if waits { &wait } else { ":" });
        let mut command = step(Fault::Before(at, &script));
        command
            .env_remove("DEPLOY_STEPS_HEIR")
            .env("DEPLOY_STEPS_FAULT_CALLS", folder.path().join("calls"));
        let mut held = Held::spawn(command, folder);
        while !held.file("there").exists() {
            if held.child.try_wait().unwrap().is_some() {
                return None;
            }
            thread::sleep(Duration::from_millis(10));
        }
        Some(held)
    }

    /// Files rather than pipes: whoever inherits one from a step must not keep a test waiting.
    fn spawn(mut command: Command, folder: TempDir) -> Held {
        let file = |name| fs::File::create(folder.path().join(name)).unwrap();
        command.stdin(Stdio::null());
        command.stdout(file("stdout")).stderr(file("stderr"));
        Held {
            child: command.spawn().unwrap(),
            folder,
        }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.file(name)).unwrap_or_default()
    }

    /// Lets it go on; what it ended with, and the calls it made.
    pub(super) fn go_on(mut self) -> (Run, String) {
        fs::write(self.file("go"), "").unwrap();
        let code = code_of(self.child.wait().unwrap());
        let run = Run {
            code,
            stdout: self.read("stdout"),
            stderr: self.read("stderr"),
        };
        (run, self.read("calls"))
    }
}
