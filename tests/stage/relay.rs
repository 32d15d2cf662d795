//! The engine's socket with a fault: hands on to the real one, and at one request of a step something goes wrong.
//!
//! The steps speak HTTP 1.0, one request for each connection; what the CLI asks is handed on and not counted.

use std::io::{self, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use std::{fs, thread};

use rustix::net::sockopt::socket_peercred;
use rustix::process::{Pid, Signal, kill_process};

use crate::docker;

/// Longer than any deadline of a step in the tests.
const HANG: Duration = Duration::from_secs(90);

/// A socket that ends with its owner, as far as new connections go.
#[derive(Debug)]
pub struct Relay {
    folder: tempfile::TempDir,
    plan: Arc<Mutex<Plan>>,
}

#[derive(Debug, Default)]
struct Plan {
    /// One of those that `faulty-docker` knows.
    fault: String,
    at: usize,
    /// The first lines of the requests so far.
    seen: Vec<String>,
}

impl Relay {
    /// Listens.
    pub fn start() -> io::Result<Relay> {
        let folder = tempfile::tempdir()?;
        let listener = UnixListener::bind(folder.path().join("docker.sock"))?;
        let plan = Arc::<Mutex<Plan>>::default();
        let shared = Arc::clone(&plan);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let plan = Arc::clone(&shared);
                thread::spawn(move || serve(&client, &plan));
            }
        });
        Ok(Relay { folder, plan })
    }

    /// Its address, as for `DOCKER_HOST`.
    pub fn host(&self) -> String {
        format!(
            "unix://{}",
            self.folder.path().join("docker.sock").display()
        )
    }

    /// Forgets what it has seen; from now on the fault happens at request number `at`, from 1; at 0 none.
    pub fn expect(&self, fault: &str, at: usize) {
        let fault = fault.to_owned();
        *self.plan.lock().unwrap_or_else(PoisonError::into_inner) = Plan {
            fault,
            at,
            seen: Vec::new(),
        };
    }

    /// The requests since then, such as `GET /info`.
    pub fn seen(&self) -> Vec<String> {
        let plan = self.plan.lock().unwrap_or_else(PoisonError::into_inner);
        plan.seen.clone()
    }
}

fn serve(mut client: &UnixStream, plan: &Mutex<Plan>) -> io::Result<()> {
    let mut request = [0; 8 << 10];
    let mut length = 0;
    while !is_whole(&request[..length]) {
        match client.read(&mut request[length..])? {
            0 => return Ok(()),
            n => length += n,
        }
    }
    let request = &request[..length];
    let text = String::from_utf8_lossy(request);
    let first = text.lines().next().unwrap_or_default();
    let Some(words) = first.strip_suffix(" HTTP/1.0") else {
        return hand_on(client, request);
    };
    match struck(plan, words).as_deref() {
        None => client.write_all(&answer(request)?),
        Some("kill-before") => kill_step(client),
        Some("kill-after") => {
            let answer = answer(request)?;
            kill_step(client)?;
            client.write_all(&answer)
        }
        Some("fail") => client.write_all(
            b"HTTP/1.0 500 No\r\nServer: Docker/0\r\n\r\n{\"message\":\"the test has this call fail\"}",
        ),
        Some("hang") => {
            thread::sleep(HANG);
            Ok(())
        }
        Some("late") => {
            answer(request)?;
            thread::sleep(HANG);
            Ok(())
        }
        Some("cut") => {
            let answer = answer(request)?;
            client.write_all(&answer[..answer.len() / 2])
        }
        Some(_) => Err(ErrorKind::InvalidInput.into()),
    }
}

/// The steps send no longer body than a few words, with their heads.
fn is_whole(request: &[u8]) -> bool {
    String::from_utf8_lossy(request).contains("\r\n\r\n")
}

/// Notes the request; what goes wrong at it.
fn struck(plan: &Mutex<Plan>, words: &str) -> Option<String> {
    let mut plan = plan.lock().unwrap_or_else(PoisonError::into_inner);
    plan.seen.push(words.to_owned());
    (plan.seen.len() == plan.at).then(|| plan.fault.clone())
}

fn answer(request: &[u8]) -> io::Result<Vec<u8>> {
    let mut engine = UnixStream::connect(docker::socket())?;
    engine.write_all(request)?;
    let mut answer = Vec::new();
    engine.read_to_end(&mut answer)?;
    Ok(answer)
}

fn hand_on(client: &UnixStream, request: &[u8]) -> io::Result<()> {
    let mut engine = UnixStream::connect(docker::socket())?;
    engine.write_all(request)?;
    let (mut from, mut to) = (client.try_clone()?, engine.try_clone()?);
    thread::spawn(move || {
        let _ = io::copy(&mut from, &mut to);
        to.shutdown(Shutdown::Write)
    });
    let mut client = client;
    io::copy(&mut engine, &mut client)?;
    client.shutdown(Shutdown::Both)
}

/// Whoever asks is the step itself, or a child of its that gives an order.
fn kill_step(client: &UnixStream) -> io::Result<()> {
    let caller = socket_peercred(client)?.pid;
    let words = fs::read_to_string(proc(caller).join("cmdline"))?;
    let step = if words.contains("\0__send\0") {
        parent(caller)?
    } else {
        caller
    };
    Ok(kill_process(step, Signal::KILL)?)
}

fn parent(pid: Pid) -> io::Result<Pid> {
    let status = fs::read_to_string(proc(pid).join("status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("PPid:"));
    let parent = line.and_then(|line| line.trim().parse().ok());
    parent
        .and_then(Pid::from_raw)
        .ok_or(ErrorKind::NotFound.into())
}

fn proc(pid: Pid) -> PathBuf {
    PathBuf::from(format!("/proc/{}", pid.as_raw_nonzero()))
}
