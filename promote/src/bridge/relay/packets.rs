//! Datagrams with the address of this host that they were sent to, and that their answers come from (ip(7), `IP_PKTINFO`).

use std::io::{self, ErrorKind, IoSlice, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;

use nix::cmsg_space;
use nix::libc::{in_addr, in_pktinfo, in6_addr, in6_pktinfo};
use nix::sys::socket::sockopt::{Ipv4PacketInfo, Ipv6RecvPacketInfo};
use nix::sys::socket::{
    ControlMessage, ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, sendmsg, setsockopt,
};

/// Has the kernel tell of each datagram which address it was sent to.
///
/// # Errors
/// Where it cannot.
pub(super) fn tell_called(door: &UdpSocket) -> io::Result<()> {
    match door.local_addr()? {
        SocketAddr::V4(_) => setsockopt(door, Ipv4PacketInfo, &true)?,
        SocketAddr::V6(_) => setsockopt(door, Ipv6RecvPacketInfo, &true)?,
    }
    Ok(())
}

/// The next datagram: its length in `buffer`, where it comes from, and which address it was sent to.
///
/// # Errors
/// `WouldBlock` where there is none.
pub(super) fn receive(
    door: &UdpSocket,
    buffer: &mut [u8],
) -> io::Result<(usize, SocketAddr, Option<IpAddr>)> {
    let mut space = cmsg_space!(in_pktinfo, in6_pktinfo);
    let mut parts = [IoSliceMut::new(buffer)];
    let got = recvmsg::<SockaddrStorage>(
        door.as_raw_fd(),
        &mut parts,
        Some(&mut space),
        MsgFlags::MSG_DONTWAIT,
    )?;
    let from = got.address.as_ref().and_then(address);
    let called = got.cmsgs()?.find_map(|message| match message {
        ControlMessageOwned::Ipv4PacketInfo(it) => {
            Some(Ipv4Addr::from(it.ipi_addr.s_addr.to_ne_bytes()).into())
        }
        ControlMessageOwned::Ipv6PacketInfo(it) => {
            Some(Ipv6Addr::from(it.ipi6_addr.s6_addr).into())
        }
        _ => None,
    });
    let from = from.ok_or(ErrorKind::InvalidData)?;
    Ok((got.bytes, from, called))
}

fn address(of: &SockaddrStorage) -> Option<SocketAddr> {
    let v4 = of.as_sockaddr_in().map(|it| SocketAddr::V4((*it).into()));
    v4.or_else(|| Some(SocketAddr::V6((*of.as_sockaddr_in6()?).into())))
}

/// Sends an answer that comes from the address `called`.
///
/// # Errors
/// Where it cannot be sent.
pub(super) fn send(
    door: &UdpSocket,
    answer: &[u8],
    to: SocketAddr,
    called: Option<IpAddr>,
) -> io::Result<()> {
    let none = in_addr { s_addr: 0 };
    let v4 = |ip: Ipv4Addr| in_pktinfo {
        ipi_ifindex: 0,
        ipi_spec_dst: in_addr {
            s_addr: u32::from_ne_bytes(ip.octets()),
        },
        ipi_addr: none,
    };
    let v6 = |ip: Ipv6Addr| in6_pktinfo {
        ipi6_addr: in6_addr {
            s6_addr: ip.octets(),
        },
        ipi6_ifindex: 0,
    };
    let (parts, to) = ([IoSlice::new(answer)], SockaddrStorage::from(to));
    let by = |from: &[ControlMessage<'_>]| {
        sendmsg(
            door.as_raw_fd(),
            &parts,
            from,
            MsgFlags::MSG_DONTWAIT,
            Some(&to),
        )
    };
    match called {
        Some(IpAddr::V4(ip)) => by(&[ControlMessage::Ipv4PacketInfo(&v4(ip))]),
        Some(IpAddr::V6(ip)) => by(&[ControlMessage::Ipv6PacketInfo(&v6(ip))]),
        None => by(&[]),
    }?;
    Ok(())
}
