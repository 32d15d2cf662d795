//! What `docker image inspect` says, as far as the steps read it.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::config::Config;
use super::json::{image_id, nullable, number};
use crate::model::image_ref::{ImageRef, repository};

/// An image, by `docker image inspect`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Image {
    /// The full id, `sha256:…`.
    #[serde(deserialize_with = "image_id")]
    pub id: String,
    /// Tags as `repository:tag`; in containerd's store also `repository@sha256:…` of one that was pulled so.
    #[serde(default, deserialize_with = "nullable")]
    pub repo_tags: Vec<String>,
    /// Digests as `repository@sha256:…`, one per repository it was pulled from or pushed to.
    #[serde(default, deserialize_with = "nullable")]
    pub repo_digests: Vec<String>,
    /// The image it was built upon on this engine, or empty.
    #[serde(default, deserialize_with = "image_id")]
    pub parent: String,
    /// When it was built, RFC 3339.
    #[serde(default)]
    pub created: String,
    /// Bytes on disk, shared layers included.
    #[serde(default, deserialize_with = "number")]
    pub size: u64,
    #[serde(default)]
    os: String,
    #[serde(default)]
    architecture: String,
    #[serde(default, deserialize_with = "nullable")]
    metadata: Metadata,
    #[serde(default, deserialize_with = "nullable")]
    config: Config,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Metadata {
    last_tag_time: String,
}

impl Image {
    /// A label of the image.
    pub fn label(&self, name: &str) -> Option<&str> {
        self.config.labels.get(name).map(String::as_str)
    }

    /// Its labels.
    pub fn labels(&self) -> &BTreeMap<String, String> {
        &self.config.labels
    }

    /// The TCP ports it exposes, ascending.
    pub fn exposed(&self) -> Vec<u16> {
        self.config.exposed()
    }

    /// Its environment, as `NAME=value`.
    pub fn env(&self) -> &[String] {
        &self.config.env
    }

    /// The digest under which `repository` knows it, `sha256:…`.
    pub fn digest_in(&self, repository: &str) -> Option<String> {
        self.digests_in(repository).into_iter().next()
    }

    /// All digests under which `repository` knows it, one for each manifest it was pulled by.
    pub fn digests_in(&self, repository: &str) -> Vec<String> {
        let entries = self.repo_digests.iter();
        entries
            .filter_map(|entry| entry.split_once('@'))
            .filter(|(name, _)| familiar(name) == familiar(repository))
            .map(|(_, digest)| digest.to_owned())
            .collect()
    }

    /// What a container of it is created by, so that a list of containers shows a name: the one that was asked for with
    /// its digest, else the tag, else the id. The tag may be another image's an instant later.
    pub fn called(&self, asked: &ImageRef, digest: Option<&str>) -> String {
        let repository = repository(asked.as_str());
        let digests = self.digests_in(repository);
        let digest = digest.filter(|digest| digests.iter().any(|it| it == digest));
        let sure = digest.map(|digest| asked.pinned(digest));
        let tagged = || self.is_tagged(asked).then(|| asked.to_string());
        sure.or_else(tagged).unwrap_or_else(|| self.id.clone())
    }

    /// Whether one of its tags was asked for. Podman writes the host also of a local image.
    fn is_tagged(&self, asked: &ImageRef) -> bool {
        let bare = |name: &str| {
            let local = name.strip_prefix("localhost/");
            local.unwrap_or(familiar(name)).to_owned()
        };
        let tag = asked.tag().unwrap_or("latest");
        let asked_for = bare(&format!("{}:{tag}", repository(asked.as_str())));
        let mut tags = self.repo_tags.iter();
        asked.digest().is_none() && tags.any(|own| bare(own) == asked_for)
    }

    /// Whether its id is its manifest's digest, as in containerd's store, which may keep it for several platforms.
    pub fn is_known_by_digest(&self) -> bool {
        let mut names = self.repo_digests.iter();
        names.any(|name| name.ends_with(&self.id))
    }

    /// The platform it was built for, such as `linux/amd64`, where the engine has it for one.
    pub fn platform(&self) -> Option<String> {
        let known = !self.os.is_empty();
        known.then(|| format!("{}/{}", self.os, self.architecture))
    }

    /// Whether it was built for `platform`, written `os/architecture[/variant]` or by one of
    /// the two alone. The variant is left to the engine.
    pub fn is_for(&self, platform: &str) -> bool {
        let own = |word: &str| {
            let word = match word {
                "x86_64" | "x86-64" => "amd64",
                "aarch64" => "arm64",
                other => other,
            };
            word == self.os || word == self.architecture
        };
        platform.to_lowercase().split('/').take(2).all(own)
    }

    /// A text that sorts by when the image came to this engine under its newest name,
    /// or was built where the engine does not say. Of one without a name containerd's store says when it lost the last.
    pub fn age_key(&self) -> &str {
        let tagged = self.metadata.last_tag_time.as_str();
        let is_nameless = self.repo_tags.is_empty() && self.repo_digests.is_empty();
        if is_nameless || tagged.is_empty() || tagged.starts_with("0001") {
            &self.created
        } else {
            tagged
        }
    }
}

/// Docker Hub's names are shown short by docker and in full by podman.
pub fn familiar(repository: &str) -> &str {
    let short = repository.strip_prefix("docker.io/").unwrap_or(repository);
    short.strip_prefix("library/").unwrap_or(short)
}
