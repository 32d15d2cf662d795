//! A second engine that keeps all it has in 48 MiB of memory: a disk that really fills up.

use std::fs::File;
use std::net::TcpListener;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use stage::docker::in_containerds_store;
use stage::fault::{Fault, Proxy};
use stage::ground::STAGE;
use stage::registry;

use crate::support::asks_docker;

/// Its mounts and its network are its own and end with it: an engine that shares a network with
/// another one takes its bridge away. It ends with the thread that started it. The system's
/// containerd, if there is one, would not see its mounts. Images are kept as the stage's engine does.
const IN_MEMORY: &str = r#"ip link set lo up && mount -t tmpfs -o size=48m tmpfs "$0/data" && \
    { [ ! -e /run/containerd ] || mount -t tmpfs tmpfs /run/containerd; } && \
    exec setpriv --pdeathsig KILL dockerd --config-file "$0/none.json" --data-root "$0/data" \
    --exec-root "$0/exec" --pidfile "$0/pid" --iptables=false -H "unix://$0/small.sock" \
    --exec-opt native.cgroupdriver=cgroupfs --cgroup-parent "$1" \
    --containerd-namespace small --containerd-plugins-namespace small-plugins $2"#;

pub(crate) struct SmallEngine {
    dockerd: Child,
    dir: tempfile::TempDir,
}

impl SmallEngine {
    pub(crate) fn start() -> Self {
        asks_docker();
        let dir = tempfile::Builder::new().prefix("small-").tempdir().unwrap();
        std::fs::create_dir(dir.path().join("data")).unwrap();
        std::fs::write(dir.path().join("none.json"), "{}").unwrap();
        let log = File::create(dir.path().join("log")).unwrap();
        let dockerd = Command::new("unshare")
            .args(["--mount", "--net", "sh", "-c", IN_MEMORY])
            .args([dir.path(), &cgroup()])
            .args(in_containerds_store().then_some("--feature=containerd-snapshotter=true"))
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

    pub(crate) fn address(&self) -> String {
        address(self.dir.path())
    }

    pub(crate) fn docker(&self, words: &[&str]) -> bool {
        self.output(words).status.success()
    }

    /// What the CLI answers, which must not fail.
    pub(crate) fn ask(&self, words: &[&str]) -> String {
        let output = self.output(words);
        assert!(output.status.success(), "{words:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn output(&self, words: &[&str]) -> Output {
        let mut docker = Command::new("docker");
        let docker = docker.args(["-H", &self.address()]).args(words);
        docker.output().unwrap()
    }

    /// The same command on this engine, where its containers' ports are.
    pub(crate) fn inside(&self, command: &Command) -> Command {
        let mut inside = Command::new("nsenter");
        inside.arg(format!("--net=/proc/{}/ns/net", self.dockerd.id()));
        inside.arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => inside.env(name, value),
                None => inside.env_remove(name),
            };
        }
        inside.env("DOCKER_HOST", self.address());
        inside
    }

    /// A script that fills up its disk to the last byte.
    pub(crate) fn filling(&self) -> String {
        format!("cat /dev/zero > {} || :", self.filler().display())
    }

    /// Takes away what filled up its disk.
    pub(crate) fn free(&self) {
        std::fs::remove_file(self.filler()).unwrap();
    }

    fn filler(&self) -> PathBuf {
        let root = PathBuf::from(format!("/proc/{}/root", self.dockerd.id()));
        let data = self.dir.path().join("data/filler");
        root.join(data.strip_prefix("/").unwrap())
    }

    /// The shared registry, on the loopback address of the engine's own network.
    pub(crate) fn registry(&self) -> Proxy {
        let network = File::open(format!("/proc/{}/ns/net", self.dockerd.id())).unwrap();
        let inside = thread::spawn(move || {
            let kind = Some(LinkNameSpaceType::Network);
            move_into_link_name_space(network.as_fd(), kind).unwrap();
            TcpListener::bind("127.0.0.1:0").unwrap()
        });
        let host = registry::shared().unwrap().host();
        Proxy::on(inside.join().unwrap(), host, Fault::None).unwrap()
    }
}

/// Its containers' cgroups go with the stage's, where there is one.
fn cgroup() -> PathBuf {
    let stage = std::env::var_os(STAGE).map(PathBuf::from);
    let name = stage.and_then(|dir| Some(dir.file_name()?.to_owned()));
    Path::new("/").join(name.unwrap_or_else(|| "docker".into()))
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
