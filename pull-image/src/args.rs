//! The flags of pull-image.

use std::time::Duration;

use clap::Parser;
use step::contract::args::{Common, StepArgs};
use step::contract::handoff::Handoff;
use step::contract::identity::Identity;
use step::model::image_ref::{ImageRef, digest, platform};
use step::time::duration;

const EXAMPLES: &[(&str, &str)] = &[
    (
        "Pull a release of the app web, whose images carry the label app=web",
        "pull-image --app web ghcr.io/acme/web:v2",
    ),
    (
        "Bear a slow line to the registry",
        "pull-image --app web --attempts 5 --timeout 30m ghcr.io/acme/web:v2",
    ),
];

/// Pull an image and report exactly what was pulled.
///
/// Prints one JSON line: image, image_id, digest, size_bytes, changed, attempts.
/// The engine's own credentials (`docker login`) are used as they are.
#[derive(Parser, Debug)]
#[command(name = "pull-image", version, after_help = step::exit_code::codes_help(10), after_long_help = step::exit_code::help_end(10, EXAMPLES))]
pub(crate) struct Args {
    /// The image, as for `docker pull`: `[HOST[:PORT]/]PATH[:TAG][@DIGEST]`
    pub(crate) image: Option<ImageRef>,
    #[command(flatten)]
    pub(crate) identity: Identity,
    /// Fail unless the repository's digest of what was pulled is this one, sha256:…
    #[arg(long, value_name = "DIGEST", value_parser = digest)]
    pub(crate) expect_digest: Option<String>,
    /// The platform to pull, such as linux/arm64; start-candidate takes it from --from, else give it among its run options
    #[arg(long, value_parser = platform)]
    pub(crate) platform: Option<String>,
    /// How often to try when the registry cannot be reached or breaks off
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) attempts: u32,
    /// Longest time for all tries together
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = duration)]
    pub(crate) timeout: Duration,
    /// Space that must be free where the engine keeps its images, before the pull
    #[arg(long, value_name = "SIZE", default_value = "1GiB", value_parser = size)]
    pub(crate) min_free: u64,
    /// Accept an image without the label app=APP, which prune-app would never remove
    #[arg(long)]
    pub(crate) allow_unlabelled: bool,
    #[command(flatten)]
    pub(crate) common: Common,
}

impl StepArgs for Args {
    fn common(&self) -> &Common {
        &self.common
    }

    fn fill(&mut self, handoff: &Handoff) {
        self.identity.fill(handoff);
        self.image = self.image.take().or_else(|| handoff.image.clone());
    }

    fn is_named(&self) -> bool {
        self.identity.is_given()
    }

    fn check(&self) -> Result<(), String> {
        self.image().map(drop)
    }
}

impl Args {
    /// The image, which `check` has seen to be there.
    pub(crate) fn image(&self) -> Result<&ImageRef, String> {
        self.image
            .as_ref()
            .ok_or_else(|| "IMAGE is needed".to_owned())
    }
}

pub(crate) fn size(text: &str) -> Result<u64, String> {
    let split = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (digits, unit) = text.split_at(split);
    let shift = match unit.trim() {
        "" | "B" => 0,
        "KiB" | "K" => 10,
        "MiB" | "M" => 20,
        "GiB" | "G" => 30,
        "TiB" | "T" => 40,
        _ => return Err("a size looks like 500MiB or 1GiB".to_owned()),
    };
    let number: u64 = digits
        .parse()
        .map_err(|_| "a size looks like 500MiB or 1GiB".to_owned())?;
    number
        .checked_mul(1 << shift)
        .ok_or_else(|| "too large a size".to_owned())
}
