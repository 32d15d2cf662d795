//! What the doctor finds on machines that have all it takes, and on those that do not.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use stage::docker::docker;
use stage::registry::{self, PASSWORD, Registry};
use stage::steps::{Run, run, step};

use super::{DEPLOY, Vm, vm_folder};
use crate::apt::machine::{AT_MOST, Machine};
use crate::apt::{INSTALL, INSTALLING};
use crate::support::{App, free_port};

struct Patient {
    app: App,
    vm: Vm,
}

impl Patient {
    fn new(prefix: &str) -> Patient {
        let app = App::new(prefix);
        let vm = Vm::of(&app, registry::shared().unwrap().host());
        Patient { app, vm }
    }

    fn look(&self, before: &[&str], flags: &[&str]) -> Run {
        let argv = [before, &["doctor.sh"], flags].concat();
        run(self.vm.command(&argv), None).unwrap()
    }

    /// What it found for this check, with the code it ended with.
    fn found(&self, before: &[&str], flags: &[&str], check: &str) -> (i32, String) {
        let run = self.look(before, flags);
        let line = run.stdout.lines().find(|line| line[6..].starts_with(check));
        let line = line.unwrap_or_else(|| panic!("{run:?}"));
        (run.code, line.to_owned())
    }
}

#[test]
fn a_machine_with_all_it_takes_is_well() {
    let patient = Patient::new("well");
    let image = format!("{}:v1", patient.vm.repository);
    let built = patient.app.image("v1").build(&image).unwrap();
    built.push().unwrap();
    let ports = [free_port(), free_port()].map(|port| port.to_string());
    let flags = ["--image", &image, "--port", &ports[0], "--port", &ports[1]];
    let lines = patient.look(&[], &flags);
    assert_eq!(lines.code, 0, "{lines:?}");
    let names: Vec<&str> = lines
        .stdout
        .lines()
        .map(|line| line[6..].split(' ').next().unwrap())
        .collect();
    let all = [
        "steps", "engine", "disk", "bridge", "requests", "clock", "locks", "registry", "port",
        "port",
    ];
    assert_eq!(names, all);
    assert!(!lines.stdout.contains("fail"), "{lines:?}");
    let json = patient.look(&[], &[&["--json"], &flags[..]].concat());
    let json: Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(json["ok"], true);
    for (check, name) in json["checks"].as_array().unwrap().iter().zip(all) {
        assert_eq!(check["name"], name);
    }
}

#[test]
fn who_has_a_port_is_said() {
    let patient = Patient::new("ports");
    let image = patient.app.build("v1");
    let publish = format!("127.0.0.1:{}:8080", patient.app.port);
    let name = patient.app.name();
    docker(["run", "-d", "--name", name, "-p", &publish, &image.name]).unwrap();
    let port = patient.app.port.to_string();
    let (code, line) = patient.found(&[], &["--port", &port], "port");
    assert!(
        code == 0 && line.ends_with(&format!("container {name}")),
        "{line}"
    );
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let (code, line) = patient.found(&[], &["--port", &port], "port");
    assert!(code == 1 && line.starts_with("fail"), "{line}");
}

#[test]
fn an_engine_that_is_away_or_an_image_that_is_not_there_is_a_failure() {
    let patient = Patient::new("ill");
    let away = ["env", "DOCKER_HOST=unix:///nowhere.sock"];
    let (code, line) = patient.found(&away, &[], "engine");
    assert!(code == 1 && line.contains("/nowhere.sock"), "{line}");
    let cli = ["--docker", "/nowhere/docker"];
    let (code, line) = patient.found(&[], &cli, "engine");
    assert!(code == 1 && line.contains("is not on the PATH"), "{line}");
    let image = format!("{}:nowhere", patient.vm.repository);
    let (code, line) = patient.found(&[], &["--image", &image], "registry");
    assert!(code == 1 && line.starts_with("fail"), "{line}");
}

#[test]
fn an_account_without_rights_is_told_what_it_may_not_do() {
    let patient = Patient::new("rights");
    let id = DEPLOY.to_string();
    let account = ["setpriv", "--reuid", &id, "--regid", &id, "--clear-groups"];
    let (code, line) = patient.found(&account, &[], "engine");
    assert!(code == 1 && line.contains("may deploy use it"), "{line}");
    for check in ["bridge", "requests"] {
        let (_, line) = patient.found(&account, &[], check);
        assert!(line.starts_with("warn"), "{line}");
    }
}

#[test]
fn what_is_missing_while_somebody_works_with_packages_is_said_to_be_installed_later() {
    let patient = Patient::new("busy");
    let machine = Machine::new();
    machine.apt(AT_MOST).get(&["update"]).unwrap();
    let dpkg = machine.path("var/lib/dpkg");
    let theirs = "mount --bind $0 /var/lib/dpkg && exec \"$@\"";
    let theirs = ["sh", "-c", theirs, dpkg.to_str().unwrap()];
    let id = DEPLOY.to_string();
    let account = ["setpriv", "--reuid", &id, "--regid", &id, "--clear-groups"];
    let missing = ["--docker", "nowhere-docker"];
    let says = |account: &[&str]| {
        patient
            .found(&[&theirs, account].concat(), &missing, "engine")
            .1
    };
    assert!(says(&[]).contains("install docker.io, or name it"));
    let other = machine.busy(INSTALLING, &INSTALL);
    let who = other.who().replace(" holds ", " has let go of ");
    let later = format!("install docker.io when {who}/var/lib/dpkg/lock-frontend, or name it");
    for account in [&[][..], &account] {
        let line = says(account);
        assert!(line.starts_with("fail") && line.contains(&later), "{line}");
    }
    other.go_on();
    assert!(says(&account).contains("install docker.io, or name it"));
}

