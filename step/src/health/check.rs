//! One attempt at an app: an HTTP request, a connection, a program in the container, or the engine's word.

use std::io::Read;
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use ureq::Agent;
use ureq::unversioned::transport::DefaultConnector;

use super::ProbeConfig;
use super::resolver::Resolve;
use crate::engine::Engine;
use crate::engine::error::EngineError;
use crate::model::probe::Probe;
use crate::text::printable;

/// What is said of a container that --docker-health cannot be asked about.
pub(crate) const NO_HEALTHCHECK: &str = "it has no HEALTHCHECK";
const BODY_READ: u64 = 64 << 10;
/// A connection closed sooner than this was accepted by docker-proxy for an app that is not there.
const STAYS_OPEN: Duration = Duration::from_millis(50);

/// What an attempt found: nothing wrong, or what.
pub(crate) type CheckResult = Result<String, String>;

/// An attempt over the network; may be run on a thread of its own.
#[derive(Clone, Debug)]
pub(crate) enum NetworkCheck {
    Http(Box<HttpCheck>),
    Tcp(SocketAddr, Duration),
}

#[derive(Clone, Debug)]
pub(crate) struct HttpCheck {
    agent: Agent,
    url: String,
    headers: Vec<(String, String)>,
    probe: Probe,
}

impl HttpCheck {
    /// Neither proxies from the environment nor redirects are followed: both would ask somebody else.
    pub(crate) fn new(url: String, config: &ProbeConfig) -> Self {
        let probe = &config.probe;
        let agent = Agent::config_builder()
            .timeout_global(Some(config.timeout))
            .http_status_as_error(false)
            .max_redirects(0)
            .proxy(None)
            .max_idle_connections(0)
            .user_agent("deploy-steps");
        #[cfg(feature = "tls")]
        let agent = agent.tls_config(
            ureq::tls::TlsConfig::builder()
                .disable_verification(probe.insecure)
                .build(),
        );
        let host = probe
            .host
            .iter()
            .map(|host| ("Host".to_owned(), host.clone()));
        Self {
            agent: Agent::with_parts(agent.build(), DefaultConnector::default(), Resolve),
            url,
            headers: config.headers.iter().cloned().chain(host).collect(),
            probe: probe.clone(),
        }
    }

    fn check(&self) -> CheckResult {
        let mut request = self.agent.get(&self.url).header("Connection", "close");
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let over = if self.url.starts_with("https:") {
            "over TLS: "
        } else {
            ""
        };
        let called = request.call();
        let mut response = called.map_err(|error| format!("{over}{}", network_error(&error)))?;
        let status = response.status().as_u16();
        if !self
            .probe
            .expect_status
            .unwrap_or_default()
            .contains(status)
        {
            return Err(format!("status {status}"));
        }
        let Some(expected) = &self.probe.expect_body else {
            return Ok(format!("status {status}"));
        };
        let mut body = Vec::new();
        let read = response
            .body_mut()
            .as_reader()
            .take(BODY_READ)
            .read_to_end(&mut body);
        read.map_err(|error| {
            let why = printable(&error.to_string(), 200);
            format!("status {status}, but the body broke off: {why}")
        })?;
        if String::from_utf8_lossy(&body).contains(expected.as_str()) {
            return Ok(format!("status {status} with the expected body"));
        }
        Err(format!(
            "status {status}, but the body lacks the expected text"
        ))
    }
}

fn network_error(error: &ureq::Error) -> String {
    match error {
        ureq::Error::Io(io) if io.kind() == std::io::ErrorKind::ConnectionRefused => {
            "connection refused".to_owned()
        }
        ureq::Error::Timeout(_) => "no answer in time".to_owned(),
        other => printable(&other.to_string(), 200),
    }
}

impl NetworkCheck {
    pub(crate) fn check(&self) -> CheckResult {
        match self {
            Self::Http(http) => http.check(),
            Self::Tcp(address, timeout) => connect(*address, *timeout),
        }
    }
}

fn connect(address: SocketAddr, timeout: Duration) -> CheckResult {
    let stream = TcpStream::connect_timeout(&address, timeout)
        .map_err(|error| printable(&error.to_string(), 200))?;
    stream
        .set_read_timeout(Some(STAYS_OPEN))
        .map_err(|error| error.to_string())?;
    match (&stream).read(&mut [0]) {
        Ok(0) => Err("accepted, then closed at once".to_owned()),
        Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {
            Err("accepted, then reset".to_owned())
        }
        _ => Ok("connected".to_owned()),
    }
}

/// Runs the probe's program in the container.
pub(crate) fn run_inside(
    engine: &Engine,
    id: &str,
    words: &[String],
    timeout: Duration,
) -> Result<CheckResult, EngineError> {
    match engine.exec(id, words, timeout) {
        Ok(reply) if reply.code == Some(0) => Ok(Ok("exit 0".to_owned())),
        Ok(reply) if reply.engine_is_away() => Err(reply.failure()),
        Ok(reply) => Ok(Err(reply
            .code
            .map_or("ended by a signal".to_owned(), |code| {
                format!("exit {code}")
            }))),
        Err(EngineError::TimedOut { .. }) => Ok(Err("no end in time".to_owned())),
        Err(error) => Err(error),
    }
}

/// What the image's own HEALTHCHECK says; `None` when the container is gone.
///
/// The engine runs it for the first time after its interval, which is 30 s unless the image says otherwise (Docker's
/// reference of HEALTHCHECK). So it is run here as well, as the engine would, until the engine says that it is healthy.
pub(crate) fn healthcheck(
    engine: &Engine,
    id: &str,
    timeout: Duration,
) -> Result<Option<CheckResult>, EngineError> {
    let Some(container) = engine.container(id)? else {
        return Ok(None);
    };
    let word = container.state.health();
    if word == Some("healthy") {
        return Ok(Some(Ok("healthy".to_owned())));
    }
    let Some(words) = container.config.healthcheck() else {
        return Ok(Some(Err(NO_HEALTHCHECK.to_owned())));
    };
    let seen = run_inside(engine, id, &words, timeout)?;
    let word = printable(word.unwrap_or("starting"), 50);
    let seen = match seen {
        Ok(_) => Ok("healthy, by its HEALTHCHECK run now".to_owned()),
        Err(saw) => Err(format!("{word}; its HEALTHCHECK run now: {saw}")),
    };
    Ok(Some(seen))
}
