//! An image for several platforms, of which another one is asked for than this machine's.

use stage::docker::{docker, published};
use stage::registry;
use stage::steps::{run, step};

use crate::repository::Repository;
use crate::support::{App, failed, get, ok};

/// An app whose image is `here` for this machine's platform and `there` for another one, which answers that.
struct Stage {
    app: App,
    repository: String,
    own: String,
    other: &'static str,
}

impl Stage {
    fn new() -> Stage {
        let app = App::new("platforms");
        let host = registry::shared().unwrap().host();
        let repository = format!("{host}/{}", app.name());
        let built = app
            .image("here")
            .build(&format!("{repository}:here"))
            .unwrap();
        built.push().unwrap();
        let format = "{{.Os}}/{{.Architecture}}";
        let own = docker(["image", "inspect", "-f", format, &built.id]).unwrap();
        let other = match &own[..] {
            "linux/arm64" => "linux/amd64",
            _ => "linux/arm64",
        };
        docker(["image", "rm", "-f", &built.id]).unwrap();
        let there = Repository::of(&repository);
        let here = there.copy("here", "again");
        let elsewhere = there.translate("here", "there", other, "there");
        there.index("both", &[(&here, &own), (&elsewhere, other)]);
        there.index("one", &[(&elsewhere, other)]);
        Stage {
            app,
            repository,
            own,
            other,
        }
    }

    fn name(&self, tag: &str) -> String {
        format!("{}:{tag}", self.repository)
    }

    /// Pulls the image for the platform, and returns the report as it was written.
    fn pull(&self, tag: &str, platform: &str) -> String {
        let run = self
            .app
            .step("pull-image", &[&self.name(tag), "--platform", platform]);
        let report = ok(&run);
        assert_eq!(report["platform"], platform, "{report}");
        assert!(report["size_bytes"].as_u64() > Some(100_000), "{report}");
        run.stdout
    }

    /// Starts a candidate, and asserts that it is the one that answers so.
    fn start(&self, flags: &[&str], handed: Option<&str>, version: &str) {
        let publish = format!("{}:8080", self.app.port);
        let mut start = step("start-candidate").unwrap();
        start.args(["--app", self.app.name(), "--replace", "--publish", &publish]);
        ok(&run(
            {
                start.args(flags);
                start
            },
            handed,
        )
        .unwrap());
        self.app.prove_candidate();
        let candidate = published(&self.app.scope.candidate(), 8080).unwrap();
        assert_eq!(get(candidate, "/").unwrap(), version);
    }
}

#[test]
fn what_is_pulled_for_another_platform_goes_live_for_it_whatever_else_of_the_image_is_here() {
    let stage = Stage::new();
    let (app, own) = (&stage.app, stage.own.clone());
    stage.start(&["--from", "-"], Some(&stage.pull("both", &own)), "here");
    ok(&app.promote(&[]));
    assert_eq!(app.answer(), "here");
    stage.start(
        &["--from", "-"],
        Some(&stage.pull("both", stage.other)),
        "there",
    );
    ok(&app.promote(&[]));
    assert_eq!(app.answer(), "there");

    ok(&app.step("start-candidate", &["--previous"]));
    app.prove_candidate();
    ok(&app.promote(&[]));
    assert_eq!(app.answer(), "here");
}

#[test]
fn an_image_for_another_platform_alone_is_pulled_and_started_by_its_run_options() {
    let stage = Stage::new();
    stage.pull("one", stage.other);
    let image = stage.name("one");
    let platform = format!("--platform={}", stage.other);
    stage.start(&["--image", &image, "--", &platform], None, "there");
    let run = stage
        .app
        .step("pull-image", &[&image, "--platform", &stage.own]);
    failed(&run, 10, "image_not_found");
}
