//! The forwarder: a process that takes the connections which the kernel cannot translate, and copies their bytes.
//!
//! A loopback sender cannot be answered from beyond this host. The engine keeps its networks apart, and does not
//! translate IPv6. Docker has a proxy of its own for such clients; this is ours, as long as the bridge is there.
//!
//! It is a process and not a thread, because its connections must outlive a promotion that is killed. It is this
//! program once more, so that nothing else has to be installed. It also outlives an engine that is down, and the
//! promotion; so it keeps the bridge as well: when the candidate's process ends it closes the rules, hands out the last
//! answers, and then removes the rules. It touches only rules that name its own port, as a later promotion may have
//! others by then.

use std::ffi::OsString;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::process::{Pid, Signal, kill_process};
use signal_hook::consts::SIGTERM;
use step::host::nft::{LONGEST, Nft};
use step::host::process::Limits;
use step::model::name::Name;
use step::role::Role;

use super::exit_watch::Process;
use super::listing::forwarders;
use super::relay::Relay;
use super::ruleset;
use crate::cgroup::Cgroup;

/// What follows are the candidate's address, its process, and the app's container. Stdin is the listening socket.
pub(crate) const ROLE: Role = Role {
    name: "__forward",
    run: |args| match forward(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    },
};

/// A forwarder that runs. Dropped, it ends with its last connection.
#[derive(Debug)]
pub(crate) struct Forwarder {
    child: Child,
    /// Where it listens, on every address.
    pub(crate) port: u16,
    ends_with_us: bool,
}

impl Forwarder {
    /// Starts a forwarder to `candidate`, whose main process is `pid`. It also keeps the bridge of
    /// `container`, as it outlives a promotion that is killed.
    pub(crate) fn start(
        candidate: SocketAddr,
        pid: i32,
        container: &Name,
        cgroup: &Cgroup,
    ) -> io::Result<Self> {
        // Listening on `::` takes IPv4 too; without IPv6 there is only IPv4 to take.
        let listener = TcpListener::bind("[::]:0").or_else(|_| TcpListener::bind("0.0.0.0:0"))?;
        let port = listener.local_addr()?.port();
        let child = Command::new("/proc/self/exe")
            .arg0("promote")
            .args([ROLE.name, &candidate.to_string(), &pid.to_string()])
            .arg(container.as_str())
            .stdin(Stdio::from(std::os::fd::OwnedFd::from(listener)))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()?;
        cgroup.take_in(&child);
        Ok(Self {
            child,
            port,
            ends_with_us: true,
        })
    }

    /// Lets it go on until the candidate is gone.
    pub(crate) fn leave(mut self) {
        self.ends_with_us = false;
    }

    /// Has it end with the last that is open.
    pub(crate) fn finish(&self) {
        let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
    }
}

impl Drop for Forwarder {
    fn drop(&mut self) {
        if self.ends_with_us {
            self.finish();
        }
    }
}

fn forward(args: &[OsString]) -> io::Result<()> {
    let args: Vec<&str> = args.iter().filter_map(|arg| arg.to_str()).collect();
    let [candidate, pid, container] = args[..] else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let candidate = candidate.parse().map_err(io::Error::other)?;
    let process = Process::find(pid.parse().map_err(io::Error::other)?)?;
    let container = container.parse().map_err(io::Error::other)?;
    serve(candidate, &process, &container)
}

/// After SIGTERM it ends with its last connection, else with the candidate. Then nobody is redirected any more, the
/// last answers are handed out, and the rules go.
fn serve(candidate: SocketAddr, process: &Process, container: &Name) -> io::Result<()> {
    let listener = TcpListener::from(io::stdin().as_fd().try_clone_to_owned()?);
    let port = listener.local_addr()?.port();
    let stop = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(SIGTERM, Arc::clone(&stop))?;
    signal_hook::flag::register(signal_hook::consts::SIGHUP, Arc::default())?;
    let relay = Relay::accept(listener, candidate);
    while !process.has_ended() {
        if stop.load(Ordering::Relaxed) && !relay.is_open() {
            return Ok(());
        }
    }
    let keeps = !stop.load(Ordering::Relaxed);
    if keeps {
        close_own_rules(container, port);
    }
    relay.hand_out();
    if keeps {
        remove_own_rules(container, port);
    }
    Ok(())
}

/// Has the container's rules redirect nobody, if they are those of the forwarder on `port`.
pub(crate) fn close_own_rules(container: &Name, port: u16) {
    if let Some(nft) = with_own_rules(container, port) {
        let _ = nft.apply(&ruleset::close(container));
    }
}

/// Removes the container's rules, if they are those of the forwarder on `port`.
pub(crate) fn remove_own_rules(container: &Name, port: u16) {
    if let Some(nft) = with_own_rules(container, port) {
        // Nobody is there to be told; the next promotion finds what is left.
        let _ = nft.remove(container);
    }
}

/// Those of a later promotion are another forwarder's.
fn with_own_rules(container: &Name, port: u16) -> Option<Nft> {
    let nft = Nft::find(Limits::within(LONGEST)).ok()?;
    let rules = nft.read(container)?;
    forwarders(&rules).contains(&port).then_some(nft)
}
