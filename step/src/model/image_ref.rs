//! Image references, checked by the grammar of the reference implementation before anything runs.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An image reference `[host[:port]/]path[:tag][@digest]`, or a full image id `sha256:…`.
/// Grammar: distribution/reference, regexp.go.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct ImageRef(String);

impl ImageRef {
    /// The reference as it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The digest it names.
    pub fn digest(&self) -> Option<&str> {
        split_digest(&self.0).1
    }

    /// The tag it names.
    pub fn tag(&self) -> Option<&str> {
        split_tag(split_digest(&self.0).0).1
    }

    /// The same by this digest, whatever its tag means.
    pub fn pinned(&self, digest: &str) -> String {
        format!("{}@{digest}", split_digest(&self.0).0)
    }
}

impl FromStr for ImageRef {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.len() > 512 {
            return Err("an image reference has at most 512 characters".to_owned());
        }
        let (rest, digest) = split_digest(text);
        let (name, tag) = split_tag(rest);
        let parts = [
            (
                is_name(name),
                "the repository name is malformed (it must be lowercase)",
            ),
            (tag.is_none_or(is_tag), "the tag is malformed"),
            (digest.is_none_or(is_digest), "the digest is malformed"),
        ];
        match parts.iter().find(|(good, _)| !good) {
            Some((_, why)) => Err(format!("not an image reference: {why}")),
            None => Ok(Self(text.to_owned())),
        }
    }
}

as_text!(ImageRef);

impl fmt::Display for ImageRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A digest as a flag's value, `sha256:…`.
///
/// # Errors
/// What one looks like.
pub fn digest(text: &str) -> Result<String, String> {
    let whole = format!("x@{text}");
    whole
        .parse::<ImageRef>()
        .map(|_| text.to_owned())
        .map_err(|_| "a digest looks like sha256: and 64 lowercase hex digits".to_owned())
}

/// A platform as a flag's value, `os/architecture[/variant]` or one of these alone.
///
/// # Errors
/// What one looks like.
pub fn platform(text: &str) -> Result<String, String> {
    let word = |w: &str| {
        !w.is_empty()
            && w.chars()
                .all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
    };
    if text.len() <= 64 && !text.starts_with('-') && text.split('/').all(word) {
        return Ok(text.to_owned());
    }
    Err("a platform looks like linux/amd64".to_owned())
}

/// The repository part of a reference: without tag and digest.
pub fn repository(reference: &str) -> &str {
    split_tag(split_digest(reference).0).0
}

fn split_digest(text: &str) -> (&str, Option<&str>) {
    match text.split_once('@') {
        Some((rest, digest)) => (rest, Some(digest)),
        None => (text, None),
    }
}

fn split_tag(text: &str) -> (&str, Option<&str>) {
    match text.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
        _ => (text, None),
    }
}

fn is_name(name: &str) -> bool {
    match name.split_once('/') {
        Some((first, rest)) if is_host_like(first) => is_host(first) && is_path(rest),
        _ => is_path(name),
    }
}

/// Docker reads the first component as a host when it could not be a path on Docker Hub.
fn is_host_like(first: &str) -> bool {
    first == "localhost"
        || first.contains(['.', ':', '['])
        || first.chars().any(|c| c.is_ascii_uppercase())
}

fn is_host(text: &str) -> bool {
    let (host, rest) = match text.strip_prefix('[').and_then(|v6| v6.split_once(']')) {
        Some((v6, _)) if v6.parse::<std::net::Ipv6Addr>().is_err() => return false,
        Some((_, rest)) => ("v6", rest),
        None => text.split_at(text.find(':').unwrap_or(text.len())),
    };
    let label = |l: &str| {
        !l.is_empty()
            && !l.starts_with('-')
            && !l.ends_with('-')
            && l.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
    };
    let number = |port: &str| {
        port.starts_with(|c: char| c.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|n| n > 0)
    };
    host.split('.').all(label) && (rest.is_empty() || rest.strip_prefix(':').is_some_and(number))
}

fn is_path(path: &str) -> bool {
    let component = |c: &str| {
        let edge =
            |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
        let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c);
        edge(c.chars().next())
            && edge(c.chars().last())
            && c.chars().all(inner)
            && !c.contains("..")
    };
    path.len() <= 255 && path.split('/').all(component)
}

fn is_tag(tag: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    tag.len() <= 128 && tag.starts_with(word) && tag.chars().all(|c| word(c) || ".-".contains(c))
}

pub(crate) fn is_digest(digest: &str) -> bool {
    digest.split_once(':').is_some_and(|(algorithm, hex)| {
        matches!((algorithm, hex.len()), ("sha256", 64) | ("sha512", 128))
            && hex.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_docker_accepts_are_accepted() {
        let digest = format!("a@sha256:{}", "0".repeat(64));
        for good in [
            "web",
            "acme/web:v1",
            "ghcr.io/acme/web",
            "127.0.0.1:5000/bb:1",
            "localhost/x",
            "[::1]:5000/x:y",
            "a__b/c-d.e:T_1",
            &digest,
        ] {
            assert!(good.parse::<ImageRef>().is_ok(), "{good}");
        }
    }

    #[test]
    fn everything_else_is_refused() {
        let long = "a".repeat(4096);
        for bad in [
            "",
            "-x",
            "--rm",
            "A",
            "a b",
            "a:b c",
            "a:",
            "a:-t",
            "a//b",
            "a\nb",
            "ü",
            "a@sha256:12",
            "x:y:z/w",
            "[::g]:5/x",
            "[::1]5/x",
            "h:+5/x",
            "h:/x",
            "h.:5/x",
            "a'b",
            long.as_str(),
        ] {
            assert!(bad.parse::<ImageRef>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn the_repository_is_what_stands_before_tag_and_digest() {
        assert_eq!(repository("127.0.0.1:5000/bb:1"), "127.0.0.1:5000/bb");
        assert_eq!(repository("127.0.0.1:5000/bb"), "127.0.0.1:5000/bb");
        assert_eq!(repository("web@sha256:00"), "web");
    }
}
