//! A disk that really is full: a second engine that keeps its images in 48 MiB of memory.

use std::fs::File;
use std::net::TcpListener;
use std::os::fd::AsFd;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use tests::docker::Scope;
use tests::fault::{Fault, Proxy};
use tests::image::Image;
use tests::registry;
use tests::steps;

use super::{name, push};
use crate::runs::finish;
use crate::support::{failed, ok};

/// Its mounts and its network are its own and end with it: an engine that shares a network with
/// another one takes its bridge away. It ends with the thread that started it.
const IN_MEMORY: &str = r#"ip link set lo up && mount -t tmpfs -o size=48m tmpfs "$0/data" && \
    exec setpriv --pdeathsig KILL dockerd --config-file "$0/none.json" --data-root "$0/data" \
    --exec-root "$0/exec" --pidfile "$0/pid" --bridge none --iptables=false -H "unix://$0/small.sock" \
    --containerd-namespace small --containerd-plugins-namespace small-plugins"#;

struct SmallEngine {
    dockerd: Child,
    dir: tempfile::TempDir,
}

impl SmallEngine {
    fn start() -> Self {
        let dir = tempfile::Builder::new().prefix("small-").tempdir().unwrap();
        std::fs::create_dir(dir.path().join("data")).unwrap();
        std::fs::write(dir.path().join("none.json"), "{}").unwrap();
        let log = File::create(dir.path().join("log")).unwrap();
        let dockerd = Command::new("unshare")
            .args(["--mount", "--net", "sh", "-c", IN_MEMORY])
            .arg(dir.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut engine = Self { dockerd, dir };
        engine.wait();
        engine
    }

    fn wait(&mut self) {
        let end = Instant::now() + Duration::from_secs(60);
        while !self.docker(&["version"]) {
            let ended = self.dockerd.try_wait().unwrap();
            let log = std::fs::read_to_string(self.dir.path().join("log")).unwrap();
            assert!(ended.is_none() && Instant::now() < end, "as root? {log}");
            thread::sleep(Duration::from_millis(50));
        }
    }

    fn address(&self) -> String {
        address(self.dir.path())
    }

    fn docker(&self, words: &[&str]) -> bool {
        let mut docker = Command::new("docker");
        let docker = docker.args(["-H", &self.address()]).args(words);
        docker.output().unwrap().status.success()
    }

    /// The shared registry, on the loopback address of the engine's own network.
    fn registry(&self) -> Proxy {
        let network = File::open(format!("/proc/{}/ns/net", self.dockerd.id())).unwrap();
        let inside = thread::spawn(move || {
            let kind = Some(LinkNameSpaceType::Network);
            move_into_link_name_space(network.as_fd(), kind).unwrap();
            TcpListener::bind("127.0.0.1:0").unwrap()
        });
        let host = registry::shared().unwrap().host();
        Proxy::on(inside.join().unwrap(), host, Fault::None).unwrap()
    }

    fn pull(&self, words: &[&str]) -> steps::Run {
        let mut command = steps::step("pull-image").unwrap();
        command.args(words).env("DOCKER_HOST", self.address());
        finish(command)
    }
}

fn address(dir: &Path) -> String {
    format!("unix://{}/small.sock", dir.display())
}

impl Drop for SmallEngine {
    fn drop(&mut self) {
        let _ = kill_process(Pid::from_child(&self.dockerd), Signal::TERM);
        let _ = self.dockerd.wait();
    }
}

#[test]
fn a_disk_that_fills_up_during_the_pull_is_14_and_leaves_no_image() {
    let scope = Scope::new("full");
    let large = push(
        &Image::of(scope.app()).padding_mb(64),
        &name(&scope, "large"),
    );
    let small = push(&Image::of(scope.app()), &name(&scope, "small"));
    let engine = SmallEngine::start();
    let registry = engine.registry();
    let name = |tag| format!("{}/{}:{tag}", registry.host(), scope.app());

    let run = engine.pull(&[&name("large"), "--min-free", "0"]);
    let report = failed(&run, 14, "disk_full");
    assert_eq!(report["image"], name("large"));
    assert!(!run.stderr.contains("trying again"), "{run:?}");
    assert!(!engine.docker(&["image", "inspect", &name("large")]));

    let report = ok(&engine.pull(&[&name("small"), "--min-free", "0"]));
    assert_eq!(report["image_id"], small.id.as_str());
    assert_ne!(report["image_id"], large.id.as_str());
}
