//! Clients elsewhere: on another host, which is a network namespace behind a veth, and in other containers.

use std::fs::File;
use std::os::fd::AsFd;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::{self, JoinHandle};

use anyhow::{Context, ensure};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::cargo;
use crate::docker::docker;
use crate::load::Outcome;

/// Another host with one cable to this one; gone when dropped.
#[derive(Debug)]
pub struct Peer {
    name: String,
    number: u32,
}

impl Peer {
    /// Makes it, with an IPv4 and an IPv6 address.
    ///
    /// # Errors
    /// Without the right to make network namespaces.
    pub fn new() -> anyhow::Result<Peer> {
        let peer = Peer::named()?;
        let (name, number) = (&peer.name, peer.number);
        let (here, there) = (format!("dsh{number}"), format!("dsp{number}"));
        ip(&[
            "link", "add", &here, "type", "veth", "peer", "name", &there, "netns", name,
        ])?;
        for (end, last) in [(&here, 1), (&there, 2)] {
            let inside: &[&str] = if last == 2 { &["-n", name] } else { &[] };
            let (v4, v6) = (
                format!("{}{last}/24", peer.prefix4()),
                format!("{}{last}/64", peer.prefix6()),
            );
            ip(&[inside, &["addr", "add", &v4, "dev", end]].concat())?;
            ip(&[inside, &["-6", "addr", "add", &v6, "dev", end, "nodad"]].concat())?;
            ip(&[inside, &["link", "set", end, "up"]].concat())?;
        }
        Ok(peer)
    }

    /// With a name that nobody has: stages at work at the same time share these names, and each counts its processes from 1.
    fn named() -> anyhow::Result<Peer> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let mut tries = 0..10;
        loop {
            let count = COUNT.fetch_add(1, Ordering::Relaxed) + 1;
            let number = count + 100 * (std::process::id() % 100);
            let name = format!("ds-peer-{number}");
            match ip(&["netns", "add", &name]) {
                Ok(_) => return Ok(Peer { name, number }),
                Err(error) if tries.next().is_none() => return Err(error),
                Err(_) => {}
            }
        }
    }

    /// This host's IPv4 address on the cable.
    pub fn host_v4(&self) -> String {
        format!("{}1", self.prefix4())
    }

    /// This host's IPv6 address on the cable, without brackets.
    pub fn host_v6(&self) -> String {
        format!("{}1", self.prefix6())
    }

    /// This host's end of the cable.
    pub fn cable(&self) -> String {
        format!("dsh{}", self.number)
    }

    /// Takes the IPv6 addresses that routers know from both ends. Returns how this host is called there by that of the link,
    /// without brackets.
    ///
    /// # Errors
    /// Where it has none.
    pub fn on_the_link(&self) -> anyhow::Result<String> {
        let (here, there) = (self.cable(), format!("dsp{}", self.number));
        ip(&["-6", "addr", "flush", "dev", &here, "scope", "global"])?;
        let inside = ["-n", &self.name];
        let flush = ["-6", "addr", "flush", "dev", &there, "scope", "global"];
        ip(&[&inside[..], &flush].concat())?;
        let shown = ip(&["-6", "-o", "addr", "show", "dev", &here, "scope", "link"])?;
        let mut words = shown.split_whitespace();
        let address = words.find_map(|it| it.strip_suffix("/64"));
        let address = address.context("the cable has no address of the link")?;
        let index = ip(&[&inside[..], &["-o", "link", "show", &there]].concat())?;
        let index = index.split(':').next().unwrap_or_default();
        Ok(format!("{address}%{index}"))
    }

    /// Makes this host's end of the cable a port of a bridge that has its addresses, as hosts of virtual machines have it.
    /// Returns the bridge's name.
    ///
    /// # Errors
    /// Without the right to make one.
    pub fn behind_a_bridge(&self) -> anyhow::Result<String> {
        let (bridge, cable) = (self.bridge(), self.cable());
        ip(&["link", "add", &bridge, "type", "bridge"])?;
        ip(&["addr", "flush", "dev", &cable])?;
        ip(&["link", "set", &cable, "master", &bridge])?;
        ip(&["link", "set", &bridge, "up"])?;
        let (v4, v6) = (self.host_v4(), self.host_v6());
        ip(&["addr", "add", &format!("{v4}/24"), "dev", &bridge])?;
        let v6 = format!("{v6}/64");
        ip(&["-6", "addr", "add", &v6, "dev", &bridge, "nodad"])?;
        Ok(bridge)
    }

    fn bridge(&self) -> String {
        format!("dsb{}", self.number)
    }

    /// Makes load from there.
    ///
    /// # Errors
    /// When the client cannot be started.
    pub fn load(&self, target: &str, rate_per_s: u32) -> anyhow::Result<RemoteLoad> {
        let network = format!("--net=/run/netns/{}", self.name);
        RemoteLoad::start(&[&network], target, rate_per_s)
    }

    /// So many clients there ask by UDP.
    ///
    /// # Errors
    /// When they cannot be started.
    pub fn datagrams(&self, target: &str, clients: u16) -> anyhow::Result<RemoteLoad> {
        let network = format!("--net=/run/netns/{}", self.name);
        RemoteLoad::entered(
            &[&network],
            ["datagrams", target, "-", &clients.to_string()],
        )
    }

    /// Does something there, on a thread of its own.
    pub fn spawn<T: Send + 'static>(
        &self,
        deed: impl FnOnce() -> anyhow::Result<T> + Send + 'static,
    ) -> JoinHandle<anyhow::Result<T>> {
        let network = format!("/run/netns/{}", self.name);
        thread::spawn(move || {
            let network = File::open(network)?;
            move_into_link_name_space(network.as_fd(), Some(LinkNameSpaceType::Network))?;
            deed()
        })
    }

    // A range for documentation and tests (RFC 2544), then a unique local one (RFC 4193).
    fn prefix4(&self) -> String {
        format!("198.{}.{}.", 18 + self.number / 250 % 2, self.number % 250)
    }

    fn prefix6(&self) -> String {
        format!("fd5e:{:x}::", self.number)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = ip(&["netns", "del", &self.name]);
        let _ = ip(&["link", "del", &self.bridge()]);
    }
}

