//! A machine's start: its cgroup and its namespaces, its init in them, and the wait until that is done.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use crate::ground::private::{Signals, end, first_child};
use crate::process::{Run, run_within};

/// Makes the stage's cgroup, seen in this mount namespace only, and becomes what follows the stage's folder `$1`.
const CGROUP: &str = r#"mkdir "$1/cgroup" && mount -t cgroup2 none "$1/cgroup" && mkdir "$1/cgroup/${1##*/}" && \
    shift && exec "$@""#;

/// Goes into the cgroup and becomes the rest.
const JOIN: &str = r#"echo 0 >"$1" && shift && exec "$@""#;

const BOOT: &str = include_str!("boot.sh");

const LIMIT: Duration = Duration::from_secs(180);

/// A machine that has been started, and ends with this.
#[derive(Debug)]
pub(super) struct Booted {
    /// Waits for its init, in the mount namespace where its cgroup is seen.
    keeper: Child,
    dir: PathBuf,
}

impl Booted {
    /// Starts the init of a machine in the stage's folder `dir`, from the root folder `home`.
    pub(super) fn start(dir: &Path, home: &Path, shared: &[PathBuf]) -> anyhow::Result<Booted> {
        let log = File::create(dir.join("log"))?;
        let spaces = ["unshare", "--fork", "--pid", "--net", "--ipc", "--uts"];
        let keeper = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "unshare", "--mount", "--"])
            .args(["sh", "-c", CGROUP, "sh"])
            .arg(dir)
            .args(spaces)
            .args(["--kill-child=SIGKILL", "--", "sh", "-c", JOIN, "sh"])
            .arg(cgroup(dir).join("cgroup.procs"))
            .args(["unshare", "--cgroup", "--mount"])
            .args(["--", "sh", "-c", BOOT, "sh"])
            .args([dir, home])
            .args(shared)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("the machine could not be started")?;
        let dir = dir.to_owned();
        Ok(Booted { keeper, dir })
    }

    /// Waits until all that it starts at its boot has been started and its engine answers, or a signal came.
    pub(super) fn wait(&mut self, signals: &Signals) -> anyhow::Result<()> {
        let end = Instant::now() + LIMIT;
        while signals.caught().is_none() && !self.is_up() {
            if let Some(status) = self.keeper.try_wait()? {
                bail!("the machine ended at once ({status}):\n{}", self.log());
            }
            if Instant::now() > end {
                let limit = LIMIT.as_secs();
                bail!("the machine was not up within {limit} s:\n{}", self.state());
            }
            thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    fn is_up(&self) -> bool {
        let state = self.ask(&["systemctl", "is-system-running"]);
        let settled = state.is_ok_and(|it| ["running", "degraded"].contains(&it.stdout.trim()));
        settled
            && self
                .ask(&["docker", "version"])
                .is_ok_and(|it| it.code == 0)
    }

    /// Ends it with all that runs in it.
    pub(super) fn end(mut self) -> anyhow::Result<()> {
        end(&mut self.keeper)
    }

    /// The start of a command in it, whose process belongs to the machine's own cgroups.
    pub(super) fn enter(&self) -> anyhow::Result<Command> {
        let keeper = self.keeper.id();
        let init = first_child(keeper).context("the machine has no init")?;
        let mut command = Command::new("setpriv");
        command
            .args(["--pdeathsig", "KILL", "nsenter"])
            .arg(format!("--mount=/proc/{keeper}/ns/mnt"))
            .args(["--", "sh", "-c", JOIN, "sh"])
            // The one that is there from the start, and has no others below it.
            .arg(cgroup(&self.dir).join("init.scope/cgroup.procs"))
            .args(["nsenter", "--all", "--target"])
            .arg(init.as_raw_pid().to_string());
        Ok(command)
    }

    fn ask(&self, words: &[&str]) -> anyhow::Result<Run> {
        let mut command = self.enter()?;
        command.arg("--").args(words).env_remove("DOCKER_HOST");
        run_within(&mut command, None, Duration::from_secs(10))
    }

    fn log(&self) -> String {
        fs::read_to_string(self.dir.join("log")).unwrap_or_default()
    }

    fn state(&self) -> String {
        let failed = ["systemctl", "list-units", "--failed", "--no-legend"];
        let journal = ["journalctl", "--no-pager", "--lines=20", "--unit=docker"];
        let asked = [&failed[..], &journal].map(|words| self.ask(words));
        let said = asked.map(|run| run.map(|it| it.stdout).unwrap_or_default());
        format!("{}{}", self.log(), said.concat())
    }
}

/// The machine's cgroup, as the keeper sees it.
fn cgroup(dir: &Path) -> PathBuf {
    let name = dir.file_name().unwrap_or_default();
    dir.join("cgroup").join(name)
}
