//! Every way a candidate can fail to start.

use schemars::JsonSchema;
use serde::Serialize;
use step::contract::failure::{self, CommonFailure};
use step::engine::complaint::Refusal;
use step::engine::environment::Uncarried;
use step::engine::error::EngineError;
use step::exit_code::{Code, Verdict};
use step::model::image_ref::ImageRef;
use step::ownership::way_back::RUN_OPTIONS;
use thiserror::Error;

/// The kernel's words for a full disk, which the engine hands on.
pub(crate) const NO_SPACE: &str = "no space left on device";

#[derive(Debug, Error)]
pub(crate) enum Failure {
    #[error(transparent)]
    Common(#[from] CommonFailure),
    #[error("starting {0} was interrupted")]
    Interrupted(String),
    #[error("the image {0} is not present on this engine")]
    ImageAbsent(String),
    #[error("--like-live needs the image of {live}, {image}, which is not present on this engine")]
    LiveImageAbsent { live: String, image: String },
    #[error("the image {0} has no digest by which the nodes of the swarm could pull it")]
    NotPinned(ImageRef),
    #[error("{0} does not exist or does not say which release it replaced")]
    NoPrevious(String),
    #[error("a candidate {0} exists already")]
    CandidateExists(String),
    #[error(
        "{live} has its port {port} on one that the engine chose, and the engine says which only while it runs"
    )]
    PortUnknown { live: String, port: String },
    #[error(
        "{0} is on the host's network, where the engine does not know by which ports it is called"
    )]
    OnHostsNetwork(String),
    #[error("not allowed: {why}")]
    OptionRefused { why: String, way: WayOut },
    #[error(
        "not allowed: by the {kind} {name} a proxy finds the candidate and calls it before it is verified"
    )]
    Followed { kind: &'static str, name: String },
    #[error("the candidate may write to {destination}, which {live} has mounted too")]
    SharedVolume { destination: String, live: String },
    #[error("{candidate} did not start: {message}")]
    NotStarted {
        candidate: String,
        message: String,
        exit_code: Option<i64>,
        log: Vec<String>,
    },
    #[error("the release before needs values that are nowhere any more: {}", .0.join(", "))]
    ValuesGone(Vec<String>),
    #[error("{0} vanished after it was created")]
    Vanished(String),
    #[error("{0} exists: a promotion was not finished")]
    Unfinished(String),
    #[error("a promotion of {0} is running")]
    PromotionRuns(String),
    #[error("{container} is deployment {newer}, newer than {deploy_id}")]
    Outdated {
        container: String,
        newer: u64,
        deploy_id: u64,
    },
}

/// What helps where a run option is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WayOut {
    LeaveOut,
    Publish,
    Restart,
    Image,
    File,
    /// The message says what is wrong with it.
    Mend,
}

impl WayOut {
    fn hint(self) -> &'static str {
        match self {
            Self::LeaveOut => "leave that option out",
            Self::Publish => {
                "leave that option out, and give --publish HOST:CONTAINER before the `--`"
            }
            Self::Restart => "leave that option out, and give promote --restart",
            Self::Image => {
                "the image is --image's; a command comes after a second `--`, behind the options"
            }
            Self::File => "mend or write that file, or name another one",
            Self::Mend => "mend that option, or leave it out",
        }
    }
}

impl Failure {
    /// A run option is refused.
    pub(crate) fn refused(why: impl Into<String>, way: WayOut) -> Self {
        let why = why.into();
        Self::OptionRefused { why, way }
    }

    /// Refuses the first that is so of what options must not set; `whose` says which ones.
    pub(crate) fn first_refused(
        found: impl IntoIterator<Item = (bool, &'static str, WayOut)>,
        whose: &str,
    ) -> Result<(), Self> {
        let mut found = found.into_iter().filter(|(is_set, ..)| *is_set);
        found.next().map_or(Ok(()), |(_, what, way)| {
            Err(Self::refused(format!("{whose} set {what}"), way))
        })
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        let way = match refusal.is_about_file {
            true => WayOut::File,
            false => WayOut::Mend,
        };
        Self::refused(refusal.said, way)
    }
}

/// What a failed start says besides its error.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub(crate) struct Evidence {
    /// The candidate.
    #[serde(skip_serializing_if = "Option::is_none")]
    candidate: Option<String>,
    /// Its exit code, 127 for a program that is not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    exit_code: Option<i64>,
    /// Its last log lines.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    log: Vec<String>,
    /// Names of variables and paths of files whose values are gone.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    missing: Vec<String>,
}

impl From<Uncarried> for Failure {
    fn from(why: Uncarried) -> Self {
        Self::refused(why.to_string(), WayOut::Mend)
    }
}

