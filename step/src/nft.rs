//! The kernel's packet rules of an app, through the `nft` program: one table per app.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::{Name, printable};

/// The right and the means to change packet rules.
#[derive(Clone, Debug)]
pub struct Nft {
    /// `nft`, or `sudo -n nft`.
    words: Vec<PathBuf>,
}

impl Nft {
    /// Finds `nft` and a way to use it: as this user, else by `sudo -n`.
    ///
    /// # Errors
    /// Why there is none, as a sentence.
    pub fn find() -> Result<Self, String> {
        // sbin is not on every user's path.
        let folders = std::env::var_os("PATH").unwrap_or_default();
        let folders = [folders, "/usr/sbin:/sbin".into()].join(":".as_ref());
        let nft = which::which_in("nft", Some(folders), "/")
            .map_err(|_| "nft is not installed".to_owned())?;
        let own = Self {
            words: vec![nft.clone()],
        };
        let Err(why) = own.run(&["list", "tables"], "") else {
            return Ok(own);
        };
        let sudo = which::which("sudo").map_err(|_| format!("this user may not use nft: {why}"))?;
        let by_sudo = Self {
            words: vec![sudo, "-n".into(), nft],
        };
        match by_sudo.run(&["list", "tables"], "") {
            Ok(_) => Ok(by_sudo),
            Err(_) => Err(format!(
                "this user may use nft neither itself nor by sudo -n: {why}"
            )),
        }
    }

    /// The name of a container's table.
    pub fn table(container: &Name) -> String {
        format!("deploy-steps-{container}")
    }

    /// Applies a script in one transaction.
    ///
    /// # Errors
    /// What nft said.
    pub fn apply(&self, script: &str) -> Result<(), String> {
        self.run(&["-f", "-"], script).map(drop)
    }

    /// The container's table as nft's JSON, or `None` where there is none.
    pub fn read(&self, container: &Name) -> Option<String> {
        self.run(
            &["-j", "list", "table", "inet", &Self::table(container)],
            "",
        )
        .ok()
    }

    /// Removes the container's tables; none is no error.
    ///
    /// # Errors
    /// What nft said.
    pub fn remove(&self, container: &Name) -> Result<(), String> {
        let table = Self::table(container);
        // Added first, so that deleting it cannot fail: both happen in one transaction.
        let gone = |family| format!("add table {family} {table}\ndelete table {family} {table}\n");
        let both = self.apply(&(gone("inet") + &gone("bridge")));
        // A kernel may be built without rules for bridges.
        both.or_else(|_| self.apply(&gone("inet")))
    }

    fn run(&self, args: &[&str], input: &str) -> Result<String, String> {
        let said = |error: io::Error| format!("nft could not be run: {error}");
        let [program, prefix @ ..] = &self.words[..] else {
            return Err("nft is not installed".to_owned());
        };
        let mut child = Command::new(program)
            .args(prefix)
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(said)?;
        if let Some(mut stdin) = child.stdin.take() {
            // What nft did not read it will complain about itself.
            let _ = stdin.write_all(input.as_bytes());
        }
        let output = child.wait_with_output().map_err(said)?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        Err(printable(&String::from_utf8_lossy(&output.stderr), 300))
    }
}
