//! A row for each option: the words that give it, and what becomes of a candidate with it.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicU8, Ordering};

use stage::docker::{Scope, docker};
use stage::ground::{STAGE, on_podman};
use stage::image::Built;
use tempfile::TempDir;

use super::disk;
use crate::support::App;

/// What becomes of a candidate.
pub(super) enum Expected {
    /// `promote` ends with this code.
    Promoted(i32),
    /// `start-candidate` refuses the option, as `promote` sets it or nobody may.
    Refused,
}

/// An option of `docker create`.
pub(super) struct Row {
    /// Its long name, without dashes.
    pub(super) option: &'static str,
    pub(super) words: Vec<String>,
    pub(super) expected: Expected,
    /// Whether it contradicts none of the others.
    pub(super) goes_with_others: bool,
}

/// What the options name: an image, files, a network, another container.
pub(super) struct Ground {
    pub(super) image: Built,
    folder: TempDir,
    app: App,
    network: String,
    /// The beginning of an address there.
    subnet: String,
    other: String,
}

impl Ground {
    pub(super) fn new(prefix: &str) -> Self {
        let app = App::new(prefix);
        let image = app.build("v1");
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in [
            ("env", "FROM_FILE=1\n"),
            ("labels", "from.file=1\n"),
            ("seccomp", r#"{"defaultAction": "SCMP_ACT_ALLOW"}"#),
        ] {
            fs::write(folder.path().join(name), text).unwrap();
        }
        let network = format!("{}-net", app.name());
        static NEXT: AtomicU8 = AtomicU8::new(7);
        let subnet = format!("10.213.{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let option = format!("--subnet={subnet}.0/24");
        docker(["network", "create", &option, &network]).unwrap();
        at_end(&app.scope, ["network", "rm", &network]);
        let other = format!("{}-other", app.name());
        app.scope.also_container(&other);
        docker(["run", "-d", "--name", &other, "-v", "/shared", &image.name]).unwrap();
        Self {
            image,
            folder,
            app,
            network,
            subnet,
            other,
        }
    }

    /// From inside, as some options leave it no address.
    pub(super) fn probe(&self) -> [&'static str; 2] {
        ["--exec", "/demo-app healthy"]
    }

    fn file(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }
}

fn at_end(scope: &Scope, words: [&str; 3]) {
    scope.at_end(words);
}

/// `--OPTION=VALUE`; with an empty value `--OPTION` alone.
fn words(option: &str, value: &str) -> String {
    match value {
        "" => format!("--{option}"),
        value => format!("--{option}={value}"),
    }
}

/// All rows, each with one value.
pub(super) fn rows(ground: &Ground) -> Vec<Row> {
    let disk = disk().unwrap_or_else(|| "/dev/null".to_owned());
    let cgroup = cgroup_parent();
    // No engine's own.
    let (driver, runtime) = match on_podman() {
        true => ("k8s-file", "runc"),
        false => ("local", "io.containerd.runc.v2"),
    };
    let with_network =
        |option, value| given(option, &[("network", &ground.network), (option, value)]);
    let mut rows = vec![
        given("cgroup-parent", &[("cgroup-parent", &cgroup)]),
        given("env-file", &[("env-file", &ground.file("env"))]),
        given("label-file", &[("label-file", &ground.file("labels"))]),
        given(
            "blkio-weight-device",
            &[("blkio-weight-device", &format!("{disk}:500"))],
        ),
        given(
            "device-read-bps",
            &[("device-read-bps", &format!("{disk}:1mb"))],
        ),
        given(
            "device-read-iops",
            &[("device-read-iops", &format!("{disk}:1000"))],
        ),
        given(
            "device-write-bps",
            &[("device-write-bps", &format!("{disk}:1mb"))],
        ),
        given(
            "device-write-iops",
            &[("device-write-iops", &format!("{disk}:1000"))],
        ),
        given("log-driver", &[("log-driver", driver)]),
        given("runtime", &[("runtime", runtime)]),
        given("volumes-from", &[("volumes-from", &ground.other)]),
        given(
            "security-opt",
            &[
                ("security-opt", "no-new-privileges"),
                (
                    "security-opt",
                    &format!("seccomp={}", ground.file("seccomp")),
                ),
            ],
        ),
        alone(given("link", &[("link", &format!("{}:db", ground.other))])),
        alone(given("network", &[("network", &ground.network)])),
        alone(with_network("network-alias", "api")),
        alone(with_network("link-local-ip", "169.254.7.7")),
        alone(with_network("ip", &format!("{}.77", ground.subnet))),
        alone(with_network("ip6", "2001:db8:7::77")),
        refused("cidfile", &ground.file("cid")),
        refused("name", &format!("{}-mine", ground.app.name())),
    ];
    rows.extend(REFUSED.map(|(option, value)| refused(option, value)));
    rows.extend(TOGETHER.map(|(option, value)| given(option, &[(option, value)])));
    rows.extend(ALONE.map(|(option, value)| alone(given(option, &[(option, value)]))));
    rows.push(given(
        "memory-swap",
        &[("memory", "64m"), ("memory-swap", "128m")],
    ));
    rows.push(given(
        "log-opt",
        &[("log-driver", driver), ("log-opt", "max-size=1m")],
    ));
    rows
}

const REFUSED: [(&str, &str); 4] = [
    ("publish", "9090:9090"),
    ("publish-all", ""),
    ("restart", "always"),
    ("rm", ""),
];

/// Those that contradict each other or nothing else that is given.
const ALONE: [(&str, &str); 21] = [
    ("attach", "stdout"),
    ("cpu-count", "1"),
    ("cpu-percent", "50"),
    ("cpu-rt-period", "1000000"),
    ("cpu-rt-runtime", "950000"),
    ("cpus", "0.5"),
    ("gpus", "all"),
    ("help", ""),
    ("io-maxbandwidth", "1m"),
    ("io-maxiops", "10"),
    ("isolation", "default"),
    ("kernel-memory", "16m"),
    ("no-healthcheck", ""),
    ("oom-kill-disable", ""),
    ("pid", "host"),
    ("privileged", ""),
    ("storage-opt", "size=10G"),
    ("use-api-socket", ""),
    ("userns", "host"),
    ("uts", "host"),
    ("volume-driver", "local"),
];

const TOGETHER: [(&str, &str); 54] = [
    ("add-host", "db:10.0.0.1"),
    ("annotation", "org.example.a=b"),
    ("blkio-weight", "500"),
    ("cap-add", "NET_ADMIN"),
    ("cap-drop", "MKNOD"),
    ("cgroupns", "host"),
    ("cpu-period", "100000"),
    ("cpu-quota", "50000"),
    ("cpu-shares", "512"),
    ("cpuset-cpus", "0"),
    ("cpuset-mems", "0"),
    ("device", "/dev/null"),
    ("device-cgroup-rule", "c 1:3 rwm"),
    ("disable-content-trust", ""),
    ("dns", "127.0.0.53"),
    ("dns-option", "ndots:2"),
    ("dns-search", "example.com"),
    ("domainname", "example.com"),
    ("entrypoint", "//demo-app"),
    ("env", "A=b"),
    ("expose", "9090"),
    ("group-add", "12"),
    ("health-cmd", "/demo-app healthy"),
    ("health-interval", "10s"),
    ("health-retries", "5"),
    ("health-start-interval", "1s"),
    ("health-start-period", "5s"),
    ("health-timeout", "5s"),
    ("hostname", "box"),
    ("init", ""),
    ("interactive", ""),
    ("ipc", "shareable"),
    ("label", "tier=web"),
    ("mac-address", "92:d0:c6:0a:29:33"),
    ("memory", "64m"),
    ("memory-reservation", "32m"),
    ("memory-swappiness", "10"),
    ("mount", "type=tmpfs,destination=/mounted"),
    ("oom-score-adj", "100"),
    ("pids-limit", "200"),
    ("platform", "linux/amd64"),
    ("pull", "never"),
    ("quiet", ""),
    ("read-only", ""),
    ("shm-size", "16m"),
    ("stop-signal", "SIGINT"),
    ("stop-timeout", "3"),
    ("sysctl", "net.core.somaxconn=1024"),
    ("tmpfs", "/scratch"),
    ("tty", ""),
    ("ulimit", "nofile=2048:4096"),
    ("user", "1000"),
    ("volume", "/data"),
    ("workdir", "/"),
];

fn given(option: &'static str, pairs: &[(&str, &str)]) -> Row {
    Row {
        option,
        words: pairs
            .iter()
            .map(|(name, value)| words(name, value))
            .collect(),
        expected: Expected::Promoted(0),
        goes_with_others: true,
    }
}

fn alone(row: Row) -> Row {
    Row {
        goes_with_others: false,
        ..row
    }
}

fn refused(option: &'static str, value: &str) -> Row {
    Row {
        option,
        words: vec![words(option, value)],
        expected: Expected::Refused,
        goes_with_others: false,
    }
}

/// Below the stage's own, which goes with the stage; systemd calls it a slice.
fn cgroup_parent() -> String {
    let driver = docker(["info", "-f", "{{.CgroupDriver}}"]);
    let driver = driver.or_else(|_| docker(["info", "-f", "{{.Host.CgroupManager}}"]));
    if driver.unwrap() == "systemd" {
        return "option.slice".to_owned();
    }
    let stage = std::env::var(STAGE).unwrap_or_default();
    let own = Path::new(&stage).file_name().unwrap_or("docker".as_ref());
    format!("/{}/option", own.display())
}