#[test]
fn a_registry_s_login_is_looked_for_where_this_user_has_it() {
    let patient = Patient::new("login");
    let registry = Registry::start_with_password("deployer").unwrap();
    let image = format!("{}/{}:v1", registry.host(), patient.app.name());
    patient.app.image("v1").build(&image).unwrap();
    let (with, without) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let [with, without] = [&with, &without].map(|it| it.path().to_str().unwrap());
    let login = ["--config", with, "login", "-u", "deployer", "-p"];
    docker(login.into_iter().chain([PASSWORD, registry.host()])).unwrap();
    docker(["--config", with, "push", &image]).unwrap();
    for (config, code, result) in [(with, 0, "ok"), (without, 1, "fail")] {
        let env = ["env", &format!("DOCKER_CONFIG={config}")];
        let (ended, line) = patient.found(&env, &["--image", &image], "registry");
        assert!(ended == code && line.starts_with(result), "{line}");
    }
}

#[test]
fn xtask_doctor_looks_at_the_same_and_hands_all_its_flags_on() {
    let ports = [free_port(), free_port()].map(|port| port.to_string());
    let mut xtask = step("xtask").unwrap();
    let [one, two] = &ports;
    xtask.args([
        "doctor", "--json", "--docker", "docker", "--port", one, "--port", two,
    ]);
    let said = run(xtask, None).unwrap();
    let json: Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!(json["ok"], said.code == 0, "{said:?}");
    let checks = json["checks"].as_array().unwrap();
    for port in &ports {
        let free = format!("{port} is free");
        assert!(
            checks.iter().any(|it| it["says"] == free.as_str()),
            "{json}"
        );
    }
    assert_eq!(checks[0]["result"], "ok", "{json}");
}

/// An engine that answers so, whatever it is asked.
fn engine_that_says(folder: &Path, said: &str) -> String {
    let path = folder.join("docker");
    fs::write(&path, format!("#!/bin/sh\nprintf '%b' '{said}'\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn whatever_an_engine_says_the_findings_are_json_and_none_is_well_that_was_not_seen() {
    let patient = Patient::new("odd");
    let folder = tempfile::tempdir().unwrap();
    let odd = engine_that_says(folder.path(), r#"\\0377\\033[31m"}]\\\\ /nowhere"#);
    let looked = patient.look(&[], &["--json", "--docker", &odd]);
    let json: Value = serde_json::from_str(&looked.stdout).unwrap();
    let checks = json["checks"].as_array().unwrap();
    let disk = checks.iter().find(|check| check["name"] == "disk").unwrap();
    assert_eq!(disk["result"], "warn", "{disk}");
    assert!(!looked.stdout.contains('\u{1b}'), "{looked:?}");
    let old = engine_that_says(folder.path(), "19.03.8");
    let (_, line) = patient.found(&[], &["--docker", &old], "engine");
    assert!(line.starts_with("warn"), "{line}");
}

/// Where containerd has a small disk of its own.
const TWO_DISKS: &str = "mount -t tmpfs tmpfs /var/lib && mkdir /var/lib/containerd && \
                         mount -t tmpfs -o size=1m tmpfs /var/lib/containerd && exec \"$@\"";

#[test]
fn the_fuller_disk_counts_where_containerd_keeps_the_images_on_another_one() {
    let patient = Patient::new("two-disks");
    let disks = ["unshare", "--mount", "sh", "-c", TWO_DISKS, "sh"];
    for (store, fuller) in [("io.containerd.snapshotter.v1", true), ("extfs", false)] {
        // The engine's own answers, but for the store and the folder that it says it has.
        let script = format!(
            "#!/bin/sh\ncase $* in *DriverStatus*) echo {store} ;; *DockerRootDir*) echo /tmp ;; \
             *) exec docker \"$@\" ;; esac\n"
        );
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("docker");
        fs::write(&path, script).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        let flags = ["--docker", path.to_str().unwrap()];
        let (code, line) = patient.found(&disks, &flags, "disk");
        let full = code == 1 && line.contains("MiB free at /var/lib/containerd:");
        assert_eq!(full, fuller, "{line}");
    }
}

#[test]
fn unknown_words_are_answered_with_the_usage_and_the_scripts_are_clean_to_shellcheck() {
    let patient = Patient::new("words");
    for words in [
        &["--port"][..],
        &["--port", "http"],
        &["--image", "--json"],
        &["now"],
    ] {
        let said = patient.look(&[], words);
        assert_eq!((said.code, &*said.stdout), (2, ""), "{said:?}");
        assert!(said.stderr.starts_with("usage: doctor.sh"), "{said:?}");
    }
    let mut check = Command::new("shellcheck");
    for script in ["deploy-over-ssh", "deploy.sh", "doctor.sh"] {
        check.arg(vm_folder().join(script));
    }
    let said = run(check, None).unwrap();
    assert_eq!((said.code, &*said.stdout), (0, ""), "{said:?}");
}
