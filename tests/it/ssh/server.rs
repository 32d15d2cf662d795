//! A real sshd on the VM, and the CI's client with its key and the server's pinned host key.

use std::fs;
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command};

use stage::ground;
use stage::process::scrub;
use stage::steps::{Run, run};

use crate::support::{eventually, free_port};
use crate::vm::Vm;

/// Everything is allowed here, so that only the key's line stands in the way.
const CONFIG: &str = "ListenAddress 127.0.0.1
HostKey /etc/ssh/host_key
AuthorizedKeysFile /etc/ssh/authorized_keys
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
AllowAgentForwarding yes
AllowTcpForwarding yes
PermitTunnel yes
X11Forwarding yes
AcceptEnv *
Subsystem sftp internal-sftp
LogLevel DEBUG1
";

/// A running sshd; it ends when this is dropped.
pub(crate) struct Server {
    port: u16,
    sshd: Child,
    client: tempfile::TempDir,
    log: std::path::PathBuf,
    pub(crate) user: &'static str,
}

impl Server {
    /// Starts one for the account of the CI, by the line in the README.
    pub(crate) fn on(vm: &Vm) -> Server {
        Server::with_line(vm, "deploy", &vm.shown("authorized_keys"))
    }

    /// Starts one for this account, by this line.
    pub(crate) fn with_line(vm: &Vm, user: &'static str, line: &str) -> Server {
        let (client, port) = (tempfile::tempdir().unwrap(), free_port());
        fs::create_dir(client.path().join("work")).unwrap();
        let log = client.path().join("sshd.log");
        let public = keygen(&client.path().join("key"));
        vm.write("ssh/sshd_config", 0o644, &format!("Port {port}\n{CONFIG}"));
        let host_key = vm.etc("ssh/host_key");
        let _ = fs::remove_file(&host_key);
        let known = format!("[127.0.0.1]:{port} {}", keygen(&host_key));
        fs::write(client.path().join("known_hosts"), known).unwrap();
        let line = line.replace("ssh-ed25519 AAAA… ci", public.trim());
        vm.write("ssh/authorized_keys", 0o644, &line);
        let sshd = ground::find("sshd").expect("sshd is missing: cargo xtask test --install");
        let argv = [sshd.to_str().unwrap(), "-D", "-E", log.to_str().unwrap()];
        let server = Server {
            port,
            sshd: vm.command(&argv).spawn().unwrap(),
            client,
            log,
            user,
        };
        let up = || TcpStream::connect(("127.0.0.1", port)).is_ok();
        eventually("sshd answers", up);
        server
    }

    /// The CI's client, with more options, asking for `request`; none at all where it is empty.
    pub(crate) fn ask(&self, options: &[&str], request: &str) -> Command {
        let client = self.client.path().display();
        let mut ssh = Command::new("ssh");
        scrub(&mut ssh)
            .args(["-F", "/dev/null", "-p", &self.port.to_string()])
            .arg("-i")
            .arg(self.client.path().join("key"))
            .args(["-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes"])
            .args(["-o", "GlobalKnownHostsFile=/dev/null"])
            .arg(format!("-oUserKnownHostsFile={client}/known_hosts"))
            .args(options)
            .arg("--")
            .arg(format!("{}@127.0.0.1", self.user));
        if !request.is_empty() {
            ssh.arg(request);
        }
        ssh
    }

    /// The inputs of the deploy action that say where this server is and who comes, by their names.
    pub(crate) fn inputs(&self) -> Vec<(&'static str, String)> {
        let file = |name| fs::read_to_string(self.client.path().join(name)).unwrap();
        vec![
            ("host", "127.0.0.1".to_owned()),
            ("port", self.port.to_string()),
            ("user", self.user.to_owned()),
            ("known-hosts", file("known_hosts")),
            ("ssh-key", file("key")),
        ]
    }

    /// Runs it to its end.
    pub(crate) fn run(&self, request: &str) -> Run {
        run(self.ask(&[], request), None).unwrap()
    }

    /// The folder of the client.
    pub(crate) fn client(&self) -> &Path {
        self.client.path()
    }

    /// What sshd has logged.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.sshd.kill();
        let _ = self.sshd.wait();
    }
}

/// Makes a key and returns its public half.
pub(crate) fn keygen(path: &Path) -> String {
    let mut keygen = Command::new("ssh-keygen");
    keygen
        .args(["-q", "-t", "ed25519", "-N", "", "-f"])
        .arg(path);
    let made = run(keygen, None).unwrap();
    assert_eq!(made.code, 0, "{made:?}");
    fs::read_to_string(path.with_extension("pub")).unwrap()
}