/// A load made by another process.
#[derive(Debug)]
pub struct RemoteLoad {
    child: Child,
}

impl RemoteLoad {
    /// Makes load from within the network of a container.
    ///
    /// # Errors
    /// When the client cannot be started.
    pub fn beside(container: &str, target: &str, rate_per_s: u32) -> anyhow::Result<RemoteLoad> {
        let pid = pid(container)?;
        RemoteLoad::start(&["--target", &pid, "--net"], target, rate_per_s)
    }

    /// So many clients ask by UDP from within the network of a container.
    ///
    /// # Errors
    /// When they cannot be started.
    pub fn datagrams_beside(
        container: &str,
        target: &str,
        clients: u16,
    ) -> anyhow::Result<RemoteLoad> {
        let (pid, clients) = (pid(container)?, clients.to_string());
        RemoteLoad::entered(
            &["--target", &pid, "--net"],
            ["datagrams", target, "-", &clients],
        )
    }

    /// Makes load from a container of its own on `network`, where names are resolved by the engine.
    ///
    /// # Errors
    /// When the client cannot be started.
    pub fn on_network(
        network: &str,
        image: &str,
        target: &str,
        rate_per_s: u32,
    ) -> anyhow::Result<RemoteLoad> {
        let mut command = contained(network, image);
        command.args(["load", target, "/", &rate_per_s.to_string()]);
        RemoteLoad::spawn(&mut command)
    }

    /// Makes load from where `nsenter` leads with these words.
    ///
    /// # Errors
    /// When the client cannot be started.
    pub fn start(enter: &[&str], target: &str, rate_per_s: u32) -> anyhow::Result<RemoteLoad> {
        RemoteLoad::entered(enter, ["load", target, "/", &rate_per_s.to_string()])
    }

    fn entered(enter: &[&str], words: [&str; 4]) -> anyhow::Result<RemoteLoad> {
        let mut command = Command::new("nsenter");
        command.args(enter).arg("--").arg(cargo::demo_app()?);
        RemoteLoad::spawn(command.args(words))
    }

    /// As [`RemoteLoad::on_network`], over so many connections that are kept.
    ///
    /// # Errors
    /// When the client cannot be started.
    pub fn kept_on_network(
        network: &str,
        image: &str,
        target: &str,
        connections: u16,
    ) -> anyhow::Result<RemoteLoad> {
        let mut command = contained(network, image);
        command.args(["keep", target, "/", &connections.to_string()]);
        RemoteLoad::spawn(&mut command)
    }

    fn spawn(command: &mut Command) -> anyhow::Result<RemoteLoad> {
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        Ok(RemoteLoad {
            child: child.context("the client could not be started")?,
        })
    }

    /// Ends it, waits for the requests under way, and returns what it saw.
    ///
    /// # Errors
    /// When it failed or said something else.
    pub fn finish(mut self) -> anyhow::Result<Outcome> {
        drop(self.child.stdin.take());
        let output = self.child.wait_with_output()?;
        ensure!(
            output.status.success(),
            "the client failed: {}",
            output.status
        );
        serde_json::from_slice(&output.stdout).context("the client said something else")
    }
}

/// The main process of a container.
fn pid(container: &str) -> anyhow::Result<String> {
    let format = "{{.State.Pid}}";
    docker(["container", "inspect", "--format", format, container])
}

/// The demo application in a container of its own.
fn contained(network: &str, image: &str) -> Command {
    let mut command = Command::new("docker");
    command.args(["run", "--rm", "--interactive", "--network", network, image]);
    command
}

/// What it says.
fn ip(args: &[&str]) -> anyhow::Result<String> {
    let null = File::open("/dev/null")?;
    let output = Command::new("ip")
        .args(args)
        .stdin(null)
        .output()
        .context("`ip` could not be started: install iproute2")?;
    ensure!(
        output.status.success(),
        "ip {}: {}",
        args.join(" "),
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(String::from_utf8(output.stdout)?)
}
