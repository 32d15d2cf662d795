//! The lines of an app's file: deploy.sh takes each as it is meant, or refuses it before anything is done.

use std::process::Command;

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
        "start-candidate -e LOG",
        "start-candidate --label=A=b  c\r",
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
            "start-candidate {names} --from - --replace --quiet --publish=80:8080 -- -e LOG \
             '--label=A=b  c' --memory 512m 'echo \"it'\\''s\" me'"
        ),
        format!(
            "start-candidate {names} --previous --replace --quiet --deploy-id=7 -- -e LOG \
             '--label=A=b  c' --memory 512m 'echo \"it'\\''s\" me'"
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
fn dashes_and_a_run_option_may_be_on_one_line() {
    let configured = Configured::new();
    let lines = [
        "each --container\tother",
        "start-candidate --publish=80:8080",
        "start-candidate -- -e LOG=info",
        "start-candidate --\t--label a=b  c",
        "rollback -- -- --app=mine",
    ];
    let said = configured.check(&lines.join("\n"));
    assert_eq!((said.code, &*said.stderr), (0, ""), "{said:?}");
    let shown: Vec<&str> = said.stdout.lines().skip(1).take(2).collect();
    let app = configured.app.name();
    let expected = [
        format!(
            "start-candidate --app {app} --from - --replace --container other --publish=80:8080 -- -e 'LOG=…' \
             --label 'a=b  c'"
        ),
        format!("start-candidate --app {app} --previous --replace --container other -- --app=mine"),
    ];
    assert_eq!(shown, expected);
}

/// The words that a shell makes of a line.
fn pasted(line: &str) -> Vec<String> {
    let script = format!("set -- {line}; printf '%s\\n' \"$@\"");
    let mut sh = Command::new("sh");
    sh.args(["-c", &script]);
    let said = run(sh, None).unwrap();
    assert_eq!((said.code, &*said.stderr), (0, ""), "{line}");
    said.stdout.lines().map(str::to_owned).collect()
}

#[test]
fn what_check_shows_can_be_pasted_into_a_shell_and_has_no_values_that_are_secret() {
    let configured = Configured::new();
    // Each line, and the words that are shown of it.
    let lines = [
        ("-e TOKEN=secret-1", &["-e", "TOKEN=…"][..]),
        ("--env=URL=https://me:secret-2@db/?a=b", &["--env=URL=…"]),
        ("--env KEY=a secret-3 with spaces", &["--env", "KEY=…"]),
        ("-eSHORT=secret-4", &["-eSHORT=…"]),
        ("-ite MORE=secret-5", &["-ite", "MORE=…"]),
        ("-e=EQUAL=secret-6", &["-e=EQUAL=…"]),
        (
            "--log-opt=splunk-token=secret-7",
            &["--log-opt=splunk-token=…"],
        ),
        ("-e FROM_OUTSIDE", &["-e", "FROM_OUTSIDE"]),
        ("--env-file=/etc/web.env", &["--env-file=/etc/web.env"]),
        ("--label=cost=$HOME `id`", &["--label=cost=$HOME `id`"]),
        ("--label=\\'*;&|", &["--label=\\'*;&|"]),
        ("--memory 512m", &["--memory", "512m"]),
    ];
    let options: String = lines
        .iter()
        .map(|(line, _)| format!("start-candidate {line}\n"))
        .collect();
    let headers = "each --quiet\nstart-candidate --\nprobe-health --header=Authorization: Bearer secret-8\n\
                   promote --header X-Key: secret-9\npromote --header=secret-10\n";
    let said = configured.check(&format!("{headers}{options}"));
    assert_eq!((said.code, &*said.stderr), (0, ""), "{said:?}");
    assert!(!said.stdout.contains("secret"), "{said:?}");
    let shown: Vec<Vec<String>> = said.stdout.lines().map(pasted).collect();
    let expected: Vec<&str> = lines
        .iter()
        .flat_map(|(_, words)| *words)
        .copied()
        .collect();
    for start in [&shown[1], &shown[2]] {
        let options = start.iter().skip_while(|word| *word != "--").skip(1);
        assert_eq!(options.collect::<Vec<_>>(), expected);
    }
    assert_eq!(shown[3].last().unwrap(), "--header=Authorization: …");
    let [.., flag, header, other] = &shown[4][..] else {
        panic!("{shown:?}");
    };
    assert_eq!(
        [flag, header, other],
        ["--header", "X-Key: …", "--header=…"]
    );
}

#[test]
fn check_runs_nothing() {
    let configured = Configured::new();
    let script = "/usr/local/sbin/deploy.sh";
    let without_steps = [
        "env",
        "PATH=/usr/bin:/bin",
        script,
        configured.app.name(),
        "check",
    ];
    let said = run(configured.vm.command(&without_steps), None).unwrap();
    assert_eq!((said.code, &*said.stderr), (0, ""), "{said:?}");
    assert_eq!(said.stdout.lines().count(), 6, "{said:?}");
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
        ("start-candidate -- -e \"A=secret\"", "leave the quotes out"),
        ("start-candidate --env=A=secret \\", "a backslash joins"),
        ("start-candidate --container=other", "begin with each"),
        ("probe-health --container other", "begin with each"),
        ("rollback --app=other", "begin with each"),
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
