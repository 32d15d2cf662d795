//! Runs a program to its end under a deadline and keeps all it said.

use std::io::{Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail, ensure};
use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::Value;

/// Variables that the steps read as their flags; one that happens to be set would steer every test.
pub const STEERING: [&str; 8] = [
    "CONTAINER_NAME",
    "APP_NAME",
    "APP_PORT",
    "MAX_RETRIES",
    "RETRY_INTERVAL",
    "DEPLOY_STEPS_DOCKER",
    "DEPLOY_STEPS_DEPLOY_ID",
    "DEPLOY_STEPS_SWARM",
];

/// Removes the variables that would steer the steps from the environment of `command`.
pub fn scrub(command: &mut Command) -> &mut Command {
    for name in STEERING {
        command.env_remove(name);
    }
    command
}

/// What a program that ended has left: its exit code (128 + n when signal n ended it) and its two streams.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// The exit code.
    pub code: i32,
    /// All of standard output, as it was written.
    pub stdout: String,
    /// All of standard error, as it was written.
    pub stderr: String,
}

impl Run {
    /// The report on stdout; an error unless stdout is exactly one JSON object on one line.
    pub fn json(&self) -> anyhow::Result<Value> {
        let line = self
            .stdout
            .strip_suffix('\n')
            .filter(|line| !line.contains('\n'))
            .ok_or_else(|| anyhow!("stdout is not exactly one line: {self:?}"))?;
        let value: Value =
            serde_json::from_str(line).with_context(|| format!("stdout is not JSON: {self:?}"))?;
        ensure!(value.is_object(), "stdout is not a JSON object: {self:?}");
        Ok(value)
    }
}

/// Runs `command` with `stdin` as its input (none: `/dev/null`); past `limit` it is killed with all its children.
pub fn run_within(
    command: &mut Command,
    stdin: Option<Vec<u8>>,
    limit: Duration,
) -> anyhow::Result<Run> {
    let name = command.get_program().to_string_lossy().into_owned();
    let input = if stdin.is_some() {
        Stdio::piped()
    } else {
        Stdio::null()
    };
    command
        .stdin(input)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0);
    let mut child = command
        .spawn()
        .with_context(|| format!("`{name}` could not be started"))?;
    feed(&mut child, stdin);
    let stdout = child.stdout.take().map(drain);
    let stderr = child.stderr.take().map(drain);

    let end = Instant::now() + limit;
    let status = loop {
        match child.try_wait()? {
            Some(status) => break status,
            None if Instant::now() > end => return kill(&mut child, &name, limit),
            None => thread::sleep(Duration::from_millis(2)),
        }
    };
    Ok(Run {
        code: code_of(status),
        stdout: collect(stdout, &name)?,
        stderr: collect(stderr, &name)?,
    })
}

/// The exit code of an ended child: its own, or 128 + n when signal n ended it.
pub fn code_of(status: ExitStatus) -> i32 {
    let by_signal = || 128 + status.signal().unwrap_or_default();
    status.code().unwrap_or_else(by_signal)
}

// A thread of its own, as a child that answers before it has read everything would block both sides.
fn feed(child: &mut Child, stdin: Option<Vec<u8>>) {
    if let (Some(mut pipe), Some(bytes)) = (child.stdin.take(), stdin) {
        thread::spawn(move || {
            let _ = pipe.write_all(&bytes);
        });
    }
}

fn drain(mut from: impl Read + Send + 'static) -> Receiver<Vec<u8>> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        let mut all = Vec::new();
        let _ = from.read_to_end(&mut all);
        let _ = sender.send(all);
    });
    receiver
}

fn collect(stream: Option<Receiver<Vec<u8>>>, name: &str) -> anyhow::Result<String> {
    let Some(stream) = stream else {
        bail!("`{name}` has no output stream")
    };
    let bytes = stream
        .recv_timeout(Duration::from_secs(5))
        .map_err(|_| anyhow!("`{name}` ended, but something it started holds its streams open"))?;
    String::from_utf8(bytes).with_context(|| format!("`{name}` wrote something that is not UTF-8"))
}

fn kill(child: &mut Child, name: &str, limit: Duration) -> anyhow::Result<Run> {
    let _ = kill_process_group(Pid::from_child(child), Signal::KILL);
    child.wait()?;
    bail!("`{name}` did not end within {} s", limit.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(script: &str, stdin: Option<&str>, limit: Duration) -> anyhow::Result<Run> {
        let input = stdin.map(|text| text.as_bytes().to_vec());
        run_within(Command::new("sh").args(["-c", script]), input, limit)
    }

    #[test]
    fn code_and_both_streams_are_kept() {
        let run = sh(
            "cat; echo why >&2; exit 7",
            Some("in"),
            Duration::from_secs(5),
        )
        .unwrap();
        assert_eq!((run.code, &*run.stdout, &*run.stderr), (7, "in", "why\n"));
    }

    #[test]
    fn a_program_that_hangs_is_killed_with_its_children() {
        let started = Instant::now();
        let error = sh("sleep 30 & sleep 30", None, Duration::from_millis(100)).unwrap_err();
        assert!(error.to_string().contains("did not end"), "{error}");
        assert!(started.elapsed() < Duration::from_secs(5));
    }

    #[test]
    fn only_one_object_on_one_line_is_a_report() {
        let said = |stdout: &str| Run {
            code: 0,
            stdout: stdout.into(),
            stderr: String::new(),
        };
        assert!(said("{\"ok\":true}\n").json().is_ok());
        for wrong in ["", "{}", "{}\n{}\n", "[]\n", "{\n}\n", "hello\n"] {
            assert!(said(wrong).json().is_err(), "{wrong:?}");
        }
    }
}
