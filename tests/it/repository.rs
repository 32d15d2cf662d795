//! A repository of a registry, spoken to as the engine does: tags that move, and images for several platforms.

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::support::text;

const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// As docker pushes it, and as podman does.
const MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json, \
    application/vnd.oci.image.manifest.v1+json";

pub(crate) struct Repository(String);

impl Repository {
    /// The one that image references call `host:port/path`.
    pub(crate) fn of(name: &str) -> Repository {
        let (host, path) = name.split_once('/').unwrap();
        Repository(format!("http://{host}/v2/{path}"))
    }

    /// The digest under which it has the tag.
    pub(crate) fn digest(&self, tag: &str) -> String {
        let ask = ureq::get(format!("{}/manifests/{tag}", self.0)).header("Accept", MANIFEST);
        let answer = ask.call().unwrap();
        let digest = answer.headers()["docker-content-digest"].to_str().unwrap();
        digest.to_owned()
    }

    /// Puts what is there under `tag` under `to`, too.
    pub(crate) fn copy(&self, tag: &str, to: &str) -> Value {
        let (kind, manifest) = self.get(&format!("manifests/{tag}"), MANIFEST);
        self.put(to, &kind, &manifest)
    }

    /// The same with a blank at its end: other digest, same image. Returns that digest.
    pub(crate) fn copy_with_blank(&self, tag: &str, to: &str) -> String {
        let (kind, manifest) = self.get(&format!("manifests/{tag}"), MANIFEST);
        text(&self.put(to, &kind, &format!("{manifest} "))["digest"]).to_owned()
    }

    fn get(&self, path: &str, accept: &str) -> (String, String) {
        let ask = ureq::get(format!("{}/{path}", self.0)).header("Accept", accept);
        let mut answer = ask.call().unwrap();
        let kind = answer.headers()["content-type"]
            .to_str()
            .unwrap()
            .to_owned();
        (kind, answer.body_mut().read_to_string().unwrap())
    }

    /// What the registry calls it, with its kind and length: how others refer to it.
    fn put(&self, tag: &str, kind: &str, manifest: &str) -> Value {
        let put = ureq::put(format!("{}/manifests/{tag}", self.0)).header("Content-Type", kind);
        let answer = put.send(manifest).unwrap();
        let digest = answer.headers()["docker-content-digest"].to_str().unwrap();
        json!({"mediaType": kind, "digest": digest, "size": manifest.len()})
    }

    /// Uploads it and returns its digest.
    fn blob(&self, blob: &str) -> String {
        let digest = digest(blob);
        let begun = ureq::post(format!("{}/blobs/uploads/", self.0))
            .send_empty()
            .unwrap();
        let place = begun.headers()["location"].to_str().unwrap();
        let kind = ("Content-Type", "application/octet-stream");
        let end = ureq::put(format!("{place}&digest={digest}")).header(kind.0, kind.1);
        end.send(blob).unwrap();
        digest
    }

    /// Puts what is there under `tag` under `to` as well, as the image of another platform that answers `version`.
    pub(crate) fn translate(&self, tag: &str, to: &str, platform: &str, version: &str) -> Value {
        let (kind, manifest) = self.get(&format!("manifests/{tag}"), MANIFEST);
        let mut manifest: Value = serde_json::from_str(&manifest).unwrap();
        let of = text(&manifest["config"]["digest"]);
        let (_, config) = self.get(&format!("blobs/{of}"), "*/*");
        let mut config: Value = serde_json::from_str(&config).unwrap();
        (config["os"], config["architecture"]) = parts(platform);
        config["config"]["Env"] = json!([format!("VERSION={version}")]);
        let config = config.to_string();
        manifest["config"]["digest"] = self.blob(&config).into();
        manifest["config"]["size"] = config.len().into();
        self.put(to, &kind, &manifest.to_string())
    }

    /// Puts an index of these manifests, each for a platform, under `tag`.
    pub(crate) fn index(&self, tag: &str, all: &[(&Value, &str)]) {
        let entry = |(manifest, platform): &(&Value, &str)| {
            let (os, architecture) = parts(platform);
            let mut entry = (*manifest).clone();
            entry["platform"] = json!({"os": os, "architecture": architecture});
            entry
        };
        let all: Vec<Value> = all.iter().map(entry).collect();
        let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": all});
        self.put(tag, INDEX, &index.to_string());
    }
}

fn digest(blob: &str) -> String {
    let mut sum = Command::new("sha256sum");
    let mut sum = sum
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    sum.stdin
        .take()
        .unwrap()
        .write_all(blob.as_bytes())
        .unwrap();
    let said = String::from_utf8(sum.wait_with_output().unwrap().stdout).unwrap();
    format!("sha256:{}", said.split(' ').next().unwrap())
}

fn parts(platform: &str) -> (Value, Value) {
    let (os, architecture) = platform.split_once('/').unwrap();
    (os.into(), architecture.into())
}
