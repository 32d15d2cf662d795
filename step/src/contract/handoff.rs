//! The handoff: what one step's report hands to the next step's `--from`.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;

use super::failure::{Failure, NoEvidence};
use crate::exit_code::{Code, Verdict};
use crate::model::id::{is_full_id, is_service_id};
use crate::model::image_ref::{ImageRef, is_digest, platform};
use crate::model::name::Name;
use crate::model::probe::Probe;
use crate::recipe::Recipe;
use crate::text::printable;

/// Larger than any report a step writes.
const LONGEST_REPORT: u64 = 4 << 20;

/// What the next step needs to know; part of every successful report.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Handoff {
    /// The app.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub app: Option<Name>,
    /// The live container's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container: Option<Name>,
    /// The candidate's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub candidate: Option<Name>,
    /// The candidate's full id (with --swarm its service's): later steps refuse any other of that name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub candidate_id: Option<String>,
    /// The image as it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<ImageRef>,
    /// The image's full id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_id: Option<ImageRef>,
    /// The digest under which the image's repository knows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// The platform that was asked for, if one was: a container of the image has to be created for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub platform: Option<String>,
    /// How the app was probed, or is to be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub probe: Option<Probe>,
}

/// What `--from` held.
#[derive(Debug)]
pub enum Received {
    /// The previous step succeeded: what it hands on.
    Handoff(Box<Handoff>),
    /// The previous step failed.
    Failed {
        /// Its report as it was, on one line.
        report: String,
        /// Its exit code.
        code: u8,
    },
}

/// Why a report could not be taken over.
#[derive(Debug, Error)]
pub(crate) enum FromError {
    #[error("--from {path} could not be read: {error}")]
    Unreadable { path: String, error: io::Error },
    #[error("--from {path} is not a report of a step: {why}")]
    NotAReport { path: String, why: String },
}

impl Failure for FromError {
    type Evidence = NoEvidence;

    fn verdict(&self) -> Verdict {
        Verdict::new(
            Code::FromUnreadable,
            "give the previous step's stdout, one JSON object: `pull-image … | start-candidate --from - …`",
        )
    }

    fn evidence(self) -> NoEvidence {
        NoEvidence::default()
    }
}

pub(crate) fn read(path: &Path) -> Result<Received, FromError> {
    let shown = || printable(&path.to_string_lossy(), 200);
    let text = read_text(path).map_err(|error| FromError::Unreadable {
        path: shown(),
        error,
    })?;
    text.parse()
        .map_err(|why| FromError::NotAReport { path: shown(), why })
}

fn read_text(path: &Path) -> io::Result<String> {
    let source: Box<dyn Read> = if path == Path::new("-") {
        Box::new(io::stdin().lock())
    } else {
        Box::new(File::open(path)?)
    };
    let mut text = String::new();
    source.take(LONGEST_REPORT).read_to_string(&mut text)?;
    Ok(text)
}

impl FromStr for Received {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text.is_empty() {
            return Err("it is empty (did the step before end with a usage error?)".to_owned());
        }
        let value: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
        match value.get("ok").and_then(Value::as_bool) {
            Some(true) => {
                let handoff = Handoff::deserialize(&value)
                    .map_err(|error| printable(&error.to_string(), 300))?;
                Ok(Self::Handoff(Box::new(handoff.checked()?)))
            }
            Some(false) => {
                let code = value.pointer("/error/code").and_then(Value::as_u64);
                let code = code
                    .and_then(|c| u8::try_from(c).ok())
                    .filter(|c| (1..=100).contains(c));
                let code = code.ok_or("it failed without an error code from 1 to 100")?;
                let report = text.lines().collect::<Vec<_>>().join(" ");
                Ok(Self::Failed { report, code })
            }
            None => Err("it has no `ok`".to_owned()),
        }
    }
}

impl Handoff {
    /// What is known of a release of `recipe`.
    pub fn of(app: &Name, live: &Name, recipe: &Recipe) -> Self {
        Self {
            app: Some(app.clone()),
            container: Some(live.clone()),
            image: Some(recipe.image.clone()),
            image_id: Some(recipe.image_id.clone()),
            digest: recipe.digest.clone(),
            ..Self::default()
        }
    }

    /// Whether it says which app, or which container, it is about.
    pub(crate) fn is_named(&self) -> bool {
        let names = [&self.app, &self.container, &self.candidate];
        names.into_iter().any(Option::is_some)
    }

    /// The parts that are plain text reach the engine's command line and a request too.
    fn checked(self) -> Result<Self, String> {
        let is_id = |id: &String| is_full_id(id) || is_service_id(id);
        if !self.candidate_id.as_ref().is_none_or(is_id) {
            return Err("candidate_id is not a full id of a container or a service".to_owned());
        }
        // Podman's image ids come without the algorithm.
        let bare = |id: &ImageRef| is_full_id(id.as_str().trim_start_matches("sha256:"));
        if self.image_id.as_ref().is_some_and(|id| !bare(id)) {
            return Err("image_id is not a full image id".to_owned());
        }
        if self
            .digest
            .as_ref()
            .is_some_and(|digest| !is_digest(digest))
        {
            return Err("digest is malformed".to_owned());
        }
        self.platform.as_deref().map(platform).transpose()?;
        self.probe.as_ref().map(Probe::check).transpose()?;
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_report_keeps_its_code() {
        let text = r#"{"step":"pull-image","ok":false,"error":{"code":12}}"#;
        assert!(
            matches!(text.parse(), Ok(Received::Failed { code: 12, report }) if report == text)
        );
    }

    #[test]
    fn hostile_reports_are_refused() {
        for bad in [
            "",
            "[]",
            "null",
            "{}",
            r#"{"ok":true}{"ok":true}"#,
            r#"{"ok":true,"app":"--rm"}"#,
            r#"{"ok":true,"image":"-v/:/x"}"#,
            r#"{"ok":true,"candidate_id":"--all"}"#,
            r#"{"ok":true,"image_id":"web"}"#,
            r#"{"ok":true,"digest":"sha256:"}"#,
            r#"{"ok":true,"platform":"linux/arm64 --rm"}"#,
            r#"{"ok":true,"probe":{"path":"@elsewhere/"}}"#,
            r#"{"ok":true,"probe":{"port":0}}"#,
            r#"{"ok":true,"probe":{"host":"a\nb"}}"#,
            r#"{"ok":true,"probe":{"exec":["a b"]}}"#,
            r#"{"ok":false,"error":{"code":0}}"#,
            r#"{"ok":false,"error":{"code":125}}"#,
            r#"{"ok":false}"#,
        ] {
            assert!(bad.parse::<Received>().is_err(), "{bad}");
        }
    }
}
