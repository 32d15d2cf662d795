//! The engine's CLI with a fault: runs the real `docker`, and at one of its calls a script of the test's choice.
//!
//! | variable | what it does |
//! | --- | --- |
//! | `FAULT_CALLS` | a file to which the words of each call are appended, one line each |
//! | `FAULT_AT` | the call at which something happens: its number, from 1, or how its words begin |
//! | `FAULT_BEFORE` | a script that runs before that call; if it fails, there is no call |
//! | `FAULT_AFTER` | a script that runs after that call |
//!
//! Scripts find the process id of the step in `$CALLER`. Watching (`events`) is no call: it runs beside them.

use std::env;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::process::{CommandExt, parent_id};
use std::process::{Command, ExitCode};

fn main() -> io::Result<ExitCode> {
    let args: Vec<String> = env::args().skip(1).collect();
    let mut docker = Command::new("docker");
    docker.args(&args);
    if args.first().is_some_and(|word| word == "events") || !is_at(&args.join(" "))? {
        return Err(docker.exec());
    }
    if !script("FAULT_BEFORE")? {
        return Ok(ExitCode::FAILURE);
    }
    let status = docker.status()?;
    script("FAULT_AFTER")?;
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}

fn is_at(call: &str) -> io::Result<bool> {
    let number = record(call)?;
    let at = env::var("FAULT_AT").unwrap_or_default();
    Ok(match at.parse::<usize>() {
        Ok(wanted) => number == wanted,
        Err(_) => !at.is_empty() && call.starts_with(&at),
    })
}

/// Writes the call down and returns its number.
fn record(call: &str) -> io::Result<usize> {
    let Some(path) = env::var_os("FAULT_CALLS") else {
        return Ok(0);
    };
    let mut calls = OpenOptions::new().create(true).append(true).open(&path)?;
    writeln!(calls, "{}", call.replace('\n', " "))?;
    Ok(fs::read_to_string(&path)?.lines().count())
}

fn script(name: &str) -> io::Result<bool> {
    let Ok(script) = env::var(name) else {
        return Ok(true);
    };
    let caller = parent_id().to_string();
    let mut sh = Command::new("sh");
    sh.args(["-c", &script]).env("CALLER", caller);
    // What the script says is not what the engine said.
    Ok(sh.output()?.status.success())
}
