//! Every way a pull can fail.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;
use step::contract::failure::{self, CommonFailure};
use step::engine::error::EngineError;
use step::exit_code::{Code, Verdict};
use step::model::image_ref::ImageRef;
use step::model::name::Name;
use thiserror::Error;

#[derive(Debug, Error)]
pub(crate) enum Failure {
    #[error(transparent)]
    Common(#[from] CommonFailure),
    #[error("pulling {0} was interrupted")]
    Interrupted(ImageRef),
    #[error("{0} was not found: {1}")]
    NotFound(ImageRef, String),
    #[error("the registry refused access to {0}: {1}")]
    Denied(ImageRef, String),
    #[error("the registry of {0} could not be used: {1}")]
    RegistryUnreachable(ImageRef, String),
    #[error("the pull of {0} was not done within {1:?}")]
    Stalled(ImageRef, Duration),
    #[error("{image} has the digest {}, not {expected}", found.as_deref().unwrap_or("(none)"))]
    WrongDigest {
        image: ImageRef,
        expected: String,
        found: Option<String>,
    },
    #[error("what the registry sent for {0} is not what its digest says: {1}")]
    Damaged(ImageRef, String),
    #[error("only {free} bytes are free in {folder}, {least} are asked for")]
    TooLittleSpace {
        folder: String,
        free: u64,
        least: u64,
    },
    #[error("the disk was full while pulling {0}: {1}")]
    DiskFull(ImageRef, String),
    #[error("{0} lacks the label app={1}")]
    Unlabelled(ImageRef, Name),
    #[error("{0} has the label {1}, which only a container of deploy-steps may have")]
    LabelledAsOurs(ImageRef, String),
}

/// What a failed pull says besides its error.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Evidence {
    /// The image that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    image: Option<ImageRef>,
    /// The digest that was found.
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<String>,
    /// Bytes free where the engine keeps its images.
    #[serde(skip_serializing_if = "Option::is_none")]
    free_bytes: Option<u64>,
}

impl Failure {
    /// Whether the same pull may well work a little later.
    pub(crate) fn is_passing(&self) -> bool {
        matches!(self, Self::RegistryUnreachable(..) | Self::Damaged(..))
    }
}

impl From<EngineError> for Failure {
    fn from(error: EngineError) -> Self {
        CommonFailure::from(error).into()
    }
}

impl failure::Failure for Failure {
    type Evidence = Evidence;

    fn verdict(&self) -> Verdict {
        match self {
            Self::Common(failure) => failure.verdict(),
            Self::Interrupted(_) => Verdict::new(
                Code::Interrupted,
                "nothing was changed but layers already stored; run it again",
            ),
            Self::NotFound(..) => Verdict::new(
                Code::ImageNotFound,
                "check the name and tag, the platform, and whether the build has pushed it",
            ),
            Self::Denied(..) => Verdict::new(
                Code::AccessDenied,
                "run `docker login` for this registry as this user, and check the account may read the repository",
            ),
            Self::RegistryUnreachable(..) => Verdict::new(
                Code::RegistryUnreachable,
                "check the registry's address and this machine's network; more --attempts ride out short outages",
            ),
            Self::Stalled(..) => Verdict::new(
                Code::RegistryUnreachable,
                "the registry stalled or the image is large: raise --timeout, or look at the registry",
            ),
            Self::WrongDigest { .. } => Verdict::new(
                Code::DigestMismatch,
                "the tag was moved after the build: deploy by digest, or build again",
            ),
            Self::Damaged(..) => Verdict::new(
                Code::DigestMismatch,
                "nothing of it is used; look at the registry, and at caches and proxies before it",
            ),
            Self::TooLittleSpace { .. } | Self::DiskFull(..) => Verdict::new(
                Code::DiskFull,
                "free some space (prune-app removes the app's old images) or lower --min-free",
            ),
            Self::Unlabelled(..) => Verdict::new(
                Code::Unlabelled,
                "build it with LABEL app=APP, without which prune-app never removes it, or give --allow-unlabelled",
            ),
            Self::LabelledAsOurs(..) => Verdict::new(
                Code::LabelledAsOurs,
                "build it from a Dockerfile: docker commit writes a container's labels into the image",
            ),
        }
    }

    fn evidence(self) -> Evidence {
        let (image, digest, free_bytes) = match self {
            Self::Common(_) => (None, None, None),
            Self::TooLittleSpace { free, .. } => (None, None, Some(free)),
            Self::WrongDigest { image, found, .. } => (Some(image), found, None),
            Self::Interrupted(image)
            | Self::NotFound(image, _)
            | Self::Denied(image, _)
            | Self::RegistryUnreachable(image, _)
            | Self::Stalled(image, _)
            | Self::DiskFull(image, _)
            | Self::Damaged(image, _)
            | Self::Unlabelled(image, _)
            | Self::LabelledAsOurs(image, _) => (Some(image), None, None),
        };
        Evidence {
            image,
            digest,
            free_bytes,
        }
    }
}
