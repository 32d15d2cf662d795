//! The nft scripts that redirect: new connections on the published ports, and calls to one container's address.
//!
//! Verified with clients on loopback, on this host's own address, on other hosts over IPv4 and IPv6, and in containers
//! on the same and on other networks.

use std::net::IpAddr;

use step::host::nft::Nft;
use step::model::name::Name;

use super::redirect::{AddressRedirect, PortRedirect};
use super::route::Interface;

/// As long as nft takes one.
const LONGEST_COMMENT: usize = 128;

/// The first packet of a connection.
const OPENING: &str = "tcp flags & (fin|syn|rst|ack) == syn";

/// The whole table, replacing whatever has that name, in one transaction. Its chains stay in
/// place when they are emptied: without them the kernel would stop to translate connections
/// that are still open. Each rule says to whoever lists it what it is there for; the table itself
/// cannot where nft is older than 0.9.7.
pub(crate) fn open(container: &Name, redirects: &[PortRedirect], interface: &Interface) -> String {
    let table = Nft::table(container);
    let comment = format!("promote of {container}");
    let comment: String = comment.chars().take(LONGEST_COMMENT).collect();
    let rules = |of: fn(&PortRedirect, &Interface) -> Vec<String>| -> String {
        let lines = redirects.iter().flat_map(|it| of(it, interface));
        lines
            .map(|line| format!("    {line} comment \"{comment}\"\n"))
            .collect()
    };
    format!(
        "add table inet {table}\ndelete table inet {table}\ntable inet {table} {{\n\
         \x20 chain prerouting {{\n    type nat hook prerouting priority dstnat - 10;\n{}  }}\n\
         \x20 chain output {{\n    type nat hook output priority -110;\n{}  }}\n\
         \x20 chain postrouting {{\n    type nat hook postrouting priority srcnat - 10;\n{}  }}\n\
         \x20 chain input {{\n    type filter hook input priority filter;\n{}  }}\n}}\n",
        rules(prerouting),
        rules(output),
        rules(postrouting),
        rules(input),
    )
}

/// Empties the two chains that new connections meet; open ones go on being translated.
pub(crate) fn close(container: &Name) -> String {
    let table = Nft::table(container);
    format!("flush chain inet {table} prerouting\nflush chain inet {table} output\n")
}

/// The tables that [`redirect_addresses`] fills, in place of any of their name; no port of the host is redirected.
pub(crate) fn handover(table: &str) -> String {
    format!(
        "add table inet {table}\ndelete table inet {table}\ntable inet {table} {{\n\
         \x20 chain prerouting {{\n    type nat hook prerouting priority dstnat - 10;\n  }}\n\
         \x20 chain postrouting {{\n    type nat hook postrouting priority srcnat - 10;\n  }}\n}}\n\
         add table bridge {table}\ndelete table bridge {table}\n"
    )
}

/// Redirects new connections of the network's containers to the one that stays.
///
/// Such packets never leave their bridge, where a kernel may not translate them: so they are
/// handed up to this host, as if they were for it, and what comes back must come this way, too.
pub(crate) fn redirect_addresses(table: &str, redirects: &[AddressRedirect]) -> String {
    let mut script = format!(
        "add table bridge {table}\nadd chain bridge {table} up {{ type filter hook prerouting priority dstnat; }}\n"
    );
    for one in redirects {
        let AddressRedirect {
            from,
            to,
            prefix,
            hardware,
            ports,
            ..
        } = one;
        // By which they are known in the container to which they were redirected.
        let ports = ports.as_ref();
        let from_ports = ports.map(|it| format!(" to :{}-{}", it.start(), it.end()));
        let from_ports = from_ports.unwrap_or_default();
        let ip = if from.is_ipv4() { "ip" } else { "ip6" };
        let subnet = format!("{ip} saddr {from}/{prefix}");
        script += &format!(
            "add rule bridge {table} up {subnet} {ip} daddr {from} meta pkttype set host ether daddr set {hardware}\n\
             add rule inet {table} prerouting {subnet} {ip} daddr {from} {OPENING} counter dnat {ip} to {to}\n\
             add rule inet {table} postrouting {subnet} {ip} daddr {to} meta l4proto tcp ct status dnat masquerade{from_ports}\n"
        );
    }
    script
}

/// To the forwarder, and to the candidate itself. Where no other rules do, these have the kernel track connections from
/// now on: those that are open already are new to it, and stay where they are.
fn targets(redirect: &PortRedirect) -> (String, String) {
    let PortRedirect {
        publish,
        candidate,
        forwarder,
    } = redirect;
    let opened = format!("tcp dport {} {OPENING} counter", publish.host);
    (
        format!("{opened} redirect to :{forwarder}"),
        format!("{opened} dnat ip to {candidate}"),
    )
}

fn prerouting(redirect: &PortRedirect, interface: &Interface) -> Vec<String> {
    let (publish, interface) = (redirect.publish, &interface.name);
    let (forward, translate) = targets(redirect);
    // The engine keeps its networks apart: what comes from another one cannot be translated.
    let other = format!("meta iifkind \"bridge\" iifname != \"{interface}\"");
    match publish.address {
        None => vec![
            format!("meta nfproto ipv6 fib daddr type local {forward}"),
            format!("{other} fib daddr type local {forward}"),
            format!("ip daddr != 127.0.0.0/8 fib daddr type local {translate}"),
        ],
        Some(IpAddr::V4(ip)) if ip.is_loopback() => Vec::new(),
        Some(IpAddr::V4(ip)) => vec![
            format!("{other} ip daddr {ip} {forward}"),
            format!("ip daddr {ip} {translate}"),
        ],
        Some(IpAddr::V6(ip)) => vec![format!("ip6 daddr {ip} {forward}")],
    }
}

fn output(redirect: &PortRedirect, _: &Interface) -> Vec<String> {
    let (forward, translate) = targets(redirect);
    match redirect.publish.address {
        // A loopback sender cannot be answered from beyond this host, so it is forwarded as well.
        None => vec![
            format!("ip daddr 127.0.0.0/8 {forward}"),
            format!("meta nfproto ipv6 fib daddr type local {forward}"),
            format!("fib daddr type local {translate}"),
        ],
        Some(IpAddr::V4(ip)) if ip.is_loopback() => vec![format!("ip daddr {ip} {forward}")],
        Some(IpAddr::V4(ip)) => vec![format!("ip daddr {ip} {translate}")],
        Some(IpAddr::V6(ip)) => vec![format!("ip6 daddr {ip} {forward}")],
    }
}

/// Answers to containers beside the candidate must come back this way.
fn postrouting(redirect: &PortRedirect, interface: &Interface) -> Vec<String> {
    let (ip, port, subnet) = (
        redirect.candidate.ip(),
        redirect.candidate.port(),
        &interface.subnet,
    );
    vec![format!(
        "ip saddr {subnet} ip daddr {ip} tcp dport {port} ct status dnat masquerade"
    )]
}

/// The forwarder is nobody's but the rules'.
fn input(redirect: &PortRedirect, _: &Interface) -> Vec<String> {
    vec![format!(
        "tcp dport {} ct status & dnat != dnat drop",
        redirect.forwarder
    )]
}
