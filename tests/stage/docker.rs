//! The engine's CLI for tests: each call under a deadline, and everything a test made removed at its end.

use std::env;
use std::ffi::OsStr;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context, bail};
use serde_json::Value;

use crate::ground;
use crate::process::run_within;

const DEADLINE: Duration = Duration::from_secs(60);

/// The engine's socket, as the CLI finds it without a context.
pub fn socket() -> PathBuf {
    let host = env::var("DOCKER_HOST").unwrap_or_default();
    let path = host.strip_prefix("unix://");
    path.unwrap_or("/var/run/docker.sock").into()
}

/// Runs `docker` and returns its stdout, trimmed; an error carries its stderr. The deadline is 60 s.
pub fn docker<I, S>(args: I) -> anyhow::Result<String>
where
    I: IntoIterator<Item = S>,
    S: AsRef<OsStr>,
{
    docker_with(args, None)
}

/// As [`docker`], with `stdin` as its input.
pub fn docker_with<I, S>(args: I, stdin: Option<Vec<u8>>) -> anyhow::Result<String>
where
    I: IntoIterator<Item = S>,
    S: AsRef<OsStr>,
{
    let mut command = Command::new("docker");
    command.args(args);
    let shown = command
        .get_args()
        .map(OsStr::to_string_lossy)
        .collect::<Vec<_>>()
        .join(" ");
    let run = run_within(&mut command, stdin, ground::patience(DEADLINE))
        .with_context(|| format!("docker {shown}: failed"))?;
    if run.code != 0 {
        bail!(
            "docker {shown}: exit code {}: {}; is an engine running? `cargo xtask test` brings one",
            run.code,
            run.stderr.trim()
        );
    }
    Ok(run.stdout.trim().to_owned())
}

/// All that the engine knows of the container with exactly this name, or nothing when there is none.
pub fn inspect(name: &str) -> anyhow::Result<Option<Value>> {
    // Asked by name first: `inspect` alone would also take another container's id prefix for a name.
    let filter = format!("name=^/?{name}$");
    let ids = docker(["ps", "-aq", "--no-trunc", "--filter", &filter])?;
    for id in ids.lines() {
        let found = match docker(["container", "inspect", id]) {
            // Removed meanwhile.
            Err(error)
                if error
                    .to_string()
                    .to_lowercase()
                    .contains("no such container") =>
            {
                continue;
            }
            found => found?,
        };
        let found: Vec<Value> = serde_json::from_str(&found)?;
        let by_name = |it: &Value| {
            let found = it["Name"].as_str().unwrap_or_default();
            found.trim_start_matches('/') == name
        };
        if let Some(mut one) = found.into_iter().find(by_name) {
            let image = one["Image"].as_str().unwrap_or_default();
            // Podman writes it bare.
            if !image.starts_with("sha256:") {
                one["Image"] = format!("sha256:{image}").into();
            }
            return Ok(Some(one));
        }
    }
    Ok(None)
}

/// The words of a call that keeps its logins in the folder `config`: podman's calls each have a flag for it.
pub fn with_logins(config: &str, words: &[&str]) -> Vec<String> {
    let (call, rest) = words.split_at(1);
    let file = format!("--authfile={config}/config.json");
    let all = if ground::on_podman() {
        [call, &[&file], rest].concat()
    } else {
        [&["--config", config], call, rest].concat()
    };
    all.into_iter().map(str::to_owned).collect()
}

/// The first number of the engine's version.
pub fn major_version() -> anyhow::Result<u32> {
    let version = docker(["version", "--format", "{{.Server.Version}}"])?;
    let first = version.split('.').next().unwrap_or_default();
    first
        .parse()
        .with_context(|| format!("no version: {version}"))
}

/// Whether the engine has containerd keep its images, as docker 29 does unless it is told otherwise: an image's id is its
/// manifest's digest, so that every image has one, and images know no parent.
pub fn in_containerds_store() -> bool {
    let asked = ["info", "--format", "{{json .DriverStatus}}"];
    !ground::on_podman()
        && docker(asked).is_ok_and(|said| said.contains("io.containerd.snapshotter"))
}

/// The network that containers are on unless they are told otherwise.
pub fn default_network() -> &'static str {
    if ground::on_podman() {
        "podman"
    } else {
        "bridge"
    }
}

/// The host's address at which the container's TCP port `port` is published.
pub fn published(container: &str, port: u16) -> anyhow::Result<SocketAddr> {
    let lines = docker(["port", container, &format!("{port}/tcp")])?;
    let first = lines.lines().next().unwrap_or_default();
    first
        .parse()
        .with_context(|| format!("{container} does not publish {port}: {lines}"))
}

/// One app's name for one test; when it is dropped, everything that belongs to the name is removed.
///
/// These are the containers `app`, `app-new`, `app-old`, `app-next` and the images labelled `app=<name>`.
#[derive(Debug)]
pub struct Scope {
    app: String,
    at_end: Mutex<Vec<Vec<String>>>,
}

impl Scope {
    /// A scope whose app name starts with `prefix` and is used by no other test or process.
    pub fn new(prefix: &str) -> Scope {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        Scope {
            app: format!("{prefix}-{}-{count}", std::process::id()),
            at_end: Mutex::default(),
        }
    }

    /// The app's name.
    pub fn app(&self) -> &str {
        &self.app
    }

    /// The name of the app's candidate.
    pub fn candidate(&self) -> String {
        format!("{}-new", self.app)
    }

    /// Removes the container `name`, too.
    pub fn also_container(&self, name: &str) {
        self.at_end(["rm", "-f", "-v", name]);
    }

    /// Runs `docker` with `args` at the end (say `network rm x`), the last registered first; its failure is ignored.
    pub fn at_end<const N: usize>(&self, args: [&str; N]) {
        if let Ok(mut list) = self.at_end.lock() {
            list.push(args.map(str::to_owned).to_vec());
        }
    }
}

impl Drop for Scope {
    fn drop(&mut self) {
        let names = ["", "-new", "-old", "-next"].map(|end| format!("{}{end}", self.app));
        // One by one: where one is gone, podman 4 leaves the rest.
        let (alone, together) = (names.chunks(1), names.chunks(names.len()));
        for some in if ground::on_podman() { alone } else { together } {
            let some = some.iter().map(String::as_str);
            let _ = docker(["rm", "-f", "-v"].into_iter().chain(some));
        }
        let commands = self.at_end.lock().map(|list| list.clone());
        for args in commands.unwrap_or_default().iter().rev() {
            let _ = docker(args);
        }
        let label = format!("label=app={}", self.app);
        if let Ok(ids) = docker(["image", "ls", "-aq", "--no-trunc", "--filter", &label]) {
            for id in ids.lines() {
                let _ = docker(["image", "rm", "-f", id]);
            }
        }
    }
}
