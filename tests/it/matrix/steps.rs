//! The steps of the matrix: how each is prepared for, called, and called again.

use serde_json::Value;
use stage::docker::docker;
use stage::image::Built;
use stage::registry;

use super::state::Roles;
use crate::proxy::front::{Front, settings};
use crate::support::{App, ok, text};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Pull,
    Start,
    Probe,
    Promote,
    /// Of an app on a network of its own, whose clients may call it by its name.
    PromoteByName,
    /// Of an app behind a proxy, which calls it by an alias; the proxy has the app's port.
    PromoteByAlias,
    Prune,
}

impl Step {
    pub(super) fn name(self) -> &'static str {
        match self {
            Step::Pull => "pull-image",
            Step::Start => "start-candidate",
            Step::Probe => "probe-health",
            Step::Promote | Step::PromoteByName | Step::PromoteByAlias => "promote",
            Step::Prune => "prune-app",
        }
    }

    pub(super) fn promotes(self) -> bool {
        matches!(self, Step::Promote) || self.has_network()
    }

    /// Whether the app is on a network of its own.
    pub(super) fn has_network(self) -> bool {
        matches!(self, Step::PromoteByName | Step::PromoteByAlias)
    }

    /// The run options of the app.
    fn options(self, app: &App) -> Vec<String> {
        let mut options = vec!["-e".to_owned(), "COLOR=blue".to_owned()];
        if self.has_network() {
            options.extend(["--network".to_owned(), network(app)]);
        }
        options
    }

    /// Makes what the app's containers need.
    pub(super) fn lay_ground(self, app: &App) {
        if self.has_network() {
            docker(["network", "create", &network(app)]).unwrap();
            app.scope.at_end(["network", "rm", &network(app)]);
        }
    }

    /// Puts a release live.
    pub(super) fn deploy(self, app: &App, release: &Built) {
        self.start(app, release);
        app.prove_candidate();
        let flags = if self.promotes() {
            self.flags(app, release)
        } else {
            Vec::new()
        };
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        ok(&app.promote(&flags));
    }

    /// Starts a candidate with the run options of the app.
    fn start(self, app: &App, release: &Built) -> Value {
        let options = self.options(app);
        let options: Vec<&str> = options.iter().map(String::as_str).collect();
        if self != Step::PromoteByAlias {
            return app.start(release, &options);
        }
        let flags = ["--image", &release.name, "--"];
        ok(&app.step("start-candidate", &[&flags, &options[..]].concat()))
    }

    /// The proxy that has the app's port, once something is live behind it.
    pub(super) fn front(self, app: &App) -> Option<Front> {
        let nginx = || Front::start(app, &network(app), "nginx", &settings("nginx"));
        (self == Step::PromoteByAlias).then(nginx)
    }

    /// The release that the step has to do with; what is to be pulled comes from a registry.
    pub(super) fn release(self, app: &App, version: &str) -> Built {
        if self != Step::Pull {
            return app.build(version);
        }
        let host = registry::shared().unwrap().host();
        let name = format!("{host}/{}:{version}", app.name());
        let built = app.image(version).build(&name).unwrap();
        built.push().unwrap();
        built
    }

    /// Has the engine have the image, which an earlier case may have taken away.
    pub(super) fn provide(self, release: &Built) {
        if self == Step::Pull {
            docker(["pull", &release.name]).unwrap();
        }
    }

    /// Brings about what the step finds when all is well, with `old` live.
    pub(super) fn prepare(self, app: &App, new: &Built, old: &Built) -> Roles {
        let mut roles = vec![
            (new.id.clone(), "NEW-ID"),
            (old.id.clone(), "OLD-ID"),
            (new.name.clone(), "NEW"),
            (old.name.clone(), "OLD"),
        ];
        let live = app.container("");
        roles.extend(live.map(|live| (text(&live["Id"]).to_owned(), "LIVE-ID")));
        match self {
            Step::Pull => {
                let _ = docker(["image", "rm", "-f", &new.name]);
            }
            Step::Start => drop_candidate(app),
            Step::Probe => {
                drop_candidate(app);
                app.start(new, &[]);
            }
            Step::Promote | Step::PromoteByName | Step::PromoteByAlias => {
                let started = self.start(app, new);
                roles.push((text(&started["candidate_id"]).to_owned(), "CANDIDATE-ID"));
                app.prove_candidate();
            }
            Step::Prune => {
                app.start(new, &[]);
                app.build("stale");
            }
        }
        roles
    }

    /// Brings it about once more.
    pub(super) fn prepare_anew(self, app: &App, new: &Built, old: &Built) -> Roles {
        drop_candidate(app);
        self.prepare(app, new, old)
    }

    /// Whether the hint of a failure asks for the steps before: a rollback ends a candidate that has the app's name.
    pub(super) fn starts_over(self, code: i32) -> bool {
        self == Step::PromoteByName && code == 40
    }

    /// The step's own flags.
    pub(super) fn flags(self, app: &App, new: &Built) -> Vec<String> {
        let (publish, network) = (format!("{}:8080", app.port), network(app));
        let words = match self {
            Step::Pull => vec!["--attempts", "1", &new.name],
            Step::Start => vec!["--image", &new.name, "--publish", &publish],
            Step::Probe => vec![],
            Step::Promote | Step::PromoteByName => vec!["--stop-timeout", "2s"],
            Step::PromoteByAlias => vec![
                "--stop-timeout",
                "2s",
                "--network",
                &network,
                "--alias",
                "web",
            ],
            Step::Prune => vec!["--candidate", "--keep", "0"],
        };
        words.into_iter().map(str::to_owned).collect()
    }
}

fn network(app: &App) -> String {
    format!("{}-net", app.name())
}

fn drop_candidate(app: &App) {
    let _ = docker(["rm", "-f", "-v", &app.scope.candidate()]);
}
