//! Labels and variables by which a proxy finds containers by itself. It would call the candidate as soon as that runs.
//!
//! A label cannot be given later to a container that runs. And the final container would be found before its proof, while
//! the old one is lost with its end: requests fail in between. So a container that a proxy follows is refused.

use step::engine::container::Container;
use step::text::printable;

use crate::failure::Failure;

/// What a proxy goes by, each by its whole name or by what it begins with, before a `*`.
const LABELS: [&str; 6] = [
    "traefik.*",
    "caddy",
    "caddy.*",
    "caddy_*",
    "easyhaproxy.*",
    "swag",
];
const VARIABLES: [&str; 2] = ["VIRTUAL_HOST", "VIRTUAL_HOST_MULTIPORTS"];
/// Labels that tell a proxy to pass over the container.
const PASSED_OVER: [(&str, &str); 2] = [("traefik.enable", "false"), ("swag", "disable")];

/// Refuses a container that a proxy would find; `more` are further labels or variables that one goes by.
pub(crate) fn by_no_proxy(created: &Container, more: &[String]) -> Result<(), Failure> {
    let more = || more.iter().map(String::as_str);
    let is_one = |name: &str, known: &[&str]| {
        let mut all = known.iter().copied().chain(more());
        all.any(|it| fits(it, name))
    };
    let labels = &created.config.labels;
    let passed_over: Vec<&str> = PASSED_OVER
        .into_iter()
        .filter(|(name, value)| labels.get(*name).is_some_and(|it| it == value))
        .filter_map(|(name, _)| name.split('.').next())
        .collect();
    let mut labels = labels.keys().filter(|name| is_one(name, &LABELS));
    let label = labels.find(|name| !passed_over.iter().any(|it| name.starts_with(it)));
    let variables = created.variables();
    let mut variables = variables
        .iter()
        .filter(|(_, value)| value.is_some_and(|it| !it.is_empty()));
    let mut variable = || variables.find(|(name, _)| is_one(name, &VARIABLES));
    let found = match label {
        Some(name) => Some(("label", printable(name, 100))),
        None => variable().map(|(name, _)| ("variable", printable(name, 100))),
    };
    found.map_or(Ok(()), |(kind, name)| Err(Failure::Followed { kind, name }))
}

fn fits(known: &str, name: &str) -> bool {
    match known.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => name == known,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn found(labels: serde_json::Value, env: &[&str], more: &[&str]) -> Option<String> {
        let created = serde_json::from_value(json!({
            "Id": "", "Name": "web-new", "Image": "", "State": {}, "HostConfig": {}, "NetworkSettings": {},
            "Config": {"Labels": labels, "Env": env},
        }));
        let more: Vec<String> = more.iter().map(|&it| it.to_owned()).collect();
        let refused = by_no_proxy(&created.unwrap(), &more).err();
        refused.map(|it| it.to_string())
    }

    #[test]
    fn what_a_proxy_goes_by_is_named_and_its_value_is_not() {
        for (labels, env, name) in [
            (
                json!({"traefik.http.routers.web.rule": "x"}),
                &[][..],
                "the label traefik.http.routers.web.rule",
            ),
            (json!({"caddy": "example.com"}), &[], "the label caddy"),
            (
                json!({"caddy_1.reverse_proxy": "x"}),
                &[],
                "the label caddy_1.reverse_proxy",
            ),
            (
                json!({}),
                &["VIRTUAL_HOST=example.com"],
                "the variable VIRTUAL_HOST",
            ),
        ] {
            let said = found(labels, env, &[]).unwrap();
            assert!(said.contains(name) && !said.contains("example"), "{said}");
        }
    }

    #[test]
    fn what_a_proxy_passes_over_and_what_none_goes_by_is_let_through() {
        let off = json!({"traefik.enable": "false", "traefik.http.routers.web.rule": "x"});
        assert_eq!(found(off, &["VIRTUAL_HOST="], &[]), None);
        assert_eq!(found(json!({"caddyshack": "x"}), &["HOST=x"], &[]), None);
    }

    #[test]
    fn the_list_can_be_extended() {
        let labels = json!({"edge.host": "x"});
        assert_eq!(found(labels.clone(), &[], &[]), None);
        assert!(found(labels, &[], &["edge.*"]).is_some());
        assert!(found(json!({}), &["EDGE=x"], &["EDGE"]).is_some());
    }
}
