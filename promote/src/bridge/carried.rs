//! The connections that an app's forwarders and the engine's proxy carry on its host ports.
//!
//! Both have sockets with the port that was called, as what the kernel hands to a forwarder keeps it. So they are told
//! apart by the process that has them: a forwarder is found by its words, whichever promotion has started it.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use step::engine::container::Container;
use step::model::name::Name;
use step::model::port::Publish;

use super::forwarder::ROLE;
use crate::traffic::connections::{Connections, connections_here};
use crate::traffic::drain::{Drained, drain};

/// An app's forwarders.
#[derive(Debug)]
pub(crate) struct Forwarders(Vec<Process>);

#[derive(Debug)]
struct Process {
    pid: u32,
    candidate: Option<SocketAddr>,
}

impl Forwarders {
    /// All that run for this container.
    pub(crate) fn of(container: &Name) -> Self {
        let pids = fs::read_dir("/proc").into_iter().flatten().flatten();
        let pids = pids.filter_map(|it| it.file_name().to_str()?.parse().ok());
        Self(pids.filter_map(|pid| Process::of(container, pid)).collect())
    }

    /// What clients have open with them.
    ///
    /// # Errors
    /// When the kernel does not tell.
    fn connections(&self) -> io::Result<Connections> {
        let sockets = self.sockets();
        let is_candidate = |peer| self.0.iter().any(|it| it.candidate == Some(peer));
        connections_here(|it| sockets.contains(&it.inode) && !is_candidate(it.peer))
    }

    /// What clients have open on these ports of the host with anybody else: the engine's proxy.
    ///
    /// # Errors
    /// When the kernel does not tell.
    pub(crate) fn beside(&self, publish: &[Publish]) -> io::Result<Connections> {
        let sockets = self.sockets();
        let is_called = |port| publish.iter().any(|it| it.host == port);
        // Those that nobody has accepted yet have no number, and are counted with who listens.
        connections_here(|it| is_called(it.port) && it.inode != 0 && !sockets.contains(&it.inode))
    }

    /// Waits until the container has answered on these ports, and what these forwarders carry to it has been answered;
    /// at most `limit`.
    pub(crate) fn drain(
        &self,
        container: &Container,
        publish: &[Publish],
        limit: Duration,
    ) -> Drained {
        drain(container, publish, || self.connections(), limit)
    }

    fn sockets(&self) -> BTreeSet<u64> {
        self.0.iter().flat_map(|it| sockets_of(it.pid)).collect()
    }
}

impl Process {
    fn of(container: &Name, pid: u32) -> Option<Self> {
        let words = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        let words: Vec<&str> = words
            .split(|byte| *byte == 0)
            .map(std::str::from_utf8)
            .collect::<Result<_, _>>()
            .ok()?;
        match words[..] {
            [_, role, candidate, _, name, ..]
                if role == ROLE.name && name == container.as_str() =>
            {
                let candidate = candidate.parse().ok();
                Some(Self { pid, candidate })
            }
            _ => None,
        }
    }
}

/// As the kernel shows a process's files: `socket:[1234]`.
fn sockets_of(pid: u32) -> impl Iterator<Item = u64> {
    let files = fs::read_dir(format!("/proc/{pid}/fd"));
    let targets = files.into_iter().flatten().flatten();
    targets.filter_map(|file| {
        let target = fs::read_link(file.path()).ok()?;
        let target = target.to_str()?.strip_prefix("socket:[")?;
        target.strip_suffix(']')?.parse().ok()
    })
}
