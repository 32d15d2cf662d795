//! What of the live container's networks no release can take over: it is told before anything is touched.

use step::engine::Engine;
use step::engine::container::Container;
use step::engine::error::EngineError;
use step::engine::summary::ContainerSummary;
use step::model::places::mode;
use step::recipe::Recipe;
use step::terminal::warn;

/// A container that loses the live one when it is replaced.
#[derive(Debug, PartialEq, Eq)]
enum CutOff {
    /// It has no network of its own.
    Sharing(String),
    /// It knows the live one's address by a link on the default network.
    Linked(String),
}

/// Says what is lost when a release of this recipe replaces `live`, and returns the names of the containers that lose it.
pub(crate) fn tell(
    engine: &Engine,
    live: &Container,
    recipe: &Recipe,
) -> Result<Vec<String>, EngineError> {
    if let Some(lost) = lost(live, &recipe.options) {
        warn(&format!("start-candidate: {lost}"));
    }
    let all = engine.summaries(&[])?;
    let found = cut_off(&all, live);
    for one in &found {
        warn(&format!("start-candidate: {}", one.sentence(live.name())));
    }
    Ok(found.into_iter().map(CutOff::name).collect())
}

/// The live container's network, where the next release cannot be on it or is not.
fn lost(live: &Container, options: &[String]) -> Option<String> {
    let (name, was) = (live.name(), live.host_config.network_mode.as_str());
    let next = mode(options).unwrap_or("default");
    let shares = next.starts_with("container:");
    let what = |kept: &str| {
        Some(format!(
            "{name} is on the network {was}, which the next release is not: {kept}"
        ))
    };
    match was {
        "host" => what("who calls it there finds only the ports that --publish names"),
        _ if was.starts_with("container:") => match shares {
            true => None,
            false => what("give --network container:NAME again after the `--` to keep it"),
        },
        _ => {
            let mut own = live.network_settings.networks.keys();
            let network = own.find(|network| !matches!(network.as_str(), "none" | "host"))?;
            let cannot = format!(
                "{name} is on the network {network}, which a release with --network {next} cannot be: who calls it there finds nobody"
            );
            (shares || next == "none").then_some(cannot)
        }
    }
}

fn cut_off(all: &[ContainerSummary], live: &Container) -> Vec<CutOff> {
    let sharing = all
        .iter()
        .filter(|it| it.network_of.as_deref() == Some(live.id.as_str()));
    let sharing = sharing.map(|it| CutOff::Sharing(it.name.clone()));
    let links = all.iter().flat_map(|it| &it.links);
    let linked = links.filter(|(_, called)| called == live.name());
    let mut linked: Vec<&str> = linked.map(|(from, _)| from.as_str()).collect();
    linked.sort_unstable();
    linked.dedup();
    let linked = linked
        .into_iter()
        .map(|from| CutOff::Linked(from.to_owned()));
    sharing.chain(linked).collect()
}

impl CutOff {
    fn sentence(&self, live: &str) -> String {
        match self {
            Self::Sharing(name) => format!(
                "{name} shares the network of {live} and has none when {live} is replaced: remove it and start it again with --network container:{live} after promote"
            ),
            Self::Linked(name) => format!(
                "{name} calls {live} by a link, which leads nowhere when {live} is replaced: put both on a network made by docker network create"
            ),
        }
    }

    fn name(self) -> String {
        match self {
            Self::Sharing(name) | Self::Linked(name) => name,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn container(id: &str, name: &str, host: Value) -> Container {
        serde_json::from_value(json!({
            "Id": id, "Name": name, "Image": "", "State": {}, "Config": {}, "HostConfig": host,
            "NetworkSettings": {"Networks": {"front": {}}},
        }))
        .unwrap()
    }

    #[test]
    fn who_shares_the_live_ones_network_or_has_a_link_to_it_is_cut_off() {
        let live = container("1", "/web", json!({}));
        let all = [
            container("2", "/sidecar", json!({"NetworkMode": "container:1"})),
            container("3", "/other", json!({"NetworkMode": "container:2"})),
            container(
                "4",
                "/caller",
                json!({"Links": ["/web:/caller/a", "/web:/caller/b", "/db:/caller/c"]}),
            ),
        ];
        let all = all.map(ContainerSummary::from);
        let expected = [
            CutOff::Sharing("sidecar".to_owned()),
            CutOff::Linked("caller".to_owned()),
        ];
        assert_eq!(cut_off(&all, &live), expected);
    }

    #[test]
    fn a_network_that_the_next_release_cannot_be_on_is_told() {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        for (was, next, told) in [
            ("front", "--network none", true),
            ("front", "--network container:db", true),
            ("front", "--network back", false),
            ("front", "-it", false),
            ("host", "-it", true),
            ("container:1", "-it", true),
            ("container:1", "--network container:db", false),
        ] {
            let live = container("9", "/web", json!({"NetworkMode": was}));
            let lost = lost(&live, &words(next));
            assert_eq!(lost.is_some(), told, "{was} {next}: {lost:?}");
        }
    }
}
