//! Real registries on loopback, each on a free port; they end with their owner, however that one ends.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};
use std::{env, thread};

use anyhow::{Context, anyhow, bail};

use crate::ground;

/// The password of every registry that asks for one.
pub const PASSWORD: &str = "open-sesame";

// bcrypt at its lowest cost, as it is computed anew for every request.
const HASH: &str = "$2y$04$CisPAuuY8t4nBHDKkbbec.aHJsm1BcFEArpkh/EBUe7CabKcR15m6";

// Its input is a pipe from us: when that closes, because we say so or because we were killed, all goes.
const KEEPER: &str = r#"dir=$1; shift; "$@" & read _; kill -9 $!; wait; rm -rf "$dir""#;

/// A running registry; it ends, and its data with it, when this is dropped or this process dies.
#[derive(Debug)]
pub struct Registry {
    host: String,
    keeper: Child,
}

/// The registry that all tests of this process can share.
pub fn shared() -> anyhow::Result<&'static Registry> {
    static SHARED: OnceLock<Result<Registry, String>> = OnceLock::new();
    SHARED
        .get_or_init(|| Registry::start().map_err(|error| format!("{error:#}")))
        .as_ref()
        .map_err(|error| anyhow!("{error}"))
}

impl Registry {
    /// Starts an open registry and waits until it answers.
    pub fn start() -> anyhow::Result<Registry> {
        start(ground::registries(), None)
    }

    /// Starts an open registry that other machines reach, too; [`Registry::host`] is where this one does.
    pub fn start_for_others() -> anyhow::Result<Registry> {
        start("0.0.0.0", None)
    }

    /// Starts a registry that lets only `user` in, with [`PASSWORD`].
    pub fn start_with_password(user: &str) -> anyhow::Result<Registry> {
        start(ground::registries(), Some(user))
    }

    /// Its address and port, as image references begin: `127.0.0.1:PORT` on most stages.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Ends it; from then on its port refuses connections.
    pub fn stop(self) {}
}

impl Drop for Registry {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
    }
}

fn start(address: &str, user: Option<&str>) -> anyhow::Result<Registry> {
    for _ in 0..5 {
        if let Some(registry) = try_start(address, user)? {
            return Ok(registry);
        }
    }
    bail!("no free port for a registry in five tries: run fewer tests at once")
}

// Nothing when someone else was quicker to take the port.
fn try_start(address: &str, user: Option<&str>) -> anyhow::Result<Option<Registry>> {
    let home = env::var_os(ground::STAGE).map_or_else(env::temp_dir, Into::into);
    let dir = tempfile::Builder::new()
        .prefix("deploy-steps-registry-")
        .tempdir_in(home)?;
    let addr = TcpListener::bind((address, 0))?.local_addr()?;
    fs::write(
        dir.path().join("htpasswd"),
        format!("{}:{HASH}\n", user.unwrap_or_default()),
    )?;
    fs::write(
        dir.path().join("config.yml"),
        config(dir.path(), addr, user),
    )?;
    let log = File::create(dir.path().join("log"))?;
    let keeper = Command::new("sh")
        .args(["-c", KEEPER, "sh"])
        .arg(dir.path())
        .args(["docker-registry", "serve"])
        .arg(dir.path().join("config.yml"))
        .stdin(Stdio::piped())
        .stdout(log.try_clone()?)
        .stderr(log)
        // Ctrl-C at a terminal would end the keeper before it has tidied up.
        .process_group(0)
        .spawn()
        .context("the registry could not be started")?;
    let registry = Registry {
        host: addr.to_string().replace("0.0.0.0", "127.0.0.1"),
        keeper,
    };
    // From here on the keeper removes it.
    let dir = dir.keep();
    wait_until_up(&dir, addr).map(|up| up.then_some(registry))
}

fn config(dir: &Path, addr: SocketAddr, user: Option<&str>) -> String {
    let dir = dir.display();
    let auth = format!("auth: {{htpasswd: {{realm: deploy-steps, path: \"{dir}/htpasswd\"}}}}\n");
    format!(
        "version: 0.1\nlog: {{level: error}}\nhttp: {{addr: \"{addr}\"}}\n\
         storage: {{filesystem: {{rootdirectory: \"{dir}/data\"}}, delete: {{enabled: true}}}}\n{}",
        user.map_or("", |_| &auth)
    )
}

fn wait_until_up(dir: &Path, addr: SocketAddr) -> anyhow::Result<bool> {
    let end = Instant::now() + Duration::from_secs(20);
    loop {
        let answers = answers(addr);
        let log = fs::read_to_string(dir.join("log"))?;
        if log.contains("address already in use") {
            return Ok(false);
        }
        if answers {
            return Ok(true);
        }
        if Instant::now() > end || log.contains("not found") {
            bail!("the registry does not answer, is `docker-registry` installed? it said: {log}");
        }
        thread::sleep(Duration::from_millis(20));
    }
}

fn answers(addr: SocketAddr) -> bool {
    let ask = || -> std::io::Result<Vec<u8>> {
        let mut stream = TcpStream::connect_timeout(&addr, Duration::from_secs(1))?;
        stream.set_read_timeout(Some(Duration::from_secs(1)))?;
        stream.write_all(b"GET /v2/ HTTP/1.0\r\n\r\n")?;
        let mut start = vec![0; 12];
        stream.read_exact(&mut start)?;
        Ok(start)
    };
    // One that asks for a password is up, too.
    ask().is_ok_and(|start| start.ends_with(b" 200") || start.ends_with(b" 401"))
}
