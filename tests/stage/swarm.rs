//! A real swarm of three engines, each a machine of its own as far as namespaces go, with cables to one switch.
//!
//! All of it ends with its owner, however that one ends: the kernel then ends each machine with its first process.

mod front;
mod switch;

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use tempfile::TempDir;

use crate::docker::docker;
use crate::ground;
use crate::registry::Registry;

pub use front::{Front, RATE};
use switch::{Switch, must};

/// How many machines there are; the first one is the manager.
pub const NODES: usize = 3;

/// How long a machine, a program or a proxy may take until it is there.
const LIMIT: Duration = Duration::from_secs(60);

// Its input is a pipe from us: when that closes, because we say so or because we were killed, the machine ends.
const KEEPER: &str = r#""$@" & echo $!; read _; kill -9 $!; wait"#;

// The machine's own boot: /run is empty, as after any boot, and holds the engine's socket at its usual place;
// /usr/local/sbin is on its own disk.
const BOOT: &str = r#"set -e
dir=$1 number=$2 address=$3 registry=$4 group=$5
hostname "node$number"
mount -t tmpfs tmpfs /run
mkdir -m 1777 /run/lock
mkdir -p "$dir/sbin$number"
mount --bind "$dir/sbin$number" /usr/local/sbin
ip link set lo up
until ip link set eth0 up 2>/dev/null; do sleep 0.02; done
ip address add "${address}1$number/24" dev eth0
ip route add default via "${address}1"
mount --rbind /sys/fs/cgroup /mnt
mount -t sysfs sysfs /sys
mount --move /mnt /sys/fs/cgroup
echo '{}' >"$dir/daemon.json"
dockerd --config-file "$dir/daemon.json" --data-root "$dir/data$number" --insecure-registry "$registry" \
    --exec-opt native.cgroupdriver=cgroupfs --cgroup-parent "$group/node$number" \
    -H unix:///run/docker.sock -H "unix://$dir/node$number.sock" >>"$dir/log$number" 2>&1
exit 1"#;

/// Three machines, and a registry that all of them reach.
#[derive(Debug)]
pub struct Swarm {
    // In this order they end: the machines before what they use.
    nodes: Mutex<Vec<Option<Machine>>>,
    switch: Switch,
    registry: Registry,
    dir: TempDir,
}

#[derive(Debug)]
struct Machine {
    keeper: Child,
    /// Its first process, as it is called here.
    first: String,
}

impl Swarm {
    /// Starts the machines on the network `10.NETWORK.0.0/24` and joins them to a swarm.
    ///
    /// # Errors
    /// Without the rights of root, or when an engine does not start.
    pub fn start(network: u8) -> anyhow::Result<Swarm> {
        let swarm = Swarm::unjoined(network)?;
        swarm.init(0)?;
        for node in 1..NODES {
            swarm.join(node, 0)?;
        }
        Ok(swarm)
    }

    /// Starts the machines, in no swarm yet, on the network `10.NETWORK.0.0/24`.
    ///
    /// # Errors
    /// Without the rights of root, or when an engine does not start.
    pub fn unjoined(network: u8) -> anyhow::Result<Swarm> {
        let home = std::env::var_os(ground::STAGE).map_or_else(std::env::temp_dir, Into::into);
        let dir = tempfile::Builder::new().prefix("swarm-").tempdir_in(home)?;
        let swarm = Swarm {
            nodes: Mutex::new((0..NODES).map(|_| None).collect()),
            switch: Switch::new(network)?,
            registry: Registry::start_for_others()?,
            dir,
        };
        for node in 0..NODES {
            swarm.boot(node)?;
        }
        Ok(swarm)
    }

    /// Makes a machine a swarm's first.
    ///
    /// # Errors
    /// When its engine refuses.
    pub fn init(&self, node: usize) -> anyhow::Result<()> {
        let address = self.address(node);
        self.docker(node, &["swarm", "init", "--advertise-addr", &address])?;
        Ok(())
    }

    /// Has a machine join the swarm of this manager.
    ///
    /// # Errors
    /// When its engine refuses.
    pub fn join(&self, node: usize, manager: usize) -> anyhow::Result<()> {
        let token = self.docker(manager, &["swarm", "join-token", "-q", "worker"])?;
        let (own, there) = (
            self.address(node),
            format!("{}:2377", self.address(manager)),
        );
        let join = [
            "swarm",
            "join",
            "--token",
            &token,
            "--advertise-addr",
            &own,
            &there,
        ];
        self.docker(node, &join)?;
        Ok(())
    }

    /// A machine's address on the switch.
    pub fn address(&self, node: usize) -> String {
        format!("{}1{}", self.switch.addresses(), node + 1)
    }

    /// The words of `nsenter` that lead into a machine.
    ///
    /// # Errors
    /// When it is off.
    pub fn way_to(&self, node: usize) -> anyhow::Result<Vec<String>> {
        let nodes = self
            .nodes
            .lock()
            .map_err(|_| anyhow::anyhow!("a test panicked"))?;
        let machine = nodes[node].as_ref().context("the node is off")?;
        let words = ["--target", &machine.first, "--pid", "--mount", "--net"];
        Ok(words.map(str::to_owned).to_vec())
    }

