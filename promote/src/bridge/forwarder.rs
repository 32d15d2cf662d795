//! The forwarder: a process that takes the connections, or the datagrams, which the kernel cannot translate.
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
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Arc;
use std::thread;

use rustix::process::{DumpableBehavior, Pid, Signal, kill_process, set_dumpable_behavior};
use signal_hook::consts::{SIGHUP, SIGTERM};
use socket2::{Socket, Type};
use step::host::nft::{LONGEST, Nft};
use step::host::process::Limits;
use step::join::both;
use step::model::name::Name;
use step::role::Role;

use super::listing::forwarders;
use super::relay::datagrams::Datagrams;
use super::relay::{End, LAST_ANSWERS, Relay};
use super::ruleset;
use super::sockets::Sockets;
use super::watch::Process;
use crate::cgroup::Cgroup;
use crate::environment;

/// What follows are the candidate's address, its process, and the app's container. Those of its streams
/// that are sockets listen.
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
    ends_with_us: bool,
}

impl Forwarder {
    /// Starts a forwarder from these sockets to `candidate`, whose main process is `pid`. It also keeps the bridge of
    /// `container`, as it outlives a promotion that is killed.
    pub(crate) fn start(
        sockets: Sockets,
        candidate: SocketAddr,
        pid: i32,
        container: &Name,
        cgroup: &Cgroup,
    ) -> io::Result<Self> {
        let [v4, v6, for_containers] = sockets.listen()?;
        let handed = |socket: Option<OwnedFd>| socket.map_or_else(Stdio::null, Stdio::from);
        let child = Command::new("/proc/self/exe")
            .arg0("promote")
            .args([ROLE.name, &candidate.to_string(), &pid.to_string()])
            .arg(container.as_str())
            .env_clear()
            .envs(environment::short())
            .stdin(handed(v4))
            .stdout(handed(v6))
            .stderr(handed(for_containers))
            .process_group(0)
            .spawn()?;
        cgroup.take_in(&child);
        Ok(Self {
            child,
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
    // With file capabilities its files would be root's, and a later promotion could not tell its connections.
    let _ = set_dumpable_behavior(DumpableBehavior::Dumpable);
    let (stop, told) = UnixStream::pair()?;
    signal_hook::low_level::pipe::register(SIGTERM, told)?;
    signal_hook::flag::register(SIGHUP, Arc::default())?;
    let sockets = sockets();
    let addresses = sockets.iter().flat_map(Socket::local_addr);
    let ports: Vec<u16> = addresses
        .filter_map(|it| Some(it.as_socket()?.port()))
        .collect();
    if sockets.iter().any(is_for_datagrams) {
        let sockets = sockets.into_iter().map(UdpSocket::from).collect();
        let mut relay = Datagrams::new(sockets, candidate, process, &stop)?;
        if relay.run()? == (End::Lost { is_told: false }) {
            close_own_rules(container, &ports);
            // Connections to a forwarder beside this one get their last answers by the rules.
            thread::sleep(LAST_ANSWERS);
            remove_own_rules(container, &ports);
        }
        return Ok(());
    }
    let listeners = sockets.into_iter().map(TcpListener::from).collect();
    let mut relay = Relay::new(listeners, candidate, process, &stop)?;
    let End::Lost { is_told } = relay.run()? else {
        return Ok(());
    };
    relay.close();
    if is_told {
        relay.hand_out();
        return Ok(());
    }
    // At the same time, as no answer is to wait for `nft`.
    both(|| relay.hand_out(), || close_own_rules(container, &ports));
    remove_own_rules(container, &ports);
    Ok(())
}

fn is_for_datagrams(socket: &Socket) -> bool {
    socket.r#type().is_ok_and(|kind| kind == Type::DGRAM)
}

/// Those of the three streams that are sockets.
fn sockets() -> Vec<Socket> {
    let (stdin, stdout, stderr) = (io::stdin(), io::stdout(), io::stderr());
    let streams = [stdin.as_fd(), stdout.as_fd(), stderr.as_fd()].into_iter();
    let files = streams.flat_map(|stream| stream.try_clone_to_owned());
    let sockets = files.map(Socket::from);
    sockets.filter(|it| it.local_addr().is_ok()).collect()
}

/// Has the container's rules redirect nobody, if they are those of the forwarder on these ports.
pub(crate) fn close_own_rules(container: &Name, ports: &[u16]) {
    if let Some(nft) = with_own_rules(container, ports) {
        let _ = nft.apply(&ruleset::close(container));
    }
}

/// Removes the container's rules, if they are those of the forwarder on these ports.
pub(crate) fn remove_own_rules(container: &Name, ports: &[u16]) {
    if let Some(nft) = with_own_rules(container, ports) {
        // Nobody is there to be told; the next promotion finds what is left.
        let _ = nft.remove(container);
    }
}

/// Those of a later promotion are another forwarder's.
fn with_own_rules(container: &Name, ports: &[u16]) -> Option<Nft> {
    let nft = Nft::find(Limits::within(LONGEST)).ok()?;
    let found = forwarders(&nft.read(container)?);
    let is_own = found.iter().any(|port| ports.contains(port));
    is_own.then_some(nft)
}
