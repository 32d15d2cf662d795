//! Closes redirected connections once they are idle, before their rules are removed.
//!
//! A client that called the leaving container's address may keep its connection. Packets within one network go nowhere
//! without the rules, unless the kernel filters its bridges (br_netfilter): the client's next request got no answer.
//! Such connections are told from others by the ports from which they come, and are ended on both sides when idle.

use std::io::ErrorKind;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::thread;
use std::time::{Duration, Instant};

use step::model::subnet::Subnet;
use step::terminal::spinner::{status, waiting};
use step::terminal::warn;

use super::redirect::AddressRedirect;
use super::route::filters_bridges;
use crate::traffic::connections::end_idle;

/// How long requests in flight are waited for.
const PATIENCE: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(20);

/// Ends those that were redirected like this, once they are idle. Without the rules their packets would be lost, and
/// a client would wait for an answer instead of calling anew.
pub(crate) fn end(redirects: &[AddressRedirect]) {
    // Then the kernel goes on redirecting such connections without our rules.
    let is_filtered = |one: &AddressRedirect| filters_bridges(family(one.to));
    for one in redirects.iter().filter(|it| !is_filtered(it)) {
        if let Some(ports) = &one.ports {
            end_all(one, ports);
        }
    }
}

fn family(ip: IpAddr) -> &'static str {
    if ip.is_ipv4() { "ip" } else { "ip6" }
}

fn end_all(one: &AddressRedirect, ports: &RangeInclusive<u16>) {
    let (net, ports) = (Subnet::around(one.to, one.prefix), ports.clone());
    let is_redirected = move |ip: IpAddr, port| ports.contains(&port) && net.contains(ip);
    let end = Instant::now() + PATIENCE;
    let _wait = waiting("promote: connections that were led to the final container end");
    loop {
        match end_idle(one.into, is_redirected.clone()) {
            Ok(0) => return,
            Ok(busy) if Instant::now() < end => status(&format!("{busy} of them are in use")),
            Ok(busy) => {
                let to = one.to;
                warn(&format!(
                    "promote: {busy} connections that were led to {to} are still in use"
                ));
                return;
            }
            // They ended with it.
            Err(error) if error.kind() == ErrorKind::NotFound => return,
            Err(error) => {
                let from = one.from;
                warn(&format!(
                    "promote: connections that were opened to {from} meanwhile cannot be ended ({error}), and may hang"
                ));
                return;
            }
        }
        thread::sleep(PAUSE);
    }
}
