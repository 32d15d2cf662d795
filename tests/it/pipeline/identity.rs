//! What other tools have set in the environment, while an app is deployed that is named by flags or by reports.

use std::process::Command;

use serde_json::Value;
use stage::docker::inspect;
use stage::image::Built;
use stage::registry;
use stage::steps::run;

use super::{FLAGS, PIPE, pushed, shell};
use crate::support::{App, ok, text};
use crate::vm::Vm;

/// An app that is live, and another one that is to be deployed.
struct Two {
    web: App,
    live: Built,
    id: String,
    api: App,
}

impl Two {
    fn new(prefix: &str) -> Two {
        let (web, api) = (App::new(prefix), App::new(prefix));
        let live = web.build("v1");
        web.deploy(&live, &[]);
        let id = web.id("");
        Two { web, live, id, api }
    }

    /// `command` where some tool works on the live app, and has put everything else to other uses.
    fn steered(&self, mut command: Command, app: Option<&str>) -> Command {
        command.envs(app.map(|app| ("APP_NAME", app)));
        command
            .env("CONTAINER_NAME", self.web.name())
            .env("APP_PORT", "tcp://10.0.0.1:80")
            .env("MAX_RETRIES", "never")
            .env("RETRY_INTERVAL", "--rm");
        command
    }

    /// The other app is live under its own name, and nothing has happened to this one.
    fn assert_apart(&self, image: &Built) {
        self.api.assert_live(image);
        let labels = &self.api.container("").unwrap()["Config"]["Labels"];
        assert_eq!(text(&labels["app"]), self.api.name());
        self.web.assert_untouched(&self.id, &self.live);
        assert_eq!(self.web.present(), [""]);
    }
}

#[test]
fn a_container_that_the_environment_names_is_not_touched_by_the_steps_of_another_app() {
    let two = Two::new("steered");
    for (script, version) in [(FLAGS, "v1"), (PIPE, "v2")] {
        let image = pushed(&two.api, &two.api.image(version), version);
        let command = shell(script, &two.api, &image.name);
        let done = run(two.steered(command, None), None).unwrap();
        assert_eq!(done.code, 0, "{done:?}");
        assert!(!done.stderr.contains("(from "), "{done:?}");
        two.assert_apart(&image);
    }
}

#[test]
fn an_app_that_flags_name_is_deployed_although_the_environment_names_another() {
    let two = Two::new("named");
    let script = FLAGS.replace("pull-image", r#"pull-image --app "$APP""#);
    for (other, version) in [(two.web.name(), "v1"), ("not a name", "v2")] {
        let image = pushed(&two.api, &two.api.image(version), version);
        let command = shell(&script, &two.api, &image.name);
        let done = run(two.steered(command, Some(other)), None).unwrap();
        assert_eq!(done.code, 0, "{done:?}");
        two.assert_apart(&image);
    }
}

#[test]
fn a_pull_that_the_environment_gave_another_app_does_not_lead_the_steps_after_it_astray() {
    let two = Two::new("astray");
    let image = pushed(&two.api, &two.api.image("v1"), "v1");
    let script = PIPE.replace("pull-image", "pull-image --allow-unlabelled");
    let command = shell(&script, &two.api, &image.name);
    let done = run(two.steered(command, Some(two.web.name())), None).unwrap();
    let report = ok(&done);
    assert_eq!(report["container"], two.api.name());
    let told = format!("pull-image: app {} (from APP_NAME), ", two.web.name());
    assert!(done.stderr.starts_with(&told), "{done:?}");
    assert_eq!(done.stderr.matches("(from ").count(), 2, "{done:?}");
    two.assert_apart(&image);
}

#[test]
fn the_script_for_the_vm_deploys_goes_back_and_looks_whatever_the_environment_names() {
    let two = Two::new("vm-named");
    let vm = Vm::of(&two.api, registry::shared().unwrap().host());
    let script = |words: &[&str]| -> Value {
        let command = vm.command(&[&["deploy.sh", two.api.name()], words].concat());
        let done = run(two.steered(command, Some(two.web.name())), None).unwrap();
        assert!(!done.stderr.contains("(from "), "{done:?}");
        ok(&done)
    };
    let [v1, v2] = ["v1", "v2"].map(|it| pushed(&two.api, &two.api.image(it), it));
    for image in [&v1, &v2] {
        script(&["deploy", &image.name]);
        two.assert_apart(image);
    }
    script(&["rollback"]);
    two.assert_apart(&v1);
    let status = script(&["status"]);
    assert_eq!(status["container"], two.api.name());

    // The fallback, too: a candidate of the app that the environment names stays.
    two.web.start(&two.live, &[]);
    let bad = pushed(&two.api, &two.api.image("bad").env("CRASH", "1"), "bad");
    let command = vm.command(&["deploy.sh", two.api.name(), "deploy", &bad.name]);
    let done = run(two.steered(command, Some(two.web.name())), None).unwrap();
    assert_eq!(done.code, 32, "{done:?}");
    assert_eq!(two.api.present(), [""]);
    assert_eq!(two.web.present(), ["", "-new"]);
}

#[test]
fn the_script_for_the_vm_takes_a_container_s_own_name_from_its_settings() {
    let app = App::new("vm-own");
    let vm = Vm::of(&app, registry::shared().unwrap().host());
    let name = format!("{}-box", app.name());
    for container in [name.clone(), format!("{name}-new")] {
        app.scope.also_container(&container);
    }
    vm.reconfigure("# ports", &format!("each --container={name}\n# ports"));
    let image = pushed(&app, &app.image("v1"), "v1");
    let done = run(
        vm.command(&["deploy.sh", app.name(), "deploy", &image.name]),
        None,
    )
    .unwrap();
    ok(&done);
    assert_eq!(inspect(&name).unwrap().unwrap()["Image"], image.id);
    assert!(app.present().is_empty());
    let status = run(vm.command(&["deploy.sh", app.name(), "status"]), None).unwrap();
    assert_eq!(ok(&status)["container"], name);
    let bad = pushed(&app, &app.image("bad").env("CRASH", "1"), "bad");
    let done = run(
        vm.command(&["deploy.sh", app.name(), "deploy", &bad.name]),
        None,
    )
    .unwrap();
    assert_eq!(done.code, 32, "{done:?}");
    assert!(inspect(&format!("{name}-new")).unwrap().is_none());
}
