//! Many VMs, one after the other, as the page for those who outgrow one machine says.

use std::fmt::Write;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use serde_json::Value;
use stage::steps::{Run, run};

use super::Remote;
use crate::docs;
use crate::support::text;

/// Two VMs with the same app's images, and a folder with the script and what it reads.
struct Fleet {
    folder: tempfile::TempDir,
    vms: [Remote; 2],
}

impl Fleet {
    fn new() -> Fleet {
        let folder = tempfile::tempdir().unwrap();
        let vms = ["east", "west"].map(|name| Remote::configured(name, "60s", "2s"));
        let mut config = String::new();
        for (name, vm) in ["east", "west"].iter().zip(&vms) {
            let input = |name: &str| {
                let inputs = vm.server.inputs();
                inputs.into_iter().find(|it| it.0 == name).unwrap().1
            };
            let (port, user) = (input("port"), input("user"));
            let client = vm.server.client().display();
            writeln!(
                config,
                "Host {name}\nHostName 127.0.0.1\nPort {port}\nUser {user}"
            )
            .unwrap();
            writeln!(config, "IdentityFile {client}/key\nBatchMode yes").unwrap();
            writeln!(config, "UserKnownHostsFile {client}/known_hosts").unwrap();
        }
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
        };
        let real = stage::ground::find("ssh").unwrap();
        let path = folder.path().display();
        write("config", &config);
        write("hosts", "east\nwest\n");
        write("fleet.sh", &docs::only(docs::SWARM, "sh", "#!/bin/sh"));
        write(
            "ssh",
            &format!(
                "#!/bin/sh\nexec {} -F {path}/config \"$@\"\n",
                real.display()
            ),
        );
        Fleet { folder, vms }
    }

    /// The script's end, and its reports.
    fn ask(&self, request: &[&str]) -> (Run, Vec<Value>) {
        let mut path = self.folder.path().as_os_str().to_owned();
        path.push(":");
        path.push(std::env::var_os("PATH").unwrap_or_default());
        let mut fleet = Command::new(self.folder.path().join("fleet.sh"));
        fleet
            .args(request)
            .current_dir(self.folder.path())
            .env("PATH", path);
        let done = run(fleet, None).unwrap();
        let lines = done.stdout.lines().map(serde_json::from_str);
        let reports = lines.map(Result::unwrap).collect();
        (done, reports)
    }

    fn push(&self, version: &str, variable: &str) {
        for vm in &self.vms {
            vm.push(&vm.app.image(version).env(variable, "1"), version);
        }
    }
}

#[test]
fn a_fleet_of_vms_is_deployed_to_one_by_one_and_stops_at_the_first_that_refuses() {
    let fleet = Fleet::new();
    let [east, west] = &fleet.vms;
    let by = |reports: &[Value], host: &str| reports.iter().filter(|it| it["host"] == host).count();
    fleet.push("v1", "FINE");
    let (done, reports) = fleet.ask(&["deploy", "v1"]);
    assert_eq!(
        (done.code, by(&reports, "east"), by(&reports, "west")),
        (0, 5, 5),
        "{done:?}"
    );

    let (first, second) = (east.app.id(""), west.app.id(""));
    fleet.push("bad", "SICK");
    let (done, reports) = fleet.ask(&["deploy", "bad"]);
    assert_eq!((done.code, by(&reports, "west")), (30, 0), "{done:?}");
    assert!(done.stderr.contains("east failed with 30"), "{done:?}");
    assert_eq!((east.app.id(""), west.app.id("")), (first, second));

    stage::docker::docker(["stop", "-t", "1", east.app.name()]).unwrap();
    let (done, reports) = fleet.ask(&["status"]);
    let health: Vec<(&str, bool)> = reports
        .iter()
        .map(|it| (text(&it["host"]), it["ok"] == true))
        .collect();
    assert_eq!(health, [("east", false), ("west", true)], "{done:?}");
    assert_eq!(done.code, 32, "{done:?}");
}
