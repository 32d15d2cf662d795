//! Addresses of a URL's host, without a thread where none is needed or none can be started.
//!
//! ureq looks names up on a thread where there is a deadline, also what is an address already. Where a process limit is
//! reached that thread cannot be started, and ureq panics.

use std::net::IpAddr;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;

use ureq::Error;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

/// As ureq's own, but it never panics.
#[derive(Debug)]
pub(super) struct Resolve;

impl Resolver for Resolve {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, Error> {
        if is_address(uri) {
            return look_up(uri, config);
        }
        let (tell, told) = channel();
        let (name, kept) = (uri.clone(), config.clone());
        let beside = move || drop(tell.send(look_up(&name, &kept)));
        if thread::Builder::new().spawn(beside).is_err() {
            // It may take longer than was wanted.
            return look_up(uri, config);
        }
        told.recv_timeout(*timeout.after).unwrap_or_else(|lost| {
            Err(match lost {
                RecvTimeoutError::Timeout => Error::Timeout(timeout.reason),
                RecvTimeoutError::Disconnected => Error::HostNotFound,
            })
        })
    }
}

fn is_address(uri: &Uri) -> bool {
    let host = uri.host().unwrap_or_default();
    let inner = host.trim_start_matches('[').trim_end_matches(']');
    inner.parse::<IpAddr>().is_ok()
}

/// Here and now, with no deadline.
fn look_up(uri: &Uri, config: &Config) -> Result<ResolvedSocketAddrs, Error> {
    DefaultResolver::default().resolve(uri, config, NextTimeout::default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_told_from_a_name() {
        for (url, is) in [
            ("http://127.0.0.1:80/", true),
            ("http://[::1]/x", true),
            ("http://localhost/", false),
            ("http://1.2.3.4.example/", false),
        ] {
            assert_eq!(is_address(&url.parse().unwrap()), is, "{url}");
        }
    }

    #[test]
    fn a_name_and_an_address_are_found() {
        for url in ["http://localhost:81/", "http://127.0.0.1:81/"] {
            let uri = url.parse().unwrap();
            let found = Resolve.resolve(&uri, &Config::default(), NextTimeout::default());
            assert!(found.unwrap().iter().all(|it| it.port() == 81), "{url}");
        }
    }
}
