//! The restart policy of the container that goes live.

use std::fmt;
use std::str::FromStr;

use step::engine::Engine;
use step::engine::container::Container;
use step::engine::error::EngineError;

/// When the engine starts a container again by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RestartPolicy {
    No,
    Always,
    UnlessStopped,
    /// So many times in a row; 0 is without end.
    OnFailure(u32),
}

impl fmt::Display for RestartPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::No => f.write_str("no"),
            Self::Always => f.write_str("always"),
            Self::UnlessStopped => f.write_str("unless-stopped"),
            Self::OnFailure(0) => f.write_str("on-failure"),
            Self::OnFailure(tries) => write!(f, "on-failure:{tries}"),
        }
    }
}

impl FromStr for RestartPolicy {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':').unwrap_or((text, "")) {
            ("no", "") => Ok(Self::No),
            ("always", "") => Ok(Self::Always),
            ("unless-stopped", "") => Ok(Self::UnlessStopped),
            ("on-failure", "") => Ok(Self::OnFailure(0)),
            ("on-failure", tries) if tries.parse().is_ok_and(|it: u32| it > 0) => {
                Ok(Self::OnFailure(tries.parse().unwrap_or_default()))
            }
            _ => Err(
                "it is `no`, `always`, `unless-stopped`, `on-failure` or `on-failure:TRIES`"
                    .to_owned(),
            ),
        }
    }
}

impl RestartPolicy {
    /// As asked for, else as the live container has it, else always. One that is not started again says nothing of
    /// what the next release needs.
    pub(crate) fn of(asked: Option<Self>, live: Option<&Container>) -> Self {
        asked
            .or_else(|| live.and_then(Self::own))
            .unwrap_or(Self::Always)
    }

    fn own(container: &Container) -> Option<Self> {
        let policy = &container.host_config.restart_policy;
        match policy.name.parse().ok()? {
            Self::No => None,
            Self::OnFailure(_) => Some(Self::OnFailure(policy.tries())),
            other => Some(other),
        }
    }

    /// From now on the engine starts the container again.
    pub(crate) fn set(self, engine: &Engine, id: &str) -> Result<(), EngineError> {
        if self == Self::No {
            return Ok(());
        }
        let policy = self.to_string();
        engine.set_restart(id, &policy).or_else(|error| {
            // One that could not get it later was made with it.
            let found = engine.container(id)?;
            let has = found.as_ref().and_then(Self::own) == Some(self);
            has.then_some(()).ok_or(error)
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn live(name: &str, tries: u32) -> Container {
        let policy = json!({"RestartPolicy": {"Name": name, "MaximumRetryCount": tries}});
        serde_json::from_value(json!({
            "Id": "", "Name": "web", "Image": "", "State": {}, "Config": {}, "HostConfig": policy, "NetworkSettings": {},
        }))
        .unwrap()
    }

    #[test]
    fn a_policy_is_read_as_it_is_written() {
        for text in [
            "no",
            "always",
            "unless-stopped",
            "on-failure",
            "on-failure:5",
        ] {
            assert_eq!(text.parse::<RestartPolicy>().unwrap().to_string(), text);
        }
        for wrong in [
            "",
            "sometimes",
            "always:3",
            "on-failure:0",
            "on-failure:-1",
            "on-failure:x",
        ] {
            assert!(wrong.parse::<RestartPolicy>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_nobody_asked_for_is_the_live_containers_where_that_starts_again() {
        let of = |name, tries| RestartPolicy::of(None, Some(&live(name, tries))).to_string();
        assert_eq!(of("on-failure", 5), "on-failure:5");
        assert_eq!(of("unless-stopped", 0), "unless-stopped");
        assert_eq!(
            (of("no", 0), of("", 0)),
            ("always".to_owned(), "always".to_owned())
        );
        assert_eq!(RestartPolicy::of(None, None), RestartPolicy::Always);
        let asked = RestartPolicy::of(Some(RestartPolicy::No), Some(&live("always", 0)));
        assert_eq!(asked, RestartPolicy::No);
    }
}
