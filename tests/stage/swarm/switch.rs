//! The cables between the machines of a swarm, and what they lead to.

use std::process::Command;

use anyhow::ensure;

use super::LIMIT;
use crate::process::run_within;

/// The bridge that the machines' cables lead to.
#[derive(Debug)]
pub(super) struct Switch {
    name: String,
    network: u8,
}

impl Switch {
    pub(super) fn new(network: u8) -> anyhow::Result<Switch> {
        let switch = Switch {
            name: format!("ds{network}x{}", std::process::id() % 100_000),
            network,
        };
        let (name, own) = (switch.name.as_str(), format!("{}1/24", switch.addresses()));
        must("ip", &["link", "add", name, "type", "bridge"])?;
        must("ip", &["address", "add", &own, "dev", name])?;
        must("ip", &["link", "set", name, "up"])?;
        // An engine beside it forwards nothing but what it knows.
        must("iptables", &switch.forwarding("-I"))?;
        Ok(switch)
    }

    fn forwarding<'a>(&'a self, how: &'a str) -> [&'a str; 8] {
        let name = self.name.as_str();
        [how, "FORWARD", "-i", name, "-o", name, "-j", "ACCEPT"]
    }

    /// How the addresses on it begin.
    pub(super) fn addresses(&self) -> String {
        format!("10.{}.0.", self.network)
    }

    pub(super) fn plug(&self, number: &str, first: &str) -> anyhow::Result<()> {
        let end = format!("{}n{number}", self.name);
        // Of a machine that was cut off, if the kernel has not taken it away yet.
        let _ = must("ip", &["link", "del", &end]);
        let veth = ["type", "veth", "peer", "name", "eth0", "netns", first];
        must("ip", &[&["link", "add", &end][..], &veth].concat())?;
        must("ip", &["link", "set", &end, "master", &self.name, "up"])
    }
}

impl Drop for Switch {
    fn drop(&mut self) {
        let _ = must("iptables", &self.forwarding("-D"));
        let _ = must("ip", &["link", "del", &self.name]);
    }
}

/// Runs it, with what it says where it fails.
pub(super) fn must(program: &str, args: &[&str]) -> anyhow::Result<()> {
    let run = run_within(Command::new(program).args(args), None, LIMIT)?;
    let said = run.stderr.trim();
    ensure!(run.code == 0, "{program} {}: {said}", args.join(" "));
    Ok(())
}
