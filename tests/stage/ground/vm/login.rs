//! The way into a machine: one login that stays, and commands over it, as each login would take a second or two.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

const OPTIONS: [&str; 7] = [
    "BatchMode=yes",
    "StrictHostKeyChecking=no",
    "UserKnownHostsFile=/dev/null",
    "LogLevel=ERROR",
    "ConnectTimeout=30",
    "ServerAliveInterval=20",
    "ServerAliveCountMax=6",
];

/// A login of root's.
#[derive(Debug)]
pub(super) struct Login {
    /// Where the machine's sshd answers here.
    pub(super) port: u16,
    pub(super) key: PathBuf,
    /// Where commands find the login that stays.
    pub(super) socket: PathBuf,
}

impl Login {
    /// Whether it is there, or could be made just now.
    pub(super) fn is_open(&self) -> bool {
        if quiet(&mut self.ssh(&["-O", "check"])) {
            return true;
        }
        self.forget();
        quiet(&mut self.ssh(&["-M", "-N", "-f"]))
    }

    /// The machine has gone: the login ends by itself, a moment later.
    pub(super) fn forget(&self) {
        let _ = fs::remove_file(&self.socket);
    }

    /// The start of a command there.
    pub(super) fn command(&self) -> Command {
        self.ssh(&[])
    }

    fn ssh(&self, flags: &[&str]) -> Command {
        let mut ssh = Command::new("ssh");
        ssh.args(["-F", "/dev/null", "-i"]).arg(&self.key);
        for option in OPTIONS {
            ssh.args(["-o", option]);
        }
        ssh.arg("-S").arg(&self.socket).args(flags);
        ssh.args(["-p", &self.port.to_string(), "root@127.0.0.1"]);
        ssh
    }
}

fn quiet(command: &mut Command) -> bool {
    command.stdin(Stdio::null());
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}
