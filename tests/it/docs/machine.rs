//! The boxes of the pages for the VM and for a CI's key, on a VM.

use std::fs;

use serde_json::Value;
use stage::docker::docker;
use stage::registry;
use stage::steps::run;

use super::{CI, VM, only};
use crate::support::App;
use crate::vm::{DEPLOY, Vm, vm_folder};

fn vm(prefix: &str) -> (App, Vm) {
    let app = App::new(prefix);
    let vm = Vm::of(&app, registry::shared().unwrap().host());
    (app, vm)
}

#[test]
fn the_three_commands_of_the_vm_do_what_they_say() {
    let (app, vm) = vm("three");
    // Its files are the examples that lie beside the page.
    let example = |name| fs::read_to_string(vm_folder().join(name)).unwrap();
    let conf = example("web.conf").replace("80:8080", &format!("{}:8080", app.port));
    let conf = conf.replace("web", app.name());
    vm.write(&format!("deploy-steps/{}.conf", app.name()), 0o644, &conf);
    vm.write(&format!("{}.env", app.name()), 0o600, &example("web.env"));
    let [v1, v2] = ["v1", "v2"].map(|tag| {
        let built = app
            .image(tag)
            .build(&format!("{}:{tag}", vm.repository))
            .unwrap();
        built.push().unwrap();
        built
    });
    docker(["image", "rm", &v2.name]).unwrap();
    let first = ["deploy.sh", app.name(), "deploy", &v1.name];
    assert_eq!(run(vm.command(&first), None).unwrap().code, 0);
    let script = only(VM, "sh", "deploy.sh web")
        .replace("ghcr.io/acme/web", &vm.repository)
        .replace("deploy.sh web", &format!("deploy.sh {}", app.name()));
    let done = run(vm.command(&["sh", "-ec", &script]), None).unwrap();
    assert_eq!(done.code, 0, "{done:?}");
    let reports: Vec<Value> = done
        .stdout
        .lines()
        .map(|it| serde_json::from_str(it).unwrap())
        .collect();
    let [deployed, back, status] = &reports[..] else {
        panic!("{done:?}");
    };
    assert_eq!(
        deployed["steps"][3]["image"],
        v2.name.as_str(),
        "{deployed}"
    );
    assert_eq!(back["pipeline"], "rollback", "{back}");
    assert_eq!(status["step"], "probe-health", "{status}");
    app.assert_live(&v1);
    let env = app.container("").unwrap()["Config"]["Env"].to_string();
    assert!(env.contains("LOG_LEVEL=info"), "{env}");
    let history = vm.log(&format!("deploy-steps/{}.jsonl", app.name()));
    assert_eq!(history.lines().count(), 3, "{history}");
}

/// Each number is a 0, and what it stands beside may be another file system's place.
fn line(text: &str) -> String {
    let text = text.split(" free at ").next().unwrap();
    let text = text.split(", engine ").next().unwrap();
    let digits = text.split(|c: char| c.is_ascii_digit());
    digits
        .filter(|it| !it.is_empty())
        .collect::<Vec<_>>()
        .join("0")
}

#[test]
fn the_doctor_says_what_the_page_shows() {
    let (_app, vm) = vm("doctor");
    let id = DEPLOY.to_string();
    let socket = "stat -c %g /run/docker.sock";
    let group = run(vm.command(&["sh", "-c", socket]), None).unwrap().stdout;
    let account = [
        "setpriv",
        "--reuid",
        &id,
        "--regid",
        &id,
        "--groups",
        group.trim(),
    ];
    // The account cannot see where the engine of the tests keeps its data; root can.
    let ways = [&account[..], &[]].map(|who| [who, &["doctor.sh"]].concat());
    let looked = ways.map(|argv| run(vm.command(&argv), None).unwrap().stdout);
    let came: Vec<String> = looked.concat().lines().map(line).collect();
    for shown in only(VM, "text", "ok    steps").lines() {
        assert!(came.contains(&line(shown)), "{shown}\n{came:#?}");
    }
}

#[test]
fn root_can_set_a_machine_up_for_the_key_as_the_page_says() {
    let (_app, vm) = vm("set-up");
    let folder = tempfile::tempdir().unwrap();
    for name in ["deploy-over-ssh", "deploy.sh", "web.conf"] {
        fs::copy(vm_folder().join(name), folder.path().join(name)).unwrap();
    }
    for kind in ["authorized_keys", "sudoers"] {
        fs::write(folder.path().join(kind), Vm::raw(kind)).unwrap();
    }
    // A machine where none of it is there yet, and no registry that wants a login.
    let before = "mount -t tmpfs tmpfs /home; rm -rf /etc/deploy-steps /etc/sudoers.d/*; sed -i /^deploy:/d /etc/passwd /etc/shadow
rm /usr/local/sbin/deploy*; docker() { [ \"$1 $2\" = 'login ghcr.io' ]; }; cd \"$FOLDER\"\n";
    let after = "visudo -cq; getent passwd deploy; sudo -ln -U deploy; cat /etc/deploy-steps/web.conf
stat -c '%a %U %n' /usr/local/sbin/deploy* /etc/sudoers.d/deploy-over-ssh /home/deploy/.ssh/authorized_keys\n";
    let script = ["set -e\n", before, &only(CI, "sh", "useradd"), after].concat();
    let mut command = vm.command(&["sh", "-c", &script]);
    command.env("FOLDER", folder.path());
    let done = run(command, None).unwrap();
    assert_eq!(done.code, 0, "{done:?}");
    for part in [
        "/home/deploy:/bin/sh\n",
        "NOPASSWD: /usr/local/sbin/deploy-over-ssh web ghcr.io/acme/web",
        &Vm::raw("conf")
            .lines()
            .nth(1)
            .map(|it| format!("{it}\n"))
            .unwrap(),
        "755 root /usr/local/sbin/deploy-over-ssh\n755 root /usr/local/sbin/deploy.sh\n",
        "440 root /etc/sudoers.d/deploy-over-ssh\n644 root /home/deploy/.ssh/authorized_keys\n",
    ] {
        assert!(done.stdout.contains(part), "{part}\n{done:?}");
    }
}
