//! The sockets of a forwarder, from before anybody may call it.
//!
//! What the kernel hands over comes to loopback addresses, in whatever family the client speaks, and keeps the port that
//! was called. That takes a transparent socket, and so CAP_NET_ADMIN. An address that is in use again (`SO_REUSEADDR`)
//! lets the final container's proxy listen on the port while such connections are open.

use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::OwnedFd;

use socket2::{Domain, Socket, Type};

/// How many may wait to be accepted; the kernel may allow fewer (`net.core.somaxconn`).
const BACKLOG: i32 = 4096;
/// A port that is free in one family may not be in the other.
const TRIES: u32 = 10;

/// Bound. No connection is taken as long as [`Self::listen`] is not called. A forwarder throws away the datagrams that came
/// before it.
#[derive(Debug)]
pub(crate) struct Sockets {
    v4: Socket,
    /// None on a host without IPv6.
    v6: Option<Socket>,
    /// For what is redirected from bridges, on any address.
    for_containers: Option<Socket>,
}

impl Sockets {
    /// Binds them to ports that the kernel chooses.
    ///
    /// # Errors
    /// Without the right to take over connections (CAP_NET_ADMIN).
    pub(crate) fn bind(for_containers: bool) -> io::Result<Self> {
        let loopback = (Ipv4Addr::LOCALHOST, Ipv6Addr::LOCALHOST);
        let (v4, v6) = of_both_families(Type::STREAM, loopback)?;
        let any = for_containers.then(on_any_address).transpose()?;
        Ok(Self {
            v4,
            v6,
            for_containers: any,
        })
    }

    /// Those for datagrams, which are also those for containers where these need a port.
    ///
    /// # Errors
    /// Without the right to take over packets (CAP_NET_ADMIN).
    pub(crate) fn for_datagrams(for_containers: bool) -> io::Result<Self> {
        let at = match for_containers {
            true => (Ipv4Addr::UNSPECIFIED, Ipv6Addr::UNSPECIFIED),
            false => (Ipv4Addr::LOCALHOST, Ipv6Addr::LOCALHOST),
        };
        let (v4, v6) = of_both_families(Type::DGRAM, at)?;
        Ok(Self {
            v4,
            v6,
            for_containers: None,
        })
    }

    /// The port for what is handed over, and that for containers where they have one of their own.
    pub(crate) fn ports(&self) -> io::Result<(u16, Option<u16>)> {
        let for_containers = self.for_containers.as_ref().map(port).transpose()?;
        Ok((port(&self.v4)?, for_containers))
    }

    /// From now on connections are taken: the sockets as a process is handed them.
    pub(crate) fn listen(self) -> io::Result<[Option<OwnedFd>; 3]> {
        let all = [Some(self.v4), self.v6, self.for_containers];
        for socket in all.iter().flatten() {
            if socket.r#type()? == Type::STREAM {
                socket.listen(BACKLOG)?;
            }
        }
        Ok(all.map(|socket| socket.map(OwnedFd::from)))
    }
}

/// One port in both families, for what the kernel hands over.
fn of_both_families(
    kind: Type,
    (v4, v6): (Ipv4Addr, Ipv6Addr),
) -> io::Result<(Socket, Option<Socket>)> {
    let of = |family, at| bound(family, kind, at, true);
    for _ in 0..TRIES {
        let v4 = of(Domain::IPV4, SocketAddr::from((v4, 0)))?;
        match of(Domain::IPV6, SocketAddr::from((v6, port(&v4)?))) {
            Ok(v6) => return Ok((v4, Some(v6))),
            Err(error) if error.kind() == ErrorKind::AddrInUse => {}
            Err(error) if error.kind() == ErrorKind::PermissionDenied => return Err(error),
            Err(_) => return Ok((v4, None)),
        }
    }
    Err(ErrorKind::AddrInUse.into())
}

/// Both families at once; without IPv6 there is only IPv4 to take.
fn on_any_address() -> io::Result<Socket> {
    let of = |family, at: SocketAddr| bound(family, Type::STREAM, at, false);
    let v6 = of(Domain::IPV6, (Ipv6Addr::UNSPECIFIED, 0).into());
    v6.or_else(|_| of(Domain::IPV4, (Ipv4Addr::UNSPECIFIED, 0).into()))
}

fn bound(family: Domain, kind: Type, at: SocketAddr, is_transparent: bool) -> io::Result<Socket> {
    let socket = Socket::new(family, kind, None)?;
    // Of datagrams each socket that says so gets some.
    socket.set_reuse_address(kind == Type::STREAM)?;
    if is_transparent && family == Domain::IPV6 {
        socket.set_only_v6(true)?;
        socket.set_ip_transparent_v6(true)?;
    } else if is_transparent {
        socket.set_ip_transparent_v4(true)?;
    } else if family == Domain::IPV6 {
        socket.set_only_v6(false)?;
    }
    socket.bind(&at.into())?;
    Ok(socket)
}

fn port(socket: &Socket) -> io::Result<u16> {
    let at = socket.local_addr()?.as_socket();
    at.map(|at| at.port())
        .ok_or_else(|| ErrorKind::InvalidInput.into())
}
