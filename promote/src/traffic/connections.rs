//! The open connections of a container, read from the kernel, and which of them wait for an answer.
//!
//! No engine tells whether a request is in flight, and an open connection is no sign of one: idle keep-alive
//! connections stay open for minutes. The kernel knows of each connection when bytes last came and went (`tcp_info`).
//! The client waits while it spoke last, or while the app's answer has not fully reached it. That told a request of 4 s
//! from an idle connection. A stream that pauses looks idle.
//!
//! The kernel answers by sock_diag, for the network of the thread that asks. So a thread of its own enters the
//! container's network. That takes root, or CAP_SYS_ADMIN and CAP_SYS_PTRACE.

use std::fs::File;
use std::io;
use std::net::IpAddr;
use std::os::fd::AsFd;
use std::thread;

use netlink_packet_sock_diag::constants::{
    AF_INET, AF_INET6, TCP_CLOSING, TCP_FIN_WAIT1, TCP_LAST_ACK, TCP_LISTEN,
};
use netlink_packet_sock_diag::inet::nlas::{Nla, TcpInfo};
use netlink_packet_sock_diag::inet::{InetResponse, SocketId};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::diag;

/// How long ago, in milliseconds, a client that has not sent a byte may have connected and still
/// count as about to send its request.
const JUST_CONNECTED_MS: u32 = 1000;

/// The app has sent its last byte, which its client may not have got.
const CLOSED: [u8; 3] = [TCP_FIN_WAIT1, TCP_LAST_ACK, TCP_CLOSING];

/// Tries to send again, which are further and further apart: three seconds at the least.
const LOST_AFTER: u8 = 3;

/// Connections of a container's clients.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Connections {
    /// All that are open.
    pub(crate) open: usize,
    /// Those with a request in flight.
    pub(crate) in_flight: usize,
}

/// The connections to `ports`, in the network of the process `pid`.
///
/// # Errors
/// Without the right to enter that network (root, or CAP_SYS_ADMIN and CAP_SYS_PTRACE).
pub(crate) fn connections(pid: i32, ports: &[u16]) -> io::Result<Connections> {
    let ports = ports.to_vec();
    within(pid, move || {
        connections_here(|socket| !socket.listens && ports.contains(&socket.port))
    })
}

/// Ends the idle ones among the connections whose other end `is_meant`, in the network of the process `pid`: both
/// sides hear of it at once. Tells how many are left, with a request in flight.
///
/// # Errors
/// Without the right to enter that network or to end what is in it, and where the kernel has no such thing
/// (`CONFIG_INET_DIAG_DESTROY`).
pub(crate) fn end_idle(
    pid: i32,
    is_meant: impl Fn(IpAddr, u16) -> bool + Send + 'static,
) -> io::Result<usize> {
    within(pid, move || {
        let mut busy = 0;
        for family in [AF_INET, AF_INET6] {
            for open in of_family(family)? {
                let SocketId {
                    destination_address: ip,
                    destination_port: port,
                    ..
                } = open.header.socket_id;
                // A server on all addresses of both families has its callers in the newer one's form.
                if !is_meant(ip.to_canonical(), port) {
                    continue;
                }
                // Asked once more, because its client may have spoken since all were listed.
                match diag::one(family, open.header.socket_id.clone())? {
                    Some(open) if is_in_flight(&open) => busy += 1,
                    Some(open) => diag::end(family, open.header.socket_id)?,
                    None => {}
                }
            }
        }
        Ok(busy)
    })
}

/// Does it in the network of the process `pid`.
///
/// # Errors
/// Without the right to enter that network, and what it fails with itself.
pub(crate) fn within<T: Send + 'static>(
    pid: i32,
    done: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    // On a thread of its own: one that has changed its network is of no other use.
    let thread = thread::Builder::new().spawn(move || {
        let network = File::open(format!("/proc/{pid}/ns/net"))?;
        move_into_link_name_space(network.as_fd(), Some(LinkNameSpaceType::Network))?;
        done()
    })?;
    thread.join().unwrap_or_else(|_| {
        Err(io::Error::other(
            "the thread in the container's network ended",
        ))
    })
}

/// One end of a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Socket {
    /// Its own port.
    pub(crate) port: u16,
    /// Its number among the kernel's files, by which its process is found (`/proc/PID/fd`).
    pub(crate) inode: u64,
    /// Whether it waits for connections: those that nobody has accepted yet are in flight, and are its.
    pub(crate) listens: bool,
    /// The other end.
    pub(crate) peer: std::net::SocketAddr,
}

/// Those of the connections that `is_meant` takes, in the network of this process.
///
/// # Errors
/// When the kernel does not tell.
pub(crate) fn connections_here(is_meant: impl Fn(Socket) -> bool) -> io::Result<Connections> {
    let mut open = of_family(AF_INET)?;
    open.extend(of_family(AF_INET6)?);
    open.retain(|connection| is_meant(socket(connection)));
    let mut found = Connections::default();
    for one in &open {
        let (number, in_flight) = match socket(one).listens {
            true => (waiting(one), waiting(one)),
            false => (1, usize::from(is_in_flight(one))),
        };
        found.open += number;
        found.in_flight += in_flight;
    }
    Ok(found)
}

fn socket(connection: &InetResponse) -> Socket {
    let id = &connection.header.socket_id;
    // A server on all addresses of both families has its callers in the newer one's form.
    let peer = id.destination_address.to_canonical();
    Socket {
        port: id.source_port,
        inode: connection.header.inode.into(),
        listens: connection.header.state == TCP_LISTEN,
        peer: (peer, id.destination_port).into(),
    }
}

/// How many connections of a socket that listens nobody has accepted yet (sock_diag(7)).
fn waiting(listener: &InetResponse) -> usize {
    usize::try_from(listener.header.recv_queue).unwrap_or(usize::MAX)
}

/// The client spoke last, or the answer has not left yet.
fn is_in_flight(connection: &InetResponse) -> bool {
    connection.header.send_queue > 0 || info(connection).is_none_or(client_spoke_last)
}

fn client_spoke_last(info: &TcpInfo) -> bool {
    if info.bytes_received == 0 {
        return info.last_data_recv < JUST_CONNECTED_MS;
    }
    let answered = info.data_segs_out > 0;
    !answered || info.last_data_recv < info.last_data_sent
}

/// Closed by the app, with nothing on its way but the word that it ends, which counts as one byte; or its client is gone,
/// as nothing has been heard of it at so many tries.
fn is_done_with(connection: &InetResponse) -> bool {
    let is_lost = |info: &TcpInfo| info.retransmits > LOST_AFTER;
    CLOSED.contains(&connection.header.state)
        && (connection.header.send_queue <= 1 || info(connection).is_some_and(is_lost))
}

fn info(connection: &InetResponse) -> Option<&TcpInfo> {
    connection.nlas.iter().find_map(|nla| match nla {
        Nla::TcpInfo(info) => Some(info),
        _ => None,
    })
}

fn of_family(family: u8) -> io::Result<Vec<InetResponse>> {
    let mut all = diag::all(family)?;
    all.retain(|it| !is_done_with(it));
    Ok(all)
}
