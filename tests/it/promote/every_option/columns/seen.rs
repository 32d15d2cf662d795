//! What the engine shows of the candidate and of the final container on their way, in the page's words.

use std::collections::BTreeMap;
use std::fs;

use serde_json::Value;

use crate::support::{App, Fault, ok, text};

/// The two containers, each before and after it is verified.
pub(super) struct Seen {
    candidate: [Value; 2],
    last: [Value; 2],
}

/// What the engine shows, in the page's words, by the page's rows.
pub(super) type Words = BTreeMap<&'static str, [String; 2]>;

fn word(has: [bool; 2]) -> &'static str {
    match has {
        [true, true] => "the same",
        [false, true] => "when verified",
        [false, false] => "never",
        [true, false] => "lost when verified",
    }
}

impl Seen {
    /// Puts the candidate live, and looks on the way.
    pub(super) fn of(app: &App) -> Seen {
        let folder = tempfile::tempdir().unwrap();
        let (file, at_start) = (folder.path().join("both"), app.container("-new").unwrap());
        app.prove_candidate();
        let (name, both) = (app.name(), file.display());
        let look = format!("docker inspect {name}-new {name}-next > {both}");
        ok(&app.promote_with(Fault::Before("start", &look), &[]));
        let both: Vec<Value> = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
        let [verified, made] = <[Value; 2]>::try_from(both).unwrap();
        Seen {
            candidate: [at_start, verified],
            last: [made, app.container("").unwrap()],
        }
    }

    pub(super) fn words(&self, has: impl Fn(&Value) -> bool) -> [String; 2] {
        [&self.candidate, &self.last].map(|it| word([has(&it[0]), has(&it[1])]).to_owned())
    }

    /// Of the port: the candidate's is one that the engine chose on the loopback address.
    pub(super) fn ports(&self, port: u16) -> [String; 2] {
        let bound = |it: &Value| it["HostConfig"]["PortBindings"]["8080/tcp"][0].clone();
        let [_, last] = self.words(|it| bound(it)["HostPort"] == port.to_string().as_str());
        let is_own = |it: &Value| {
            bound(it)["HostIp"] == "127.0.0.1" && bound(it)["HostPort"] != port.to_string().as_str()
        };
        let own = self.candidate.iter().all(is_own);
        [if own { "loopback" } else { "the same" }.to_owned(), last]
    }

    pub(super) fn names(&self, app: &App) -> [String; 2] {
        [&self.candidate, &self.last].map(|both| {
            let own = |it: &Value| text(&it["Name"]).trim_start_matches('/').to_owned();
            let mut all: Vec<String> = both.iter().map(own).collect();
            all.dedup();
            let all: Vec<String> = all
                .iter()
                .map(|it| format!("`{}`", it.replace(app.name(), "web")))
                .collect();
            all.join(", then ")
        })
    }
}
