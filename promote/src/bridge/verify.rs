//! Verifies an open bridge by calls through the host ports, as each kind of client makes them.

use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use step::engine::container::Container;
use step::health::ProbeConfig;
use step::host::nft::Nft;
use step::model::name::Name;

use super::calls::{Call, calls};
use super::listing::{self, counted};
use super::plan::Plan;
use super::redirect::PortRedirect;
use super::served::Client;

/// How long the candidate may take to answer through it: from the first moment it has all new connections.
const VERIFIED_WITHIN: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(20);

/// A call of each kind that was served before must be counted by its rule and answered by the candidate.
pub(super) fn verify(
    nft: &Nft,
    plan: &Plan,
    candidate: &Container,
    config: &ProbeConfig,
) -> Result<(), String> {
    let mut made = Vec::new();
    for one in &plan.redirects {
        for call in calls(&one.door, candidate) {
            let Some(tag) = plan.tag(&call) else {
                continue;
            };
            let is_made = if is_asked(one, config) {
                answered(&call, config)?
            } else {
                connected(&call)?
            };
            made.extend(is_made.then_some((call, tag)));
        }
    }
    let rules = nft
        .read(&plan.container)
        .ok_or("the table cannot be read back")?;
    let missed = made.iter().find(|(_, tag)| counted(&rules, tag, None) == 0);
    missed.map_or(Ok(()), |(call, _)| {
        Err(format!(
            "connections to {} did not take the bridge",
            call.at
        ))
    })
}

/// Whether health is asked behind this port.
fn is_asked(one: &PortRedirect, config: &ProbeConfig) -> bool {
    let asked = config.probe.port;
    asked.is_none_or(|asked| asked == one.door.v4.port())
}

/// Whether it was; not where nobody can call from there.
fn answered(call: &Call, config: &ProbeConfig) -> Result<bool, String> {
    let end = Instant::now() + VERIFIED_WITHIN;
    loop {
        match call.make(config) {
            None => return Ok(false),
            Some(Ok(_)) => return Ok(true),
            Some(Err(saw)) if Instant::now() > end => {
                return Err(format!("{} answers through the bridge: {saw}", call.at));
            }
            Some(Err(_)) => thread::sleep(PAUSE),
        }
    }
}

fn connected(call: &Call) -> Result<bool, String> {
    let made = call.connect(VERIFIED_WITHIN).transpose();
    made.map(|it| it.is_some())
        .map_err(|error| format!("no connection through the bridge at {}: {error}", call.at))
}

/// Whether what was translated of other hosts does not come out towards the candidate, as a rule of a firewall drops it.
/// Where they were `stopped` on their way to the live container, too, nobody loses anything.
pub(super) fn is_blocked(nft: &Nft, container: &Name, stopped: &[String]) -> bool {
    let Some(before) = nft.read(container) else {
        return false;
    };
    let mut entered = entered(&before);
    entered.retain(|(port, _)| !stopped.iter().any(|it| it == port));
    let all_through = |rules: &Value| {
        entered
            .iter()
            .all(|(port, packets)| through(rules, port) >= *packets)
    };
    if all_through(&before) {
        return false;
    }
    // Some may have been on their way.
    thread::sleep(PAUSE);
    nft.read(container).is_some_and(|now| !all_through(&now))
}

/// The packets that were translated as they came in, by family and port.
fn entered(rules: &Value) -> Vec<(&str, u64)> {
    let tags = listing::comments(rules).filter_map(|it| it.split(' ').next());
    let others = tags.filter_map(|tag| Some((tag, tag.strip_prefix(Client::Others.letter())?)));
    others
        .map(|(tag, port)| (port, counted(rules, tag, Some("prerouting"))))
        .collect()
}

fn through(rules: &Value, port: &str) -> u64 {
    counted(rules, &format!("F{port}"), None)
}
