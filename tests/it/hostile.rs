//! Hostile words: refused before the engine is asked, or handed to it as what they are and never as a flag.

mod ids;
mod output;
mod passed;
mod refused;

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use stage::cargo;
use stage::steps::{self, Run};

/// A step whose engine calls are recorded on their way to the real engine.
struct Recorded {
    folder: tempfile::TempDir,
    command: Command,
}

impl Recorded {
    fn new(step: &str, words: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut command = steps::step(step).unwrap();
        let docker = cargo::steps().unwrap().join("record-docker");
        // All that a shell would have made of the words would lie here.
        command.current_dir(folder.path()).args(words);
        command.env("DEPLOY_STEPS_DOCKER", docker);
        let mut this = Self { folder, command };
        let file = this.file();
        this.command.env("RECORD_FILE", file);
        this
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("calls")
    }

    /// What the step said, and the words of each call of the engine.
    fn run(self, stdin: Option<&str>) -> (Run, Vec<Vec<String>>) {
        let file = self.file();
        let run = steps::run(self.command, stdin).unwrap();
        let lines = fs::read_to_string(&file).unwrap_or_default();
        let calls = lines
            .lines()
            .map(|line| serde_json::from_str(line).unwrap());
        let calls = calls.collect();
        let left: Vec<_> = fs::read_dir(self.folder.path())
            .unwrap()
            .flatten()
            .collect();
        assert!(left.iter().all(|entry| entry.path() == file), "{left:?}");
        (run, calls)
    }
}
