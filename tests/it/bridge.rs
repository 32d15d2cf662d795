//! The bridge: nobody notices the swap, whoever and wherever they are.

mod addresses;
mod answers;
mod arrivals;
mod carriers;
mod clients;
mod connections;
mod crossings;
mod datagrams;
mod ended;
mod handshakes;
mod hung;
mod kept;
pub(crate) mod kinds;
mod limits;
mod losses;
pub(crate) mod modes;
mod names;
mod numbers;
mod ports;
mod rootless;
mod surroundings;
mod worlds;

use std::io::Write;
use std::sync::RwLock;

use serde_json::Value;
use stage::ground::{ENGINE, on_podman, on_rootless};
use stage::image::Built;
use stage::skipped::skip;

use crate::support::{App, ok, text};

/// Held for writing by the test that changes the rules of the whole machine.
pub(crate) static RULES: RwLock<()> = RwLock::new(());

/// Promotes `image` over what is live; the report of the swap, which went over a bridge without a failure.
pub(crate) fn bridged(app: &App, image: &Built, flags: &[&str]) -> Value {
    app.candidate(image, &[]);
    bridged_now(app, flags)
}

/// The same of the candidate that is there.
fn bridged_now(app: &App, flags: &[&str]) -> Value {
    let report = ok(&app.promote(flags));
    let swap = &report["swap"];
    assert_eq!(text(&swap["bridge"]), "on", "{report}");
    assert_eq!(swap["failed"], 0, "{report}");
    swap.clone()
}

/// The kernel's rules of this app, where it has some.
fn rules(app: &App) -> Option<String> {
    let table = format!("deploy-steps-{}", app.name());
    let mut nft = std::process::Command::new("nft");
    let listed = nft
        .args(["list", "table", "inet", &table])
        .output()
        .unwrap();
    let rules = String::from_utf8(listed.stdout).unwrap();
    listed.status.success().then_some(rules)
}

/// Whether the kernel has rules of this app.
pub(crate) fn has_rules(app: &App) -> bool {
    rules(app).is_some()
}

/// Whether they lead clients to the candidate: before it does, promote looks who is served.
pub(crate) fn leads(app: &App) -> bool {
    rules(app).is_some_and(|rules| rules.contains(" promote of "))
}

/// Whether the engine has a proxy of its own on published ports: docker has unless its stage says otherwise.
pub(crate) fn has_proxy() -> bool {
    let engine = std::env::var(ENGINE).unwrap_or_default();
    !on_podman() && !engine.split(' ').any(|it| it == "--userland-proxy=false")
}

/// Whether there can be a bridge, which leads to a container's own address: one of a rootless engine has none here.
pub(crate) fn has_bridge() -> bool {
    !on_rootless()
}

/// For tests of a bridge: whether they are skipped, as there can be none.
pub(crate) fn lacks_bridge() -> bool {
    if !has_bridge() {
        skip("containers of a rootless engine have no address here that a bridge could lead to");
    }
    !has_bridge()
}

/// A line for whoever reads the test's output: the numbers behind its verdict.
pub(crate) fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}
