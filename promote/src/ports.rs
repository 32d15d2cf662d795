//! Whether the host ports that the new container wants are free for it.

use std::fs;

use step::{Container, Engine, EngineError, Publish};

/// The first of `wanted` that something else than `holder` listens on or publishes.
///
/// The engine itself checks a port only when the container starts, which is too late. With the
/// userland proxy off nothing listens on a published port, so the engine is asked as well.
pub(crate) fn taken(
    engine: &Engine,
    wanted: &[Publish],
    holder: Option<&Container>,
) -> Result<Option<u16>, EngineError> {
    let held = holder
        .map(|holder| holder.network_settings.bound())
        .unwrap_or_default();
    for publish in wanted {
        if held.iter().any(|other| other.host == publish.host) {
            continue;
        }
        if is_listened_on(publish.host) || !engine.publishing(publish.host)?.is_empty() {
            return Ok(Some(publish.host));
        }
    }
    Ok(None)
}

/// Reads the kernel's list of listening sockets, which needs no right, unlike binding a port below 1024.
pub(crate) fn is_listened_on(port: u16) -> bool {
    const LISTEN: &str = "0A";
    let suffix = format!(":{port:04X}");
    ["/proc/net/tcp", "/proc/net/tcp6"].iter().any(|table| {
        let text = fs::read_to_string(table).unwrap_or_default();
        text.lines().skip(1).any(|line| {
            let mut fields = line.split_whitespace().skip(1);
            let local = fields.next().unwrap_or_default();
            local.ends_with(&suffix) && fields.nth(1) == Some(LISTEN)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listening_port_is_seen() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        assert!(is_listened_on(port));
        drop(listener);
        assert!(!is_listened_on(port));
    }
}
