//! The scripts that lead calls to one container's address to another container.

use std::net::IpAddr;
use std::time::Duration;

use super::words::OPENING;
use crate::bridge::redirect::AddressRedirect;

/// How long an address is redirected if nobody says so again: another container may have it soon after everything that
/// could take the rules away was killed.
pub(crate) const LASTING: Duration = Duration::from_secs(15);

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
/// handed up to this host, as if they were for it, and what comes back must come this way, too. All else stays there, as
/// by IPv6 containers ask each other by packets of that kind where they are.
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
        let (ip, set, of) = words(*from);
        for family in ["bridge", "inet"] {
            script += &format!("add set {family} {table} {set} {{ type {of}; flags timeout; }}\n");
        }
        let called = format!("{ip} daddr {from} {ip} daddr @{set}");
        let subnet = format!("{ip} saddr {from}/{prefix}");
        script += &format!(
            "add rule bridge {table} up {subnet} {called} meta l4proto tcp meta pkttype set host ether daddr set {hardware}\n\
             add rule inet {table} prerouting {subnet} {called} {OPENING} counter dnat {ip} to {to}\n\
             add rule inet {table} postrouting {subnet} {ip} daddr {to} meta l4proto tcp ct status dnat masquerade{from_ports}\n"
        );
    }
    let from: Vec<IpAddr> = redirects.iter().map(|it| it.from).collect();
    script + &go_on(table, &from)
}

/// For an address the word for its family, the set of those that are redirected, and nft's type of that.
fn words(ip: IpAddr) -> (&'static str, &'static str, &'static str) {
    match ip {
        IpAddr::V4(_) => ("ip", "called", "ipv4_addr"),
        IpAddr::V6(_) => ("ip6", "called6", "ipv6_addr"),
    }
}

/// Has these addresses be redirected for [`LASTING`] from now on.
pub(crate) fn go_on(table: &str, from: &[IpAddr]) -> String {
    // An element that is there keeps its time, so it goes first; one that is not there cannot go.
    let renew = |family: &str, ip: &IpAddr| {
        let (_, set, _) = words(*ip);
        let element = |verb| {
            let lasting = LASTING.as_secs();
            format!("{verb} element {family} {table} {set} {{ {ip} timeout {lasting}s }}\n")
        };
        let gone = format!("delete element {family} {table} {set} {{ {ip} }}\n");
        element("add") + &gone + &element("add")
    };
    let both = |ip| renew("bridge", ip) + &renew("inet", ip);
    from.iter().map(both).collect()
}
