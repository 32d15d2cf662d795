//! A proxy on a node of a swarm, and the load through it.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::{LIMIT, Swarm};
use crate::clients::RemoteLoad;
use crate::unpacked;

/// How many requests a second the proxy is asked.
pub const RATE: u32 = 50;

/// haproxy in the network of a container of a node; ends when dropped.
#[derive(Debug)]
pub struct Front {
    child: Child,
    /// The words of `nsenter` to where it is.
    way: Vec<String>,
    _folder: TempDir,
}

impl Front {
    /// Starts it beside a new container of `image` on `network`, with these settings, and waits until it passes
    /// requests on. The container stays.
    ///
    /// # Errors
    /// When there is no haproxy, or what it leads to does not answer.
    pub fn start(
        swarm: &Swarm,
        node: usize,
        (container, image): (&str, &str),
        network: &str,
        settings: &str,
    ) -> anyhow::Result<Front> {
        let named = ["--name", container, "--network", network];
        let run = [&["run", "-d", "--no-healthcheck"][..], &named, &[image]];
        swarm.docker(node, &run.concat())?;
        let way = swarm.way_into(node, container)?;
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("settings");
        fs::write(&file, format!("global\n    maxconn 4000\n{settings}"))?;
        let proxy = unpacked::command("haproxy")
            .context("haproxy is missing: `cargo xtask test --install` unpacks it")?;
        let mut command = Command::new("nsenter");
        command.args(&way).arg("--").arg(proxy.get_program());
        command.args(["-q", "-db", "-f"]).arg(file);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let given = proxy.get_envs();
        command.envs(given.filter_map(|(name, value)| Some((name, value?))));
        let front = Front {
            child: command.spawn()?,
            way,
            _folder: folder,
        };
        front.answers()?;
        Ok(front)
    }

    /// Makes load, through it, from where it is.
    ///
    /// # Errors
    /// When the client cannot be started.
    pub fn load(&self) -> anyhow::Result<RemoteLoad> {
        let way: Vec<&str> = self.way.iter().map(String::as_str).collect();
        RemoteLoad::start(&way, "127.0.0.1:80", RATE)
    }

    fn answers(&self) -> anyhow::Result<()> {
        let end = Instant::now() + LIMIT;
        loop {
            let load = self.load()?;
            thread::sleep(Duration::from_millis(300));
            let seen = load.finish()?;
            if seen.sent() > 0 && seen.failed() == 0 {
                return Ok(());
            }
            ensure!(
                Instant::now() < end,
                "the proxy on the swarm does not answer"
            );
        }
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
        let _ = self.child.wait();
    }
}
