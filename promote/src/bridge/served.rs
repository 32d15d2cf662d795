//! Who is served on the live container's port, and by whom.

use std::fmt;

use serde_json::Value;

use super::listing::{self, REMEMBERED};

/// Where a client is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Client {
    /// On this host, by a loopback address.
    Loopback,
    /// On another host, or on this one by an address of its own.
    Others,
    /// In a container of this engine.
    Containers,
}

/// Who hands its packets on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    /// A program that listens on the port.
    Proxy,
    /// The engine's rules, which translate them.
    Kernel,
}

/// A kind of client that is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Way {
    pub(crate) client: Client,
    pub(crate) is_v6: bool,
    pub(crate) by: By,
}

/// All kinds of clients that are served.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Served(pub(super) Vec<Way>);

impl Client {
    const ALL: [Self; 3] = [Self::Loopback, Self::Others, Self::Containers];

    /// By which rules and comments name it.
    pub(crate) fn letter(self) -> char {
        match self {
            Self::Loopback => 'L',
            Self::Others => 'O',
            Self::Containers => 'C',
        }
    }
}

impl Served {
    /// What the rules of a promotion that was killed remember, while the live container is down.
    pub(crate) fn remembered(rules: &Value) -> Option<Self> {
        let mut comments = listing::comments(rules);
        comments.find_map(|it| {
            it.strip_prefix(REMEMBERED)?
                .split(',')
                .map(way)
                .collect::<Option<_>>()
                .map(Self)
        })
    }

    /// As a plain Docker Engine does it, where nothing tells.
    pub(crate) fn usually() -> Self {
        let way = |client, is_v6, by| Way { client, is_v6, by };
        Self(vec![
            way(Client::Loopback, false, By::Proxy),
            way(Client::Others, false, By::Kernel),
            way(Client::Containers, false, By::Proxy),
            way(Client::Loopback, true, By::Proxy),
            way(Client::Others, true, By::Proxy),
        ])
    }

    /// Where this host has no address at which others call it by IPv6, its neighbours may still call one of the link. Nobody
    /// could make their call, so they are taken for clients on loopback: a proxy listens for both.
    pub(crate) fn with_neighbours(mut self) -> Self {
        let (client, is_v6, by) = (Client::Others, true, By::Proxy);
        if self.by(client, is_v6).is_none() && self.by(Client::Loopback, is_v6) == Some(by) {
            self.0.push(Way { client, is_v6, by });
        }
        self
    }

    /// Whether a program of the engine's listens on the port in this family.
    pub(crate) fn has_proxy(&self, is_v6: bool) -> bool {
        let mut family = self.0.iter().filter(|it| it.is_v6 == is_v6);
        family.any(|it| it.by == By::Proxy)
    }

    /// Who serves this kind of client; `None` where nobody does.
    pub(crate) fn by(&self, client: Client, is_v6: bool) -> Option<By> {
        let found = self
            .0
            .iter()
            .find(|it| (it.client, it.is_v6) == (client, is_v6));
        found.map(|it| it.by)
    }
}

fn way(text: &str) -> Option<Way> {
    let [client, family, by] = text.trim().chars().collect::<Vec<_>>()[..] else {
        return None;
    };
    Some(Way {
        client: Client::ALL.into_iter().find(|it| it.letter() == client)?,
        is_v6: family == '6',
        by: if by == 'k' { By::Kernel } else { By::Proxy },
    })
}

/// As a rule's comment: `served L4p,O4k`.
impl fmt::Display for Served {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = |it: &Way| {
            let by = if it.by == By::Kernel { 'k' } else { 'p' };
            format!("{}{}{by}", it.client.letter(), if it.is_v6 { 6 } else { 4 })
        };
        let words: Vec<String> = self.0.iter().map(word).collect();
        write!(f, "{REMEMBERED}{}", words.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_served_as_loopback_is_where_a_proxy_serves_it_and_nothing_else_is_known() {
        let of = |text: &str| Served(text.split(',').map(|it| way(it).unwrap()).collect());
        let served = of("L4p,O4k,L6p").with_neighbours();
        assert_eq!(served, of("L4p,O4k,L6p,O6p"));
        for as_it_is in ["L4p,O4k", "L4k,L6k", "L6p,O6k"] {
            assert_eq!(of(as_it_is).with_neighbours(), of(as_it_is));
        }
        assert!(served.has_proxy(true) && !of("L4k,L6p").has_proxy(false));
    }

    #[test]
    fn what_a_rule_remembers_is_read_back() {
        let served = Served::usually();
        let rules = serde_json::json!({"nftables": [
            {"rule": {"comment": "promote of web"}}, {"rule": {"comment": served.to_string()}},
        ]});
        assert_eq!(Served::remembered(&rules), Some(served));
        for nothing in ["served X4k", "served L4", "promote of web"] {
            let rules = serde_json::json!({"nftables": [{"rule": {"comment": nothing}}]});
            assert_eq!(Served::remembered(&rules), None, "{nothing}");
        }
    }
}
