//! The emulator: its disks, its network, and the way in.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, ensure};

use super::disk::Disk;
use super::found;
use super::login::Login;

/// Without protection from programs that guess: nobody else's run there, and it costs much when it is emulated.
/// Services have as much time as the machine is slower.
const APPEND: &str = "root=/dev/vda rw console=ttyS0 net.ifnames=0 mitigations=off \
    systemd.default_timeout_start_sec=900";

/// An emulator that runs, or has been killed.
#[derive(Debug)]
pub(super) struct Qemu {
    child: Child,
    words: Vec<String>,
    login: Login,
    app: u16,
    console: PathBuf,
}

impl Qemu {
    /// Starts it with a new disk upon the machine's, and with the disk `built` of the folder `dir`.
    pub(super) fn start(disk: &Disk, dir: &Path) -> anyhow::Result<Qemu> {
        let own = dir.join("own");
        let mut create = Command::new(found("qemu-img")?);
        create.args(["create", "-q", "-f", "qcow2", "-F", "raw", "-b"]);
        let made = create.args([&disk.file("disk"), &own]).status()?;
        ensure!(made.success(), "the VM's own disk could not be made");
        let (ssh, app) = (free()?, free()?);
        let words = words(disk, dir, [ssh, app])?;
        let login = Login {
            port: ssh,
            key: disk.file("key"),
            socket: dir.join("login"),
        };
        Ok(Qemu {
            child: spawn(&words, dir)?,
            words,
            login,
            app,
            console: dir.join("console"),
        })
    }

    /// Starts it again, with the disks as they are.
    pub(super) fn again(&mut self, dir: &Path) -> anyhow::Result<()> {
        self.child = spawn(&self.words, dir)?;
        Ok(())
    }

    /// Kills it, which is a power cut for the machine.
    pub(super) fn kill(&mut self) -> anyhow::Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        self.login.forget();
        Ok(())
    }

    /// Where the machine's port 8080 answers here.
    pub(super) fn app(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.app))
    }

    /// The way in.
    pub(super) fn login(&self) -> &Login {
        &self.login
    }

    /// The end of what its kernel and its init said.
    pub(super) fn console(&self) -> String {
        let said = fs::read(&self.console).unwrap_or_default();
        let said = String::from_utf8_lossy(&said);
        let lines: Vec<&str> = said.lines().collect();
        lines[lines.len().saturating_sub(30)..].join("\n")
    }
}

impl Drop for Qemu {
    fn drop(&mut self) {
        let _ = self.kill();
    }
}

fn words(disk: &Disk, dir: &Path, [ssh, app]: [u16; 2]) -> anyhow::Result<Vec<String>> {
    let file = |path: PathBuf| path.to_string_lossy().into_owned();
    let drive = |name: &str, more: &str| {
        let path = dir.join(name);
        format!("file={},if=virtio,{more}", path.display())
    };
    let forward = |port: u16, to: u16| format!("hostfwd=tcp:127.0.0.1:{port}-:{to}");
    let (ssh, app) = (forward(ssh, 22), forward(app, 8080));
    let words = [
        ("-accel", "tcg,thread=multi".to_owned()),
        ("-cpu", "max".to_owned()),
        ("-smp", "2".to_owned()),
        ("-m", "3G".to_owned()),
        ("-display", "none".to_owned()),
        ("-monitor", "none".to_owned()),
        ("-serial", format!("file:{}", file(dir.join("console")))),
        ("-drive", drive("own", "format=qcow2")),
        ("-drive", drive("built", "format=raw,readonly=on")),
        ("-netdev", format!("user,id=net,restrict=on,{ssh},{app}")),
        ("-device", "virtio-net-pci,netdev=net".to_owned()),
        ("-device", "virtio-rng-pci".to_owned()),
        ("-kernel", file(disk.file("kernel"))),
        ("-initrd", file(disk.file("initrd"))),
        ("-append", APPEND.to_owned()),
    ];
    let own = ["setpriv", "--pdeathsig", "KILL", "nice", "-n", "5"];
    let qemu = found("qemu-system-x86_64")?;
    let words = words
        .into_iter()
        .flat_map(|(flag, value)| [flag.into(), value]);
    Ok(own
        .map(str::to_owned)
        .into_iter()
        .chain([file(qemu)])
        .chain(words)
        .collect())
}

fn spawn(words: &[String], dir: &Path) -> anyhow::Result<Child> {
    let log = File::create(dir.join("log"))?;
    Command::new(&words[0])
        .args(&words[1..])
        .args(["-nodefaults", "-no-user-config"])
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .spawn()
        .context("qemu could not be started")
}

/// A port of this machine that nobody has.
fn free() -> anyhow::Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok(listener.local_addr()?.port())
}
