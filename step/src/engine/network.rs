//! How a container is tied to the host and to networks: addresses and published ports.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::json::{nullable, number};
use super::ports::{Binding, NetworkSettings, Ports, bindings, named_bindings};
use crate::model::port::{Publish, container_port};
use crate::text::printable;

/// How a container is tied to the host.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct HostConfig {
    /// The network it was created on, e.g. `default`, `host`, or a name.
    pub network_mode: String,
    /// Removed by the engine when it ends.
    pub auto_remove: bool,
    /// What the engine does when it ends.
    pub restart_policy: RestartPolicy,
    /// Every exposed port on a port of the host.
    pub publish_all_ports: bool,
    #[serde(deserialize_with = "nullable")]
    port_bindings: Ports,
    pid_mode: String,
    ipc_mode: String,
    #[serde(deserialize_with = "nullable")]
    links: Vec<String>,
    #[serde(deserialize_with = "nullable")]
    security_opt: Vec<String>,
    #[serde(deserialize_with = "nullable")]
    log_config: LogConfig,
    /// All else, as the engine shows it: a few of these are run options that may have changed since.
    #[serde(flatten)]
    pub others: Map<String, Value>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct LogConfig {
    #[serde(deserialize_with = "nullable")]
    config: BTreeMap<String, String>,
}

/// What the engine does when a container ends.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct RestartPolicy {
    /// `no`, `always`, `unless-stopped` or `on-failure`; empty is `no`.
    pub name: String,
    /// Older podman writes a negative number for none.
    #[serde(deserialize_with = "number")]
    maximum_retry_count: i64,
}

impl RestartPolicy {
    /// How often in a row it is tried to start it again after a failure; 0 is without end.
    pub fn tries(&self) -> u32 {
        self.maximum_retry_count.try_into().unwrap_or(0)
    }

    /// Whether the engine ever starts it again.
    pub fn restarts(&self) -> bool {
        !matches!(self.name.as_str(), "" | "no")
    }
}

impl HostConfig {
    /// Whether it has the host's network, and none of its own.
    pub fn is_on_hosts_network(&self) -> bool {
        self.network_mode == "host"
    }

    /// The ports asked for at creation. A port left to the engine is not in it, unless the
    /// engine chooses at creation, as podman does.
    pub fn published(&self) -> Vec<Publish> {
        let all = bindings(&self.port_bindings);
        all.filter_map(|(port, binding)| binding.publish(port))
            .collect()
    }

    /// The ports by which a container that is started like this one is called where this one is now: the engine chose
    /// some of them.
    ///
    /// # Errors
    /// The port of the container, `8080/tcp`, of which the engine does not say where it is now.
    pub fn published_now(&self, now: &NetworkSettings) -> Result<Vec<Publish>, String> {
        let mut all = Vec::new();
        for (key, binding) in named_bindings(&self.port_bindings) {
            let port = container_port(key).map_err(|_| printable(key, 50))?;
            match binding.publish(port) {
                Some(asked) => all.push(asked),
                None => {
                    let chosen = now.chosen(key, binding, port);
                    all.extend(
                        Some(chosen)
                            .filter(|it| !it.is_empty())
                            .ok_or_else(|| printable(key, 50))?,
                    );
                }
            }
        }
        if self.publish_all_ports {
            let rest = now
                .ports
                .keys()
                .filter(|key| !self.port_bindings.contains_key(*key));
            let rest = rest.filter_map(|key| Some((key, container_port(key).ok()?)));
            all.extend(rest.flat_map(|(key, port)| now.chosen(key, &Binding::default(), port)));
        }
        let is_v6 = |it: &Publish| it.address.is_some_and(|ip| ip.is_ipv6());
        all.sort_by_key(|it| (it.protocol, it.container, is_v6(it), it.host));
        all.dedup();
        Ok(all)
    }

    /// The seccomp profiles that it was given: docker's CLI sends the content of the file that was named.
    pub fn seccomp(&self) -> Vec<&str> {
        let all = self.security_opt.iter().map(String::as_str);
        all.filter(|option| option.starts_with("seccomp")).collect()
    }

    /// The containers, `container:ID`, whose namespaces it shares, by the namespace's kind; `None` is one of its own.
    pub fn shares_with(&self) -> [(&'static str, Option<&str>); 3] {
        let modes = [
            ("network", &self.network_mode),
            ("processes", &self.pid_mode),
            ("memory", &self.ipc_mode),
        ];
        modes.map(|(kind, mode)| (kind, mode.strip_prefix("container:")))
    }

    /// The full id of the container whose network it shares.
    pub fn network_of(&self) -> Option<String> {
        let [(_, network), ..] = self.shares_with();
        network.map(str::to_owned)
    }

    /// The links of a container of this name, as `/db:/web/alias` each, on the default network: who calls, and whom.
    pub(super) fn links(&self, name: &str) -> Vec<(String, String)> {
        let called = self.links.iter().filter_map(|link| link.split(':').next());
        let called = called.map(|it| it.trim_start_matches('/').to_owned());
        called.map(|called| (name.to_owned(), called)).collect()
    }

    /// The options of its log driver.
    pub fn log_options(&self) -> &BTreeMap<String, String> {
        &self.log_config.config
    }

    /// How many bindings there are, of any protocol and kind.
    pub fn binding_count(&self) -> usize {
        self.port_bindings.values().flatten().map(Vec::len).sum()
    }
}

/// A network of an engine.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct NetworkSummary {
    id: String,
    driver: String,
    #[serde(deserialize_with = "nullable")]
    options: BTreeMap<String, String>,
}

impl NetworkSummary {
    /// The interface of this machine that is its bridge, if it is one: as it was named, else as docker names it.
    pub(super) fn interface(&self) -> Option<String> {
        const NAMED: &str = "com.docker.network.bridge.name";
        let named = self.options.get(NAMED).cloned();
        let usual = || self.id.get(..12).map(|id| format!("br-{id}"));
        named.or_else(usual).filter(|_| self.driver == "bridge")
    }
}
