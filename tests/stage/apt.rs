//! apt-get, which waits for whoever works with packages just now: a fresh machine upgrades itself for minutes.
//!
//! apt's own `DPkg::Lock::Timeout` is for dpkg's two locks alone: an `update`, and the folder of what was fetched, have
//! others, at which apt-get gives up at once.

mod locks;

use std::io::{self, BufRead, BufReader, Write};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};

use locks::{Held, Locks};

/// Longer than the unattended upgrades of a fresh machine take.
const PATIENCE: Duration = Duration::from_secs(600);
const PAUSE: Duration = Duration::from_millis(300);
/// After so long it is said once more who is waited for.
const STILL: Duration = Duration::from_secs(60);

/// Runs apt-get. What it says goes to stderr: stdout belongs to the command that is going to run.
///
/// # Errors
/// When it fails, or others have been working with packages for ten minutes.
pub fn get(args: &[&str]) -> anyhow::Result<()> {
    let apt = Apt {
        config: None,
        patience: PATIENCE,
    };
    apt.get(args)
}

/// How apt is run.
#[derive(Debug, Clone)]
pub struct Apt {
    /// A file with settings that go before the machine's own.
    pub config: Option<PathBuf>,
    /// How long others may take.
    pub patience: Duration,
}

impl Apt {
    /// As [`fn@get`].
    ///
    /// # Errors
    /// When it fails, or others have been working with packages for too long.
    pub fn get(&self, args: &[&str]) -> anyhow::Result<()> {
        let end = Instant::now() + self.patience;
        let locks = Locks::of(self.command("apt-config"))?;
        loop {
            self.wait(&locks, end)?;
            if self.run(args)? {
                return Ok(());
            }
            // Somebody was quicker.
            ensure!(
                Instant::now() < end,
                "`apt-get {}` could not have all locks",
                args.join(" ")
            );
            thread::sleep(PAUSE);
        }
    }

    /// Waits until nobody has any of the locks.
    fn wait(&self, locks: &Locks, end: Instant) -> anyhow::Result<()> {
        let mut told: Option<(Held, Instant)> = None;
        while let Some(held) = locks.held() {
            let minutes = self.patience.as_secs().div_ceil(60);
            if Instant::now() > end {
                bail!("{held}, still after {minutes} minutes: run this again when that has ended");
            }
            let news = told
                .as_ref()
                .is_none_or(|(before, at)| *before != held || at.elapsed() > STILL);
            if news {
                let line = format!("apt-get waits, {minutes} minutes at most: {held}");
                let _ = writeln!(io::stderr(), "{line}");
                told = Some((held, Instant::now()));
            }
            thread::sleep(PAUSE);
        }
        Ok(())
    }

    /// Whether it could have all locks; an error when it failed for another reason.
    fn run(&self, args: &[&str]) -> anyhow::Result<bool> {
        let mut child = self
            .command("apt-get")
            .args(args)
            .env("DEBIAN_FRONTEND", "noninteractive")
            .stdin(Stdio::null())
            .stdout(io::stderr().as_fd().try_clone_to_owned()?)
            .stderr(Stdio::piped())
            .spawn()
            .context("`apt-get` could not be started")?;
        let mut locked = false;
        let said = child.stderr.take().map(BufReader::new);
        for line in said.into_iter().flat_map(|it| it.split(b'\n')) {
            let line = line?;
            locked |= String::from_utf8_lossy(&line).contains("Could not get lock");
            let _ = io::stderr().write_all(&[&line[..], b"\n"].concat());
        }
        let status = child.wait()?;
        ensure!(
            status.success() || locked,
            "`apt-get {}` failed",
            args.join(" ")
        );
        Ok(status.success())
    }

    /// One of apt's programs, with these settings.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        let config = self.config.iter().map(|path| ("APT_CONFIG", path));
        // What it says of locks is read.
        command.envs(config).env("LC_ALL", "C");
        command
    }
}
