//! The flags of prune-app.

use clap::Parser;
use step::contract::args::{Common, StepArgs};
use step::contract::handoff::Handoff;
use step::contract::identity::Identity;
use step::model::id::{is_full_id, is_service_id};
use step::model::image_ref::{ImageRef, digest, repository};

const EXAMPLES: &[(&str, &str)] = &[
    (
        "Tell what would be removed",
        "prune-app --app web --dry-run",
    ),
    (
        "Remove the candidate that was not healthy, and old images",
        "prune-app --app web --candidate",
    ),
];

/// Remove an app's old images and its failed candidate.
///
/// Keeps every image that any container uses, the image that the live container replaced, and
/// the newest others. Images are the app's when they have the label app=APP.
/// Prints one JSON line: removed, kept (and why), not_removed, containers_removed.
#[derive(Parser, Debug)]
#[command(name = "prune-app", version, after_help = step::exit_code::codes_help(50), after_long_help = step::exit_code::help_end(50, EXAMPLES))]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) identity: Identity,
    /// How many images to keep besides those in use and the previous one, newest first
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) keep: usize,
    /// Also remove the images of this repository (without tag) that lack an app label
    #[arg(long, value_parser = repo)]
    pub(crate) repo: Option<ImageRef>,
    /// Also keep the image with this digest, as the one to go back to: what the report of --swarm says for other nodes
    #[arg(long, value_name = "DIGEST", value_parser = digest)]
    pub(crate) previous: Option<String>,
    /// First remove the app's candidate container: the fallback after a failed deployment
    #[arg(long)]
    pub(crate) candidate: bool,
    /// Remove the candidate only if it still is this container, or with --swarm this service (full id)
    #[arg(long, value_name = "ID", requires = "candidate", value_parser = full_id)]
    pub(crate) candidate_id: Option<String>,
    /// The number of the deployment that failed: a newer one's candidate stays
    #[arg(
        long,
        value_name = "N",
        env = "DEPLOY_STEPS_DEPLOY_ID",
        hide_env_values = true
    )]
    pub(crate) deploy_id: Option<u64>,
    /// Report what would be removed, and remove nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) common: Common,
}

impl StepArgs for Args {
    fn common(&self) -> &Common {
        &self.common
    }

    fn fill(&mut self, handoff: &Handoff) {
        self.identity.fill(handoff);
        if self.candidate {
            self.candidate_id = self
                .candidate_id
                .take()
                .or_else(|| handoff.candidate_id.clone());
        }
    }

    fn is_named(&self) -> bool {
        self.identity.is_given()
    }

    fn check(&self) -> Result<(), String> {
        self.identity.known().map(drop)
    }
}

pub(crate) fn repo(text: &str) -> Result<ImageRef, String> {
    let reference: ImageRef = text.parse()?;
    if repository(text) == text {
        return Ok(reference);
    }
    Err("a repository has no tag and no digest".to_owned())
}

pub(crate) fn full_id(text: &str) -> Result<String, String> {
    if is_full_id(text) || is_service_id(text) {
        return Ok(text.to_owned());
    }
    Err("a full container id has 64 hex digits, a service's 25 letters and digits".to_owned())
}
