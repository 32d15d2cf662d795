//! Power cuts and engine crashes, on a private stage of one's own that nothing else runs on.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use rustix::process::{Pid, Signal, getpid, kill_process};

use crate::docker::docker;
use crate::ground::STAGE;

/// The stage's engine, which can be ended in the middle of anything and started again.
#[derive(Debug)]
pub struct Engine {
    dir: PathBuf,
    /// Its arguments.
    words: Vec<String>,
}

impl Engine {
    /// The engine of this process's stage.
    ///
    /// # Errors
    /// Outside of a private stage.
    pub fn find() -> anyhow::Result<Engine> {
        let dir = PathBuf::from(std::env::var_os(STAGE).context("this is no private stage")?);
        let pid = fs::read_to_string(dir.join("pid")).context("the engine's id is unknown")?;
        let words = fs::read_to_string(format!("/proc/{}/cmdline", pid.trim()))?;
        let words = words.trim_end_matches('\0').split('\0').skip(1);
        Ok(Engine {
            words: words.map(str::to_owned).collect(),
            dir,
        })
    }

    /// The power fails: every process but this one and its ancestors ends, and what the kernel knew is lost.
    ///
    /// # Errors
    /// When something cannot be ended or taken away.
    pub fn cut_power(&self) -> anyhow::Result<()> {
        let spared = ancestors()?;
        end_all(|pid| !spared.contains(&pid))?;
        let _ = Command::new("nft").args(["flush", "ruleset"]).status();
        for link in fs::read_dir("/sys/class/net")?.flatten() {
            let name = link.file_name().to_string_lossy().into_owned();
            if name.starts_with("docker") || name.starts_with("br-") || name.starts_with("veth") {
                let _ = Command::new("ip")
                    .args(["link", "del", &name])
                    .stderr(Stdio::null())
                    .status();
            }
        }
        for lock in fs::read_dir("/run/deploy-steps")?.flatten() {
            fs::remove_file(lock.path())?;
        }
        self.forget()
    }

    /// Only the engine itself ends, as for want of memory.
    ///
    /// # Errors
    /// When it cannot be ended.
    pub fn crash(&self) -> anyhow::Result<()> {
        let of_engine = ["dockerd", "containerd"];
        end_all(|pid| {
            let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
            of_engine.contains(&name.trim())
        })?;
        for file in ["pid", "exec/containerd/containerd.pid"] {
            let _ = fs::remove_file(self.dir.join(file));
        }
        Ok(())
    }

    /// Starts it again and waits until it answers.
    ///
    /// # Errors
    /// When it does not within a minute.
    pub fn start(&self) -> anyhow::Result<()> {
        let log = fs::File::options()
            .append(true)
            .open(self.dir.join("log"))?;
        // By its name: what an engine of another release is started by comes first on the path.
        Command::new("dockerd")
            .args(&self.words)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .process_group(0)
            .spawn()
            .context("the engine could not be started again")?;
        let end = Instant::now() + Duration::from_secs(60);
        while docker(["version"]).is_err() {
            ensure!(Instant::now() < end, "the engine did not come back");
            thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    // What is under /run is lost with the power.
    fn forget(&self) -> anyhow::Result<()> {
        let mounts = fs::read_to_string("/proc/mounts")?;
        let under = mounts.lines().filter_map(|line| line.split(' ').nth(1));
        for mount in under.filter(|it| Path::new(it).starts_with(&self.dir)) {
            let _ = Command::new("umount")
                .args(["-l", mount])
                .stderr(Stdio::null())
                .status();
        }
        let _ = fs::remove_file(self.dir.join("pid"));
        fs::remove_dir_all(self.dir.join("exec")).context("the engine's run folder stays")
    }
}

fn ancestors() -> anyhow::Result<BTreeSet<i32>> {
    let mut found = BTreeSet::new();
    let mut pid = getpid().as_raw_nonzero().get();
    while pid > 0 && found.insert(pid) {
        let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
        let parent = status.lines().find_map(|line| line.strip_prefix("PPid:"));
        pid = parent.and_then(|id| id.trim().parse().ok()).unwrap_or(0);
    }
    Ok(found)
}

/// Until there are none left: a process may start another one before it ends.
fn end_all(is_one: impl Fn(i32) -> bool) -> anyhow::Result<()> {
    let end = Instant::now() + Duration::from_secs(30);
    loop {
        let all = fs::read_dir("/proc")?.flatten();
        let pids = all.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
        let left: Vec<i32> = pids.filter(|&pid| is_one(pid) && !is_zombie(pid)).collect();
        if left.is_empty() {
            return Ok(());
        }
        ensure!(Instant::now() < end, "these do not end: {left:?}");
        for pid in left.into_iter().filter_map(Pid::from_raw) {
            let _ = kill_process(pid, Signal::KILL);
        }
        thread::sleep(Duration::from_millis(10));
    }
}

fn is_zombie(pid: i32) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = status.rsplit(')').next().unwrap_or_default();
    state.trim_start().starts_with(['Z', 'X']) || status.is_empty()
}
