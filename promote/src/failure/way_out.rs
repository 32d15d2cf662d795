//! What a person does where a candidate cannot be promoted.

/// The way to one that can.
#[derive(Debug)]
pub(crate) enum WayOut {
    /// None is there: one is started.
    Start,
    /// The one that is there, by its name, does not do: it says why, and another takes its place.
    Replace(String),
    /// The one that is there was not probed.
    Probe,
    /// Nothing is there that could be asked.
    Reach,
    /// An unfinished promotion goes on as it was begun.
    WithAlias,
    /// The same, of one that was begun for a port.
    WithoutAlias,
    /// The message says it.
    Restart,
}

impl WayOut {
    pub(super) fn hint(&self) -> String {
        let said = match self {
            Self::Start => "start-candidate, then probe-health, then promote",
            Self::Replace(name) => {
                return format!(
                    "`docker logs {name}` says why; then start-candidate --replace, probe-health and promote"
                );
            }
            Self::Probe => "probe the one that is there by probe-health, and hand that report on",
            Self::Reach => {
                "start the candidate with --publish, or look from inside with --exec or --docker-health"
            }
            Self::WithAlias => {
                "promote with that --network and --alias resumes it; nothing else can begin before"
            }
            Self::WithoutAlias => {
                "promote without --network and --alias resumes it; nothing else can begin before"
            }
            Self::Restart => "start-candidate --replace, then probe-health, then promote",
        };
        said.to_owned()
    }
}
