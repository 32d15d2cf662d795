//! What only a real machine can. `cargo xtask test --vm debian@13` runs these, one machine in qemu after the other.
//!
//! The machine is many times slower than this one: failures are counted, and times are only shown.

mod inside;
mod limits;
mod load;
mod power;
mod swarm;

use std::path::Path;
use std::time::{Duration, Instant};

use stage::cargo;
use stage::ground::Vm;
use stage::load::{Load, Outcome};
use stage::process::Run;

use crate::bridge::say;
use crate::support::{get, ok};

/// How many requests a second come from outside, which an emulated machine answers beside all else.
const RATE: u32 = 10;

/// A machine in qemu whose port 8080 is an app's.
struct Guest {
    vm: Vm,
}

impl Guest {
    fn boot() -> Guest {
        Guest {
            vm: Vm::boot().unwrap(),
        }
    }

    /// Builds `web:<version>`, with these changes; it has reached the disk afterwards.
    fn build(&self, version: &str, changes: &[&str]) {
        let app = cargo::demo_app().unwrap().parent().unwrap();
        let version_is = format!("ENV VERSION={version}");
        let all = [
            r#"ENTRYPOINT ["/demo-app"]"#,
            "EXPOSE 8080",
            "LABEL app=web",
            &version_is,
        ];
        let all = all.iter().chain(changes);
        let changes: Vec<String> = all.map(|it| format!("--change '{it}'")).collect();
        let (app, changes) = (app.display(), changes.join(" "));
        self.vm
            .ok(&format!(
                "tar -c -C {app} demo-app | docker import {changes} - web:{version} && sync"
            ))
            .unwrap();
    }

    /// The line by which a step of the app is run.
    fn line(folder: &Path, step: &str, flags: &str) -> String {
        format!("{}/{step} --app web {flags}", folder.display())
    }

    fn step(&self, step: &str, flags: &str) -> Run {
        let line = Guest::line(cargo::steps().unwrap(), step, flags);
        self.vm.sh(&line).unwrap()
    }

    fn candidate(&self, version: &str, options: &str) {
        let flags = format!("--image web:{version} --replace --publish 8080:8080 {options}");
        ok(&self.step("start-candidate", &flags));
        ok(&self.step("probe-health", "--within 2m"));
    }

    fn deploy(&self, version: &str) {
        self.candidate(version, "");
        ok(&self.step("promote", ""));
    }

    /// What a client outside of the machine is answered.
    fn answer(&self) -> String {
        get(self.vm.app(), "/").unwrap_or_else(|error| format!("no answer: {error}"))
    }

    /// The names of all containers.
    fn present(&self) -> String {
        self.vm.ok("docker ps -a --format '{{.Names}}'").unwrap()
    }

    /// This release is live, is restarted always, and nothing else is there.
    fn assert_live(&self, version: &str) {
        assert_eq!(self.answer(), version);
        assert_eq!(self.present(), "web");
        let asked = "docker inspect -f '{{.Config.Image}} {{.HostConfig.RestartPolicy.Name}}' web";
        let said = self.vm.ok(asked).unwrap();
        assert!(said.ends_with(" always"), "{said}");
        let rules = self.vm.ok("nft list tables").unwrap();
        assert!(!rules.contains("deploy-steps"), "{rules}");
    }

    /// What a client outside sees from before the deed until after it.
    fn watch(&self, what: &str, deed: impl FnOnce()) -> Outcome {
        let load = Load::start(self.vm.app(), "/", RATE);
        std::thread::sleep(Duration::from_secs(2));
        deed();
        std::thread::sleep(Duration::from_secs(2));
        let seen = load.stop();
        say(&format!(
            "{what}: {} sent, {} failed {:?}, longest gap {:.0} ms, slowest {:.0} ms",
            seen.sent(),
            seen.failed(),
            seen.kinds(),
            seen.longest_gap_ms(),
            seen.slowest_ms()
        ));
        seen
    }

    /// No request from outside fails meanwhile.
    fn unnoticed(&self, what: &str, versions: &[&str], deed: impl FnOnce()) {
        let seen = self.watch(what, deed);
        assert_eq!(seen.failed(), 0, "{what}: {:?}", seen.kinds());
        assert_eq!(seen.versions(), versions, "{what}");
    }

    /// Waits until an app answers, and returns what it says.
    fn answers(&self) -> String {
        let end = Instant::now() + Duration::from_secs(600);
        loop {
            let answer = self.answer();
            if ["v1", "v2"].contains(&&*answer) {
                return answer;
            }
            assert!(Instant::now() < end, "{answer}; {}", self.present());
            std::thread::sleep(Duration::from_millis(500));
        }
    }
}
