//! What happens inside the private namespaces: start an engine, run the command, hand on its exit code.

use std::ffi::OsString;
use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};

use super::cgroup::{CGROUPS, Cgroup};
use super::{STAGE, command, on_podman, on_rootless_docker, podman, rootless};
use crate::process::{code_of, run_within, scrub};

/// An own folder of locks, as the package makes it; that of this machine is made where it is missing, to mount it there.
const LOCKS: &str = "mkdir -p -m 700 /run/deploy-steps && group=$(getent group docker | cut -d: -f3) && \
    mount -t tmpfs -o mode=2770,gid=${group:-0} tmpfs /run/deploy-steps";

/// Where an engine of Docker's would be found that is not the stage's.
const DOCKERS: &str = "/run/docker.sock";

/// All that would lead the CLI to another engine than the stage's own.
pub(super) const ELSEWHERE: [&str; 7] = [
    "CONTAINER_CONNECTION",
    "CONTAINER_HOST",
    "DOCKER_CONTEXT",
    "DOCKER_TLS",
    "DOCKER_TLS_VERIFY",
    "DOCKER_CERT_PATH",
    "DOCKER_API_VERSION",
];

/// Runs `argv` with an engine of its own in the folder `dir`, started with `flags`, and returns its exit code. The
/// engine sees cgroups of the wanted version, else version 2 wherever the kernel can.
///
/// To be called only in fresh pid, network and mount namespaces: they end the engine when this ends.
pub fn inner(
    dir: &Path,
    flags: &[String],
    cgroup: Option<Cgroup>,
    argv: &[OsString],
) -> anyhow::Result<i32> {
    must("ip", &["link", "set", "lo", "up"])?;
    // An engine that sees the system's containerd would run its containers there, outside of the stage.
    if Path::new("/run/containerd").exists() {
        must("mount", &["-t", "tmpfs", "tmpfs", "/run/containerd"])?;
    }
    // Process ids begin anew here, and names of apps are made of them: another stage's have the same.
    must("sh", &["-c", LOCKS])?;
    see_own_network()?;
    Cgroup::mount(cgroup)?;
    let own = if on_rootless_docker() {
        must("ip", &["address", "add", rootless::REGISTRIES, "dev", "lo"])?;
        rootless::folder(dir)
    } else {
        dir.to_owned()
    };
    let host = format!("unix://{}/docker.sock", own.display());
    let mut command = command(argv)?;
    for name in ELSEWHERE {
        command.env_remove(name);
    }
    if on_podman() {
        if Path::new(DOCKERS).exists() {
            must("mount", &["--bind", "/dev/null", DOCKERS])?;
        }
        let mut keeper = podman::start(dir)?;
        wait_for(&mut keeper, dir, || podman::is_ready(dir))?;
        command.env_remove("DOCKER_HOST");
    } else {
        let mut engine = start_engine(dir, &own, &host, flags)?;
        wait_for(&mut engine, dir, || answers(&host))?;
        command.env("DOCKER_HOST", &host);
    }
    let status = scrub(&mut command)
        // Logins are kept here, not in the home folder of whoever runs this.
        .env("DOCKER_CONFIG", dir.join("config"))
        .env(STAGE, dir)
        .status()
        .with_context(|| format!("{} could not be started", argv[0].display()))?;
    Ok(code_of(status))
}

fn must(program: &str, args: &[&str]) -> anyhow::Result<()> {
    let status = Command::new(program).args(args).status();
    let done = status.with_context(|| format!("`{program}` could not be started"))?;
    ensure!(done.success(), "`{program} {}` failed", args.join(" "));
    Ok(())
}

// What /sys shows of the network is that of whoever mounted it.
fn see_own_network() -> anyhow::Result<()> {
    must("mount", &["--rbind", CGROUPS, "/mnt"])?;
    must("mount", &["-t", "sysfs", "sysfs", "/sys"])?;
    must("mount", &["--move", "/mnt", CGROUPS])
}

fn start_engine(dir: &Path, own: &Path, host: &str, flags: &[String]) -> anyhow::Result<Child> {
    // The system's own settings are not for this engine, and might contradict its flags.
    let config = dir.join("daemon.json");
    fs::write(&config, "{}")?;
    let log = File::create(dir.join("log"))?;
    let mut engine = Command::new("dockerd");
    engine
        .arg("--config-file")
        .arg(config)
        .arg("--data-root")
        .arg(own.join("data"))
        .arg("--exec-root")
        .arg(own.join("exec"))
        .arg("--pidfile")
        .arg(own.join("pid"))
        .args(["-H", host]);
    if on_rootless_docker() {
        engine.args(["--insecure-registry", rootless::REGISTRIES]);
    } else {
        // From the root, as the engine's own default: relative to our cgroup it could not be found again.
        let name = dir.file_name().context("the stage's folder has no name")?;
        engine
            .args(["--exec-opt", "native.cgroupdriver=cgroupfs"])
            .arg("--cgroup-parent")
            .arg(Path::new("/").join(name));
    }
    engine
        .args(flags)
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .spawn()
        .context("`dockerd` could not be started")
}

fn answers(host: &str) -> bool {
    let mut ask = Command::new("docker");
    ask.args(["-H", host, "version", "--format", "{{.Server.Version}}"]);
    for name in ELSEWHERE {
        ask.env_remove(name);
    }
    let asked = run_within(&mut ask, None, Duration::from_secs(10));
    asked.is_ok_and(|run| run.code == 0)
}

fn wait_for(engine: &mut Child, dir: &Path, is_there: impl Fn() -> bool) -> anyhow::Result<()> {
    let end = Instant::now() + Duration::from_secs(60);
    while Instant::now() < end {
        if is_there() {
            return Ok(());
        }
        if let Some(status) = engine.try_wait()? {
            bail!("the engine ended at once ({status}):\n{}", last_lines(dir));
        }
        thread::sleep(Duration::from_millis(20));
    }
    bail!(
        "the engine did not answer within 60 s:\n{}",
        last_lines(dir)
    )
}

fn last_lines(dir: &Path) -> String {
    let log = fs::read_to_string(dir.join("log")).unwrap_or_default();
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(10)..].join("\n")
}
