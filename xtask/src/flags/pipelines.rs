//! The flags of deploy and rollback.

use std::path::PathBuf;

use clap::Args;

/// Put an image live on this machine: pull, start beside the live one, probe, promote, prune.
///
/// Runs the five steps as programs, each with the report of the one before. When one fails the candidate
/// is removed and the live container goes on serving. Prints one JSON line with every step's report, and
/// ends with the exit code of the step that failed. Every flag of every step can be given by --set or --conf.
/// Example: cargo xtask deploy --app web --publish 80:8080 --set 'promote --settle=5s' ghcr.io/acme/web:v2 -- --env-file /etc/web.env
#[derive(Debug, Args, Default)]
#[command(
    override_usage = "cargo xtask deploy --app APP [OPTIONS] IMAGE [-- RUN OPTIONS [-- COMMAND…]]"
)]
pub(crate) struct Deploy {
    /// The image to deploy, as for `docker pull`.
    pub(crate) image: String,
    #[command(flatten)]
    pub(crate) pipeline: Pipeline,
    /// Options as for `docker run`, then optionally `--` and the command.
    #[arg(last = true, value_name = "RUN OPTIONS")]
    pub(crate) rest: Vec<String>,
}

/// Put the release live again that the live container replaced, by the same steps.
///
/// Image, run options and ports are those it had. Prints one JSON line with every step's report.
#[derive(Debug, Args)]
pub(crate) struct Rollback {
    #[command(flatten)]
    pub(crate) pipeline: Pipeline,
}

/// What deploy and rollback share; each flag is the step's own flag of that name and is checked there.
#[derive(Debug, Args, Default)]
pub(crate) struct Pipeline {
    /// The app, as in its images' label app=APP.
    #[arg(long)]
    pub(crate) app: String,
    /// The live container's name [default: the app].
    #[arg(long, value_name = "NAME")]
    pub(crate) container: Option<String>,
    /// A file of lines `STEP ARGUMENT`, as deploy.sh reads it: /etc/deploy-steps/APP.conf.
    #[arg(long, value_name = "FILE")]
    pub(crate) conf: Option<PathBuf>,
    /// One more such line, `promote --settle=5s` or `each --swarm`; may be repeated, and wins over the file's.
    #[arg(long, value_name = "LINE")]
    pub(crate) set: Vec<String>,
    /// A port to publish, `[IP:]HOST:CONTAINER`; may be repeated [default: what the live container publishes].
    #[arg(long, short = 'p', value_name = "PORTS")]
    pub(crate) publish: Vec<String>,
    /// Remove a stale candidate of the app first.
    #[arg(long)]
    pub(crate) replace: bool,
    /// The number of this deployment, such as the CI run's: refused (26, 49) when a newer one is live.
    #[arg(long, value_name = "N")]
    pub(crate) deploy_id: Option<String>,
    /// Path of the health request [default: /health].
    #[arg(long)]
    pub(crate) path: Option<String>,
    /// How long a container may take to be healthy [default: candidate 30s, final container 60s].
    #[arg(long, value_name = "TIME")]
    pub(crate) within: Option<String>,
    /// Redirect new connections to the candidate meanwhile: auto, require or off [default: auto].
    #[arg(long, value_name = "MODE")]
    pub(crate) bridge: Option<String>,
    /// How long to wait for requests in flight [default: 10s].
    #[arg(long, value_name = "TIME")]
    pub(crate) drain: Option<String>,
    /// How many old images to keep besides the previous release's [default: 1].
    #[arg(long, value_name = "N")]
    pub(crate) keep: Option<String>,
    /// The folder of the step programs [default: built from this workspace].
    #[arg(long, value_name = "DIR")]
    pub(crate) steps: Option<PathBuf>,
    /// No progress on stderr.
    #[arg(long)]
    pub(crate) quiet: bool,
    /// For demo and bench: the steps' stderr is not shown, and this environment does not steer them.
    #[arg(skip)]
    pub(crate) sealed: bool,
}

impl Pipeline {
    /// Of an app that is only there to be shown or measured, on a disk that may be nearly full.
    pub(crate) fn of_trial(app: &str) -> Self {
        Self {
            app: app.to_owned(),
            keep: Some("0".to_owned()),
            quiet: true,
            sealed: true,
            set: vec!["pull-image --min-free=100MiB".to_owned()],
            ..Self::default()
        }
    }
}
