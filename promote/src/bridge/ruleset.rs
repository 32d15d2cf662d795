//! The nft scripts of a bridge: its tables, opened and closed in one transaction each.
//!
//! There are three ways, for connections and for datagrams (`datagrams`). Which one a client takes is what was seen of it
//! before (`served`):
//!
//! - What the engine translates is translated to the candidate instead (`dnat`), just before the engine's own rules. A
//!   firewall sees it forwarded as before. A mark and a rule of the bridge family on the candidate's own veth see to it
//!   that the address leads nowhere once another container has it.
//! - What the engine leaves to its proxy is handed to the forwarder (`tproxy`), behind all other rules: firewalld's
//!   reverse path filter for IPv6 drops what has been handed over before. The packet stays as it is, so INPUT rules see
//!   the port they saw before. Once the forwarder is gone the rule does not match. What is open goes on without any rule.
//! - The kernel loses what it hands over of packets from a bridge where bridges pass the rules for packets through this
//!   host (`br_netfilter`): of containers, and of other hosts behind a bridge of this host's own. Translated loopback clients
//!   never come that far. All of them are redirected to the forwarder.
//!
//! The first edition redirected all that the proxy serves. INPUT rules then saw another port, the forwarder's own port
//! had to be hidden from everybody, and clients were refused once the forwarder had died.

pub(crate) mod addresses;
pub(crate) mod datagrams;
pub(crate) mod looking;
pub(crate) mod proxied;
mod tables;
mod translated;
mod words;

use step::host::nft::Nft;
use step::model::name::Name;

use super::listing::{ENTERED, FORWARDED};
use super::plan::{Called, Plan};
use super::redirect::PortRedirect;
use tables::{ANSWERS, RELABEL, Rules, anew, chain};
use words::OPENING;

/// Which ports a chain is about.
enum Of {
    Connections,
    /// Those of datagrams as well.
    Both,
}

/// The chains that have rules from the beginning.
const CHAINS: [(&str, &str, Rules, Of); 10] = [
    (
        "prerouting",
        "nat hook prerouting priority dstnat - 10",
        translated::prerouting,
        Of::Connections,
    ),
    (
        "output",
        "nat hook output priority -110",
        translated::output,
        Of::Connections,
    ),
    (
        "proxied",
        "filter hook prerouting priority 290",
        proxied::proxied,
        Of::Connections,
    ),
    (
        "forward",
        "filter hook forward priority 290",
        translated::forward,
        Of::Connections,
    ),
    (
        "postrouting",
        "nat hook postrouting priority srcnat - 10",
        translated::postrouting,
        Of::Both,
    ),
    (
        "towards",
        "filter hook postrouting priority 290",
        translated::towards,
        Of::Both,
    ),
    (
        "input",
        "filter hook input priority filter",
        proxied::input,
        Of::Both,
    ),
    (
        "containers",
        "filter hook input priority 289",
        proxied::containers,
        Of::Connections,
    ),
    ("relabel", RELABEL, proxied::relabel, Of::Connections),
    ("answers", ANSWERS, proxied::answers, Of::Connections),
];

/// The tables, replacing whatever has that name, in one transaction. The chains stay in place when they are emptied:
/// without them the kernel would stop to translate connections that are still open. Each rule says to whoever lists it
/// what it is there for; the table itself cannot where nft is older than 0.9.7.
pub(crate) fn open(plan: &Plan) -> String {
    let table = Nft::table(&plan.container);
    let chains = CHAINS.map(|(name, hook, rules, of)| {
        let ports = match of {
            Of::Connections => plan.redirects.iter().chain(&[]),
            Of::Both => plan.redirects.iter().chain(&plan.datagrams),
        };
        chain(name, hook, ports.flat_map(|it| rules(plan, it)))
    });
    let tables = format!(
        "{}table inet {table} {{\n{}{}}}\n",
        anew("inet", &table),
        chains.concat(),
        datagrams::chains(plan)
    );
    match plan.veths {
        [None, None] => tables,
        _ => tables + &bound(plan),
    }
}

/// Packets towards the candidate reach nobody else, and what another container answers is not taken for the candidate's:
/// its address may soon be that one's.
fn bound(plan: &Plan) -> String {
    let table = Nft::table(&plan.container);
    let towards = plan.all().flat_map(|it| translated::bound(plan, it));
    let towards = chain("towards", "filter hook postrouting priority 0", towards);
    let from = plan.datagrams.iter();
    let from = from.flat_map(|it| datagrams::bound(plan, it));
    let from = chain("from", "filter hook prerouting priority -300", from);
    format!(
        "{}table bridge {table} {{\n{towards}{from}}}\n",
        anew("bridge", &table)
    )
}

/// Empties the chains that new connections meet; open ones go on being translated.
pub(crate) fn close(container: &Name) -> String {
    let table = Nft::table(container);
    let chains = ["prerouting", "output", "proxied", "containers"];
    let all = chains.into_iter().chain(datagrams::TRACKED);
    all.map(|chain| format!("flush chain inet {table} {chain}\n"))
        .collect()
}

/// Only what these rules lead there may come to the forwarders, from before they listen; beside what the table has.
pub(crate) fn guard<'a>(
    container: &Name,
    redirects: impl Iterator<Item = &'a PortRedirect>,
) -> String {
    let table = Nft::table(container);
    let rules = redirects.flat_map(|it| proxied::guards(it, ""));
    let rules = rules.map(|rule| format!("add rule inet {table} input {rule}\n"));
    let head = format!(
        "add table inet {table}\nadd chain inet {table} input {{ type filter hook input priority filter; }}\n"
    );
    head + &rules.collect::<String>()
}

/// Beside the table, where it is closed: counts connections to these ports as the engine has translated them, where they
/// come in and where most rules of a firewall have let them pass.
pub(crate) fn passing(container: &Name, ports: &[Called]) -> String {
    let table = Nft::table(container);
    let chain = |name: &str, hook: &str, letter: char| {
        let rules = ports.iter().map(|it| {
            let (port, tag) = (it.port, it.tag(letter));
            let protocol = if it.is_v6 { "ipv6" } else { "ipv4" };
            format!(
                "add rule inet {table} {name} {OPENING} meta nfproto {protocol} ct direction original \
                 ct original proto-dst {port} ct status & dnat == dnat counter comment \"{tag}\"\n"
            )
        });
        let rules: String = rules.collect();
        format!("add chain inet {table} {name} {{ type filter hook {hook}; }}\n{rules}")
    };
    chain("entered", "prerouting priority 50", ENTERED)
        + &chain("passed", "forward priority 290", FORWARDED)
}
