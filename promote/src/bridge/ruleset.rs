//! The nft scripts of a bridge: its tables, opened and closed in one transaction each.
//!
//! There are three ways, and which one a client takes is what was seen of it before (`served`):
//!
//! - What the engine translates is translated to the candidate instead (`dnat`), just before the engine's own rules. A
//!   firewall sees it forwarded as before. A mark and a rule of the bridge family on the candidate's own veth see to it
//!   that the address leads nowhere once another container has it.
//! - What the engine leaves to its proxy is handed to the forwarder (`tproxy`), behind all other rules: firewalld's
//!   reverse path filter for IPv6 drops what has been handed over before. The packet stays as it is, so INPUT rules see
//!   the port they saw before. Once the forwarder is gone the rule does not match. What is open goes on without any rule.
//! - The kernel loses what it hands over of a container's packets where bridges pass the rules for packets through this
//!   host (`br_netfilter`). Translated loopback clients never come that far. Both are redirected to the forwarder.
//!
//! The first edition redirected all that the proxy serves. INPUT rules then saw another port, the forwarder's own port
//! had to be hidden from everybody, and clients were refused once the forwarder had died.

pub(crate) mod addresses;
pub(crate) mod proxied;
mod translated;
mod words;

use step::host::nft::Nft;
use step::model::name::Name;

use super::calls::Call;
use super::listing::{ENTERED, FORWARDED, Former};
use super::plan::{Called, Plan};
use super::redirect::PortRedirect;
use words::OPENING;

const RELABEL: &str = "filter hook input priority 290";
const ANSWERS: &str = "filter hook output priority -350";

/// The tables, replacing whatever has that name, in one transaction. The chains stay in place when they are emptied:
/// without them the kernel would stop to translate connections that are still open. Each rule says to whoever lists it
/// what it is there for; the table itself cannot where nft is older than 0.9.7.
pub(crate) fn open(plan: &Plan) -> String {
    let table = Nft::table(&plan.container);
    let chain = |name: &str, hook: &str, of: fn(&Plan, &PortRedirect) -> Vec<String>| {
        let rules = plan.redirects.iter().flat_map(|it| of(plan, it));
        let rules: String = rules.map(|rule| format!("    {rule}\n")).collect();
        format!("  chain {name} {{\n    type {hook};\n{rules}  }}\n")
    };
    let chains = [
        chain(
            "prerouting",
            "nat hook prerouting priority dstnat - 10",
            translated::prerouting,
        ),
        chain(
            "output",
            "nat hook output priority -110",
            translated::output,
        ),
        chain(
            "proxied",
            "filter hook prerouting priority 290",
            proxied::proxied,
        ),
        chain(
            "forward",
            "filter hook forward priority 290",
            translated::forward,
        ),
        chain(
            "postrouting",
            "nat hook postrouting priority srcnat - 10",
            translated::postrouting,
        ),
        chain(
            "towards",
            "filter hook postrouting priority 290",
            translated::towards,
        ),
        chain("input", "filter hook input priority filter", proxied::input),
        chain(
            "containers",
            "filter hook input priority 289",
            proxied::containers,
        ),
        chain("relabel", RELABEL, proxied::relabel),
        chain("answers", ANSWERS, proxied::answers),
    ];
    let tables = format!(
        "{}table inet {table} {{\n{}}}\n",
        anew("inet", &table),
        chains.concat()
    );
    match plan.veth {
        Some(_) => tables + &bound(plan),
        None => tables,
    }
}

/// Packets towards the candidate reach nobody else: its address may soon be another container's.
fn bound(plan: &Plan) -> String {
    let table = Nft::table(&plan.container);
    let rules = plan
        .redirects
        .iter()
        .flat_map(|it| translated::bound(plan, it));
    let rules: String = rules.map(|rule| format!("    {rule}\n")).collect();
    format!(
        "{}table bridge {table} {{\n  chain towards {{\n    type filter hook postrouting priority 0;\n{rules}  }}\n}}\n",
        anew("bridge", &table),
    )
}

/// Empties the chains that new connections meet; open ones go on being translated.
pub(crate) fn close(container: &Name) -> String {
    let table = Nft::table(container);
    let chains = ["prerouting", "output", "proxied", "containers"];
    chains
        .map(|chain| format!("flush chain inet {table} {chain}\n"))
        .concat()
}

/// Only what these rules lead there may come to the forwarders, from before they listen; beside what the table has.
pub(crate) fn guard(container: &Name, redirects: &[PortRedirect]) -> String {
    let table = Nft::table(container);
    let rules = redirects.iter().flat_map(|it| proxied::guards(it, ""));
    let rules = rules.map(|rule| format!("add rule inet {table} input {rule}\n"));
    let head = format!(
        "add table inet {table}\nadd chain inet {table} input {{ type filter hook input priority filter; }}\n"
    );
    head + &rules.collect::<String>()
}

/// In place of the table: counts, behind the engine's rules, which of these calls were translated.
pub(crate) fn look(container: &Name, calls: &[Call], former: &[Former]) -> String {
    let table = Nft::table(container);
    let chain = |hook: &str, priority: u16, rules: String| {
        format!(
            "  chain {hook} {{\n    type filter hook {hook} priority {priority};\n{rules}  }}\n"
        )
    };
    let made = |is_inside: bool| {
        let made = calls.iter().filter(move |it| it.is_inside() == is_inside);
        made.map(counting).collect::<String>()
    };
    let kept = |name: &str, hook: &str, rule: fn(&Former) -> String| {
        let rules: String = former
            .iter()
            .map(|it| format!("    {}\n", rule(it)))
            .collect();
        format!("  chain {name} {{\n    type {hook};\n{rules}  }}\n")
    };
    let chains = [
        chain("output", 50, made(false)),
        chain("prerouting", 50, made(true)),
        kept("relabel", RELABEL, proxied::on),
        kept("answers", ANSWERS, proxied::back),
    ]
    .concat();
    format!(
        "{}table inet {table} {{\n{chains}}}\n",
        anew("inet", &table)
    )
}

fn anew(family: &str, table: &str) -> String {
    format!("add table {family} {table}\ndelete table {family} {table}\n")
}

/// Counts a call that was translated, and nobody else's: others call the same port meanwhile.
fn counting(call: &Call) -> String {
    let (ip, port, tag) = (call.at.ip(), call.at.port(), call.tag());
    let family = call.family();
    let from = match &call.sources()[..] {
        "" => String::new(),
        some => format!("{family} saddr {{ {some} }} "),
    };
    format!(
        "    tcp dport != 0 {from}ct direction original ct original {family} daddr {ip} ct original proto-dst {port} \
         ct status & dnat == dnat counter comment \"{tag}\"\n"
    )
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