impl From<EngineError> for Failure {
    fn from(error: EngineError) -> Self {
        match error {
            EngineError::TooLong { .. } => Self::refused(error.to_string(), WayOut::Mend),
            error => CommonFailure::from(error).into(),
        }
    }
}

impl failure::Failure for Failure {
    type Evidence = Evidence;

    fn verdict(&self) -> Verdict {
        match self {
            Self::Common(failure) => failure.verdict(),
            Self::Interrupted(_) => {
                Verdict::new(Code::Interrupted, "the candidate was removed; run it again")
            }
            Self::ImageAbsent(_) => {
                Verdict::new(Code::ImageAbsent, "pull it first: pull-image IMAGE")
            }
            Self::LiveImageAbsent { .. } => Verdict::new(
                Code::ImageAbsent,
                "without it nobody knows which options are the container's own: pull it (pull-image), or give the run options after `--` in place of --like-live",
            ),
            Self::NotPinned(_) => Verdict::new(
                Code::ImageAbsent,
                "push it to a registry that every node reaches, and pull it from there: pull-image --swarm IMAGE",
            ),
            Self::NoPrevious(_) => Verdict::new(
                Code::ImageAbsent,
                "only a container that promote put live knows what it replaced; name the release with --image",
            ),
            Self::CandidateExists(_) => Verdict::new(
                Code::CandidateExists,
                "another deployment may be running; else remove it with prune-app --candidate, or give --replace",
            ),
            Self::OptionRefused { way, .. } => Verdict::new(Code::OptionRefused, way.hint()),
            Self::PortUnknown { .. } | Self::OnHostsNetwork(_) => Verdict::new(
                Code::OptionRefused,
                "say with --publish, before the `--`, where the next release is to be called",
            ),
            Self::Followed { .. } => Verdict::new(
                Code::OptionRefused,
                "leave it away, have the proxy call the app by a name, and give promote --network and --alias",
            ),
            Self::SharedVolume { .. } => Verdict::new(
                Code::SharedVolume,
                "mount it read-only, or give --allow-shared-volumes=PLACE if the app bears two writers there",
            ),
            Self::NotStarted { message, .. } if message.contains(NO_SPACE) => Verdict::new(
                Code::NotStarted,
                "free some space (prune-app removes the app's old images), then run it again; nothing was left behind",
            ),
            Self::Vanished(_) => Verdict::new(
                Code::NotStarted,
                "another deployment's --replace or a person removed it; if none is on its way, run this again",
            ),
            Self::NotStarted { .. } => Verdict::new(
                Code::NotStarted,
                "check the image's program, the run options and the log lines; nothing was left behind",
            ),
            Self::ValuesGone(missing) if *missing == [RUN_OPTIONS] => Verdict::new(
                Code::ValuesGone,
                "it was started by hand, give its run options: `start-candidate --previous … -- OPTIONS`, or `-- --` for none",
            ),
            Self::ValuesGone(_) => Verdict::new(
                Code::ValuesGone,
                "give that release's run options again: `start-candidate --previous … -- OPTIONS`",
            ),
            Self::Unfinished(_) => Verdict::new(
                Code::PromotionUnfinished,
                "run promote for this app: it finishes or rolls back what it finds",
            ),
            Self::PromotionRuns(_) => Verdict::new(
                Code::PromotionUnfinished,
                "wait until it ends, then run this again",
            ),
            Self::Outdated { .. } => Verdict::new(
                Code::Outdated,
                "a newer release needs nothing from this job; to go back on purpose use --previous, or a greater --deploy-id",
            ),
        }
    }

    fn evidence(self) -> Evidence {
        match self {
            Self::NotStarted {
                candidate,
                exit_code,
                log,
                ..
            } => Evidence {
                candidate: Some(candidate),
                exit_code,
                log,
                ..Evidence::default()
            },
            Self::ValuesGone(missing) => Evidence {
                missing,
                ..Evidence::default()
            },
            Self::CandidateExists(candidate)
            | Self::Interrupted(candidate)
            | Self::Vanished(candidate) => Evidence {
                candidate: Some(candidate),
                ..Evidence::default()
            },
            Self::Common(_)
            | Self::ImageAbsent(_)
            | Self::LiveImageAbsent { .. }
            | Self::NotPinned(_)
            | Self::NoPrevious(_)
            | Self::OptionRefused { .. }
            | Self::PortUnknown { .. }
            | Self::OnHostsNetwork(_)
            | Self::Followed { .. }
            | Self::SharedVolume { .. }
            | Self::Unfinished(_)
            | Self::PromotionRuns(_)
            | Self::Outdated { .. } => Evidence::default(),
        }
    }
}
