//! Verifies an open bridge by connections through the host ports, as clients make them.

use std::net::TcpStream;
use std::time::Duration;

use step::engine::address::host_side;
use step::health::ProbeConfig;
use step::host::nft::Nft;
use step::model::name::Name;

use super::listing::counted;
use super::redirect::PortRedirect;
use super::route;
use crate::traffic::monitor::answers;

/// How long the candidate may take to answer through it: from the first moment it has all new connections.
const PROVEN_WITHIN: Duration = Duration::from_secs(2);

/// A connection through each port must be counted by the rules and answered by the candidate.
pub(super) fn verify(
    nft: &Nft,
    container: &Name,
    redirects: &[PortRedirect],
    config: &ProbeConfig,
) -> Result<(), String> {
    for one in redirects {
        let port = one.publish.host;
        let at = [
            Some(host_side(&one.publish)),
            route::own_address(&one.publish, one.candidate),
        ];
        for at in at.into_iter().flatten() {
            TcpStream::connect_timeout(&at, Duration::from_secs(2))
                .map_err(|error| format!("no connection through port {port} at {at}: {error}"))?;
        }
        if config
            .probe
            .port
            .is_none_or(|asked| asked == one.publish.container)
        {
            answers(&one.publish, config, PROVEN_WITHIN).map_err(|proof| {
                format!("port {port} answers through the bridge: {}", proof.saw())
            })?;
        }
    }
    let rules = nft.read(container).ok_or("the table cannot be read back")?;
    let unused = redirects
        .iter()
        .find(|one| counted(&rules, one.publish.host) < expected(one));
    unused.map_or(Ok(()), |one| {
        Err(format!(
            "connections to port {} did not take the bridge",
            one.publish.host
        ))
    })
}

/// How many of a port's rules must have counted a connection once it is verified. A port on every address was called at
/// two: on loopback, which goes to the forwarder, and on this host's own address, which is translated.
fn expected(redirect: &PortRedirect) -> usize {
    if redirect.publish.address.is_none() {
        2
    } else {
        1
    }
}
