//! Who is answered on the live container's port, and by whom: one call of each kind, before the bridge opens.
//!
//! The bridge must lead those who were served before, and nobody else, the way they came before: a firewall sees an
//! address that the engine translates where packets are forwarded, and one that its proxy serves where they come in.
//! Which is which depends on the engine's version, on its flags (`--userland-proxy`, `--iptables`, `--ipv6`), on its
//! backend and on the container's network. So nothing of that is guessed. Each kind of client calls the port, and a rule
//! behind the engine's own counts whether its packets were translated. Docker 26 and 28 and podman 5 were seen to treat
//! all clients of one kind alike.

use std::time::Duration;

use step::health::ProbeConfig;
use step::host::nft::Nft;
use step::model::name::Name;

use super::calls::Call;
use super::error::NoBridge;
use super::listing;
use super::served::{By, Client, Served, Way};

/// How long an answer may take: an engine without a proxy takes some connections and answers none.
const PATIENCE: Duration = Duration::from_secs(2);

/// Calls the live container's port in every way. The rules that count the calls stand already.
///
/// # Errors
/// When nobody was answered, or the rules are gone.
pub(super) fn look(
    nft: &Nft,
    live: &Name,
    calls: &[Call],
    config: &ProbeConfig,
) -> Result<Served, NoBridge> {
    let config = any_answer(config);
    let answers: Vec<Option<bool>> = calls
        .iter()
        .map(|it| Some(it.make(&config)?.is_ok()))
        .collect();
    let rules = nft.read(live).ok_or(NoBridge::Unread)?;
    let mut served = Served::default();
    for (call, answer) in calls.iter().zip(answers) {
        let is_v6 = call.at.is_ipv6();
        let counted = listing::counted(&rules, &call.tag(), None) > 0;
        let by = match answer {
            Some(false) => continue,
            Some(true) if counted => By::Kernel,
            Some(true) => By::Proxy,
            // Who may not call from a container takes it for one as engines do.
            None => match served.by(Client::Loopback, is_v6) {
                Some(by) => by,
                None => continue,
            },
        };
        served.0.push(Way {
            client: call.client,
            is_v6,
            by,
        });
    }
    if served.0.is_empty() {
        return Err(NoBridge::NobodyAnswered);
    }
    Ok(served)
}

/// Who says that the app is sick is answered, too.
fn any_answer(config: &ProbeConfig) -> ProbeConfig {
    let mut config = config.clone();
    config.timeout = config.timeout.min(PATIENCE);
    config.probe.expect_status = "100-599".parse().ok();
    config.probe.expect_body = None;
    config
}
