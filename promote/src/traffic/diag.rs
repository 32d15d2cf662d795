//! What the kernel is asked about connections, and told to do with one, by sock_diag in the network of this thread.

use std::io;
use std::ops::Range;

use netlink_packet_core::{
    NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload,
};
use netlink_packet_sock_diag::SockDiagMessage;
use netlink_packet_sock_diag::constants::{AF_INET, IPPROTO_TCP};
use netlink_packet_sock_diag::inet::{
    ExtensionFlags, InetRequest, InetResponse, SocketId, StateFlags,
};
use netlink_sys::{Socket as Netlink, SocketAddr, protocols::NETLINK_SOCK_DIAG};

/// Where a message of netlink says what it is (netlink(7)).
const TYPE: Range<usize> = 4..6;
/// It is like a question for the connection in all but this (linux/sock_diag.h, `SOCK_DESTROY`).
const DESTROY: u16 = 21;

/// All connections of a family, and the sockets that wait for some.
pub(super) fn all(family: u8) -> io::Result<Vec<InetResponse>> {
    let any = if family == AF_INET {
        SocketId::new_v4()
    } else {
        SocketId::new_v6()
    };
    let socket = ask(&request(NLM_F_DUMP, family, any))?;
    let mut found = Vec::new();
    loop {
        let (bytes, _) = socket.recv_from_full()?;
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let message =
                NetlinkMessage::<SockDiagMessage>::deserialize(rest).map_err(io::Error::other)?;
            let length = usize::try_from(message.header.length).unwrap_or(usize::MAX);
            match message.payload {
                NetlinkPayload::InnerMessage(SockDiagMessage::InetResponse(response)) => {
                    found.push(*response);
                }
                NetlinkPayload::Done(_) => return Ok(found),
                NetlinkPayload::Error(error) => return Err(error.to_io()),
                _ => {}
            }
            // Messages are padded to four bytes.
            rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        }
    }
}

/// The connection with this id, if it is still there.
pub(super) fn one(family: u8, socket_id: SocketId) -> io::Result<Option<InetResponse>> {
    match answer(&request(0, family, socket_id))? {
        Some(SockDiagMessage::InetResponse(response)) => Ok(Some(*response)),
        _ => Ok(None),
    }
}

/// Ends it: both sides hear of it at once. One that has ended by itself meanwhile is done with, too.
pub(super) fn end(family: u8, socket_id: SocketId) -> io::Result<()> {
    let mut bytes = request(NLM_F_ACK, family, socket_id);
    bytes.splice(TYPE, DESTROY.to_ne_bytes());
    answer(&bytes).map(drop)
}

/// What the kernel says about one connection: nothing where it is gone.
fn answer(message: &[u8]) -> io::Result<Option<SockDiagMessage>> {
    let (bytes, _) = ask(message)?.recv_from_full()?;
    let answer =
        NetlinkMessage::<SockDiagMessage>::deserialize(&bytes).map_err(io::Error::other)?;
    match answer.payload {
        NetlinkPayload::InnerMessage(message) => Ok(Some(message)),
        NetlinkPayload::Error(error) if error.code.is_some() => match error.to_io() {
            gone if gone.kind() == io::ErrorKind::NotFound => Ok(None),
            refused => Err(refused),
        },
        _ => Ok(None),
    }
}

fn ask(message: &[u8]) -> io::Result<Netlink> {
    let mut socket = Netlink::new(NETLINK_SOCK_DIAG)?;
    socket.bind_auto()?;
    socket.connect(&SocketAddr::new(0, 0))?;
    socket.send(message, 0)?;
    Ok(socket)
}

fn request(flags: u16, family: u8, socket_id: SocketId) -> Vec<u8> {
    let mut header = NetlinkHeader::default();
    header.flags = NLM_F_REQUEST | flags;
    let body = SockDiagMessage::InetRequest(InetRequest {
        family,
        protocol: IPPROTO_TCP,
        extensions: ExtensionFlags::INFO,
        // A client that has closed its side may still wait for the answer; one whose handshake the line has lost a
        // packet of sends it again, to the same container; and what the app has closed may not have left yet.
        states: StateFlags::ESTABLISHED
            | StateFlags::CLOSE_WAIT
            | StateFlags::SYN_RECV
            | StateFlags::FIN_WAIT1
            | StateFlags::LAST_ACK
            | StateFlags::CLOSING
            | StateFlags::LISTEN,
        socket_id,
    });
    let mut packet = NetlinkMessage::new(header, body.into());
    packet.finalize();
    let mut bytes = vec![0; packet.buffer_len()];
    packet.serialize(&mut bytes);
    bytes
}