    /// Boots a machine that is off, and waits for its engine.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn boot(&self, node: usize) -> anyhow::Result<()> {
        let dir = self.dir.path();
        let group = std::env::var_os(ground::STAGE).unwrap_or_else(|| dir.into());
        let group = std::path::Path::new(&group)
            .file_name()
            .context("no name")?;
        let number = (node + 1).to_string();
        let mut keeper = Command::new("sh");
        keeper.args(["-c", KEEPER, "sh"]);
        keeper.args([
            "unshare",
            "--fork",
            "--pid",
            "--mount",
            "--mount-proc",
            "--net",
            "--uts",
        ]);
        keeper.args(["--kill-child=SIGKILL", "--", "sh", "-c", BOOT, "sh"]);
        keeper
            .arg(dir)
            .args([&number, &self.switch.addresses(), &self.others_registry()]);
        keeper.arg(std::path::Path::new("/").join(group));
        keeper.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut keeper = keeper.spawn().context("`sh` could not be started")?;
        let stdout = keeper.stdout.take().context("the keeper has no output")?;
        let mut pid = String::new();
        BufReader::new(stdout).read_line(&mut pid)?;
        let first = first_of(pid.trim())?;
        self.switch.plug(&number, &first)?;
        let mut nodes = self
            .nodes
            .lock()
            .map_err(|_| anyhow::anyhow!("a test panicked"))?;
        nodes[node] = Some(Machine { keeper, first });
        drop(nodes);
        let end = Instant::now() + ground::patience(LIMIT);
        while self.docker(node, &["version"]).is_err() {
            if Instant::now() > end {
                let log = fs::read_to_string(dir.join(format!("log{number}"))).unwrap_or_default();
                bail!("the engine of node {number} does not answer: {log}");
            }
            thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    /// Boots what a test that failed has left without power, and waits until the manager knows all of them.
    ///
    /// # Errors
    /// When one does not come up.
    pub fn whole(&self) -> anyhow::Result<()> {
        let nodes = self
            .nodes
            .lock()
            .map_err(|_| anyhow::anyhow!("a test panicked"))?;
        let off: Vec<usize> = (0..NODES).filter(|&node| nodes[node].is_none()).collect();
        drop(nodes);
        for node in off {
            self.boot(node)?;
        }
        let end = Instant::now() + ground::patience(LIMIT);
        loop {
            let said = self.docker(0, &["node", "ls", "--format", "{{.Status}}"]);
            if said.is_ok_and(|all| all.lines().all(|status| status == "Ready")) {
                return Ok(());
            }
            ensure!(
                Instant::now() < end,
                "the nodes of the swarm are not ready within a minute"
            );
            thread::sleep(Duration::from_millis(200));
        }
    }

    /// Takes a machine's power away; its disk stays.
    pub fn cut(&self, node: usize) {
        if let Ok(mut nodes) = self.nodes.lock() {
            nodes[node] = None;
        }
    }

    /// Runs the engine's CLI on a node.
    ///
    /// # Errors
    /// As [`docker`].
    pub fn docker(&self, node: usize, args: &[&str]) -> anyhow::Result<String> {
        let host = self.host(node);
        docker(["-H", host.as_str()].iter().chain(args))
    }

    /// Runs a program on every node.
    ///
    /// # Errors
    /// When it fails on one of them.
    pub fn everywhere(&self, words: &[&str]) -> anyhow::Result<()> {
        let nodes = self
            .nodes
            .lock()
            .map_err(|_| anyhow::anyhow!("a test panicked"))?;
        for machine in nodes.iter().flatten() {
            let enter = ["--target", &machine.first, "--mount", "--"];
            must("nsenter", &[&enter[..], words].concat())?;
        }
        Ok(())
    }

    /// The address of a node's engine, as for `DOCKER_HOST`.
    pub fn host(&self, node: usize) -> String {
        format!("unix://{}/node{}.sock", self.dir.path().display(), node + 1)
    }

    /// The registry as this machine calls it.
    pub fn registry(&self) -> &str {
        self.registry.host()
    }

    /// The same registry as the nodes call it.
    pub fn others_registry(&self) -> String {
        self.registry()
            .replace("127.0.0.1", &format!("{}1", self.switch.addresses()))
    }

    /// The words of `nsenter` that lead into the network of a container of a node.
    ///
    /// # Errors
    /// When the node is off or has no such container.
    pub fn way_into(&self, node: usize, container: &str) -> anyhow::Result<Vec<String>> {
        let pid = self.docker(node, &["inspect", "--format", "{{.State.Pid}}", container])?;
        let nodes = self
            .nodes
            .lock()
            .map_err(|_| anyhow::anyhow!("a test panicked"))?;
        let machine = nodes[node].as_ref().context("the node is off")?;
        let words = [
            "--target",
            &machine.first,
            "--pid",
            "--mount",
            "--",
            "nsenter",
        ];
        let inner = ["--target", pid.as_str(), "--net"];
        Ok(words
            .iter()
            .chain(&inner)
            .map(|&word| word.to_owned())
            .collect())
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
    }
}

/// The first process of the namespace that this one has made.
fn first_of(unshare: &str) -> anyhow::Result<String> {
    let end = Instant::now() + ground::patience(LIMIT);
    loop {
        let children = fs::read_to_string(format!("/proc/{unshare}/task/{unshare}/children"));
        if let Some(first) = children.unwrap_or_default().split_whitespace().next() {
            return Ok(first.to_owned());
        }
        ensure!(
            Instant::now() < end,
            "a machine's first process did not start"
        );
        thread::sleep(Duration::from_millis(5));
    }
}
