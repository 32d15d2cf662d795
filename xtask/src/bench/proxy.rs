//! Reverse proxies with the settings that one would give them for a single app.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::Context;
use rustix::process::{Pid, Signal, kill_process};
use stage::unpacked;

use super::lab::free_address;

/// A reverse proxy: its settings, with LISTEN, TARGET and DIR to be filled in, and how it is called.
pub(super) struct Kind {
    pub(super) program: &'static str,
    pub(super) title: &'static str,
    settings: &'static str,
    call: fn(&mut Command, &Path),
}

/// nginx with a worker for each processor.
pub(super) const NGINX: Kind = Kind {
    program: "nginx",
    title: "nginx in front of it",
    settings: include_str!("nginx.conf"),
    call: |command, file| {
        let folder = file.parent().unwrap_or(file);
        command
            .arg("-p")
            .arg(folder)
            .arg("-e")
            .arg(folder.join("errors"))
            .arg("-c")
            .arg(file);
    },
};

/// haproxy with a thread for each processor.
pub(super) const HAPROXY: Kind = Kind {
    program: "haproxy",
    title: "haproxy in front of it",
    settings: include_str!("haproxy.cfg"),
    call: |command, file| {
        command.arg("-db").arg("-f").arg(file);
    },
};

/// A running proxy; it ends when this is dropped.
pub(super) struct Proxy {
    child: Child,
    pub(super) address: SocketAddr,
    _folder: tempfile::TempDir,
}

impl Proxy {
    /// Starts it in front of `target`; none where this machine lacks it.
    pub(super) fn start(kind: &Kind, target: SocketAddr) -> anyhow::Result<Option<Self>> {
        let Some(mut command) = unpacked::command(kind.program) else {
            return Ok(None);
        };
        let folder = tempfile::tempdir()?;
        let address = free_address()?;
        let file = folder.path().join("settings");
        let settings = kind
            .settings
            .replace("LISTEN", &address.to_string())
            .replace("TARGET", &target.to_string())
            .replace("DIR", &folder.path().to_string_lossy());
        fs::write(&file, settings)?;
        (kind.call)(&mut command, &file);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let child = command
            .spawn()
            .with_context(|| format!("{} could not be started", kind.program))?;
        Ok(Some(Self {
            child,
            address,
            _folder: folder,
        }))
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // nginx ends its workers only when it is told.
        let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
        let _ = self.child.wait();
    }
}
