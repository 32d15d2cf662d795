//! Running any step with any words, and a few questions about what came of it.

use std::ffi::OsStr;
use std::process::Command;

use stage::docker::docker;
use stage::steps::{self, Run};

/// Runs a step with these words.
pub(crate) fn run<S: AsRef<OsStr>>(step: &str, words: &[S]) -> Run {
    let mut command = steps::step(step).unwrap();
    command.args(words);
    finish(command)
}

/// Runs a prepared step to its end.
pub(crate) fn finish(command: Command) -> Run {
    steps::run(command, None).unwrap()
}

/// A usage error: its sentence on stderr, and nothing on stdout.
pub(crate) fn refused(run: &Run) {
    assert_eq!(run.code, 2, "{run:?}");
    assert_eq!(run.stdout, "", "{run:?}");
    assert!(run.stderr.starts_with("error: "), "{run:?}");
}

/// Whether the engine has an image under exactly this name.
pub(crate) fn has_image(name: &str) -> bool {
    docker(["image", "inspect", name]).is_ok()
}
