//! The lines of an app's file: deploy.sh takes each as it is meant, or refuses it before anything is done.

use stage::registry;
use stage::steps::{Run, run};

use super::Vm;
use crate::support::App;

struct Configured {
    app: App,
    vm: Vm,
}

impl Configured {
    fn new() -> Configured {
        let app = App::new("lines");
        let vm = Vm::of(&app, registry::shared().unwrap().host());
        Configured { app, vm }
    }

    fn check(&self, conf: &str) -> Run {
        self.vm.configure(conf);
        let argv = ["deploy.sh", self.app.name(), "check"];
        run(self.vm.command(&argv), None).unwrap()
    }
}

#[test]
fn check_shows_what_each_step_would_be_given() {
    let configured = Configured::new();
    let lines = [
        "# ports and options",
        "",
        "start-candidate\t--publish=80:8080",
        "  start_candidate --",
        "start-candidate -e LOG=info",
        "start-candidate --env=A=b  c\r",
        "start-candidate --memory  512m",
        "start-candidate echo \"it's\" me",
        "probe-health --expect-body=\"status\":\"ok\"",
        "rollback --deploy-id=7",
        "each --quiet",
        "promote --drain=5s",
    ];
    let app = configured.app.name();
    let names = format!("--app {app} --container {app}");
    let shown = [
        format!("pull-image {names} IMAGE --quiet"),
        format!(
            "start-candidate {names} --from - --replace --quiet --publish=80:8080 -- -e LOG=info \
             '--env=A=b  c' --memory 512m 'echo \"it'\\''s\" me'"
        ),
        format!(
            "start-candidate {names} --previous --replace --quiet --deploy-id=7 -- -e LOG=info \
             '--env=A=b  c' --memory 512m 'echo \"it'\\''s\" me'"
        ),
        format!("probe-health {names} --from - --quiet '--expect-body=\"status\":\"ok\"'"),
        format!("promote {names} --from - --quiet --drain=5s"),
        format!("prune-app {names} --from - --quiet"),
    ];
    let said = configured.check(&lines.join("\n"));
    assert_eq!((said.code, &*said.stderr), (0, ""), "{said:?}");
    assert_eq!(said.stdout.lines().collect::<Vec<_>>(), shown);
}

#[test]
fn a_line_that_may_be_meant_otherwise_is_refused_with_its_number_and_nothing_is_done() {
    let configured = Configured::new();
    let refused = [
        ("start-canddate --publish=80:8080", "is no step"),
        ("--publish=80:8080", "is no step"),
        ("promote", "is given nothing"),
        ("promote --drain=5s # less", "a line of its own"),
        ("start-candidate --env=\"A=b c\"", "leave the quotes out"),
        ("start-candidate --env=A='secret'", "leave the quotes out"),
        ("start-candidate -e \"A=secret\"", "leave the quotes out"),
    ];
    for (line, why) in refused {
        let said = configured.check(&format!("# first\n{line}\n"));
        assert_eq!((said.code, &*said.stdout), (2, ""), "{line}: {said:?}");
        assert!(
            said.stderr.contains("line 2 of /etc/deploy-steps/"),
            "{said:?}"
        );
        assert!(said.stderr.contains(why), "{said:?}");
        assert!(!said.stderr.contains("secret"), "{said:?}");
    }
    let app = configured.app.name();
    let deploy = ["deploy.sh", app, "deploy", &configured.vm.repository];
    let said = run(configured.vm.command(&deploy), None).unwrap();
    assert_eq!((said.code, &*said.stdout), (2, ""), "{said:?}");
    assert!(configured.app.present().is_empty());
}
