//! The engine's CLI with a fault: runs the real `docker`, and at one of its calls something goes wrong.
//! Called by the name `nft` it does the same for that program, and numbers its calls along with the others.
//!
//! | variable | what it does |
//! | --- | --- |
//! | `DEPLOY_STEPS_FAULT_CALLS` | a file to which the words of each call are appended, one line each; nft's begin with `nft` |
//! | `DEPLOY_STEPS_FAULT_AT` | the call at which something happens: its number, from 1, or how its words begin |
//! | `DEPLOY_STEPS_FAULT_BEFORE` | a script that runs before that call; if it fails, there is no call |
//! | `DEPLOY_STEPS_FAULT_AFTER` | a script that runs after that call |
//! | `DEPLOY_STEPS_FAULT` | in their place: `kill-before`, `kill-after`, `fail`, `crash`, `hang`, `late` (done, then hangs) or `cut` (half of its output) |
//!
//! Scripts find the process id of the step in `$CALLER`. Watching (`events`) is no call: it runs beside them.

use std::env;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::process::{CommandExt, parent_id};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, getpid, kill_process};

/// Longer than any deadline of a step in the tests.
const HANG: Duration = Duration::from_secs(90);

fn main() -> io::Result<ExitCode> {
    let args: Vec<String> = env::args().skip(1).collect();
    let name = env::args().next().unwrap_or_default();
    let is_nft = Path::new(&name).ends_with("nft");
    let mut real = Command::new(real(if is_nft { "nft" } else { "docker" })?);
    real.args(&args);
    let words = args.join(" ");
    let call = if is_nft {
        format!("nft {words}")
    } else {
        words
    };
    if call.starts_with("events") || !is_at(&call)? {
        return Err(real.exec());
    }
    match env::var("DEPLOY_STEPS_FAULT") {
        Ok(fault) => faulty(&fault, real),
        Err(_) => scripted(real),
    }
}

/// The program of that name that is not this one.
fn real(name: &str) -> io::Result<std::path::PathBuf> {
    let own = env::current_exe()?;
    let path = env::var("PATH").unwrap_or_default() + ":/usr/sbin:/sbin";
    let all = which::which_in_all(name, Some(path), "/").map_err(io::Error::other)?;
    let mut others = all.filter(|path| fs::canonicalize(path).is_ok_and(|path| path != own));
    others.next().ok_or(io::ErrorKind::NotFound.into())
}

fn faulty(fault: &str, mut real: Command) -> io::Result<ExitCode> {
    match fault {
        "kill-before" => kill_step()?,
        "kill-after" => {
            let code = code_of(real.status()?.code());
            kill_step()?;
            return Ok(code);
        }
        "fail" => writeln!(io::stderr(), "Error: the test has this call fail")?,
        "crash" => kill_process(getpid(), Signal::KILL)?,
        "hang" => thread::sleep(HANG),
        "late" => {
            // Not its streams: a real one that hangs has not answered yet.
            real.stdout(Stdio::null()).status()?;
            thread::sleep(HANG);
        }
        "cut" => {
            real.stdin(Stdio::inherit()).stderr(Stdio::inherit());
            let output = real.output()?;
            io::stdout().write_all(&output.stdout[..output.stdout.len() / 2])?;
            return Ok(code_of(output.status.code()));
        }
        _ => return Err(io::ErrorKind::InvalidInput.into()),
    }
    Ok(ExitCode::FAILURE)
}

fn kill_step() -> io::Result<()> {
    let step = i32::try_from(parent_id()).ok().and_then(Pid::from_raw);
    let step = step.ok_or(io::ErrorKind::NotFound)?;
    Ok(kill_process(step, Signal::KILL)?)
}

fn scripted(mut real: Command) -> io::Result<ExitCode> {
    if !script("DEPLOY_STEPS_FAULT_BEFORE")? {
        return Ok(ExitCode::FAILURE);
    }
    let status = real.status()?;
    script("DEPLOY_STEPS_FAULT_AFTER")?;
    Ok(code_of(status.code()))
}

fn code_of(code: Option<i32>) -> ExitCode {
    let code = code.and_then(|code| u8::try_from(code).ok());
    code.map_or(ExitCode::FAILURE, ExitCode::from)
}

fn is_at(call: &str) -> io::Result<bool> {
    let number = record(call)?;
    let at = env::var("DEPLOY_STEPS_FAULT_AT").unwrap_or_default();
    Ok(match at.parse::<usize>() {
        Ok(wanted) => number == wanted,
        Err(_) => !at.is_empty() && call.starts_with(&at),
    })
}

/// Writes the call down and returns its number; calls that begin together wait for each other.
fn record(call: &str) -> io::Result<usize> {
    let Some(path) = env::var_os("DEPLOY_STEPS_FAULT_CALLS") else {
        return Ok(0);
    };
    let mut calls = OpenOptions::new().create(true).append(true).open(&path)?;
    calls.lock()?;
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
