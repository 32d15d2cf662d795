//! The kernel's packet rules of an app, through the `nft` program: one table per app.

use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::Duration;

use serde_json::Value;
use thiserror::Error;

use super::capability::lent;
use super::process::{self, How, Limits, Lost};
use crate::model::name::Name;
use crate::text::printable;

/// Far longer than the kernel takes for a table.
pub const LONGEST: Duration = Duration::from_secs(10);
/// The kernel may be busy with somebody else's rules.
const PAUSE: Duration = Duration::from_millis(50);

/// Why packet rules could not be changed or seen.
#[derive(Debug, Error)]
pub enum NftError {
    /// In no folder of the path.
    #[error("nft is not installed")]
    NotInstalled,
    /// Neither itself nor by `sudo -n`.
    #[error(
        "this user may not use nft ({0}); `sudo deploy-steps-rights` lets the docker group do so"
    )]
    NotAllowed(Box<NftError>),
    /// What nft said.
    #[error("{0}")]
    Refused(String),
    /// Longer than this.
    #[error("nft took longer than {0:?}")]
    TooLong(Duration),
    /// By a signal to the step.
    #[error("nft was interrupted")]
    Interrupted,
    /// As the kernel says.
    #[error("nft could not be run: {0}")]
    NotRun(std::io::Error),
}

/// The right and the means to change packet rules.
#[derive(Clone, Debug)]
pub struct Nft {
    program: PathBuf,
    limits: Limits,
    /// The tables that there were when it was found, as nft lists them.
    tables: String,
}

impl Nft {
    /// Finds `nft`, where this process may use it.
    ///
    /// # Errors
    /// Why it cannot be used.
    pub fn find(limits: Limits) -> Result<Self, NftError> {
        let limits = Limits {
            timeout: limits.timeout.min(LONGEST),
            ..limits
        };
        // sbin is not on every user's path.
        let folders = std::env::var_os("PATH").unwrap_or_default();
        let folders = [folders, "/usr/sbin:/sbin".into()].join(":".as_ref());
        let program =
            which::which_in("nft", Some(folders), "/").map_err(|_| NftError::NotInstalled)?;
        let found = Self {
            program,
            limits,
            tables: String::new(),
        };
        match found.run(&["list", "tables"]) {
            Ok(tables) => Ok(Self { tables, ..found }),
            Err(why) => Err(NftError::NotAllowed(Box::new(why))),
        }
    }

    /// The name of a container's table.
    pub fn table(container: &Name) -> String {
        format!("deploy-steps-{container}")
    }

    /// Finds `nft` where the container may have rules, as a promotion that was killed leaves them.
    pub fn with_rules_of(container: &Name, limits: Limits) -> Option<Self> {
        Self::find(limits)
            .ok()
            .filter(|nft| nft.may_have(container))
    }

    /// Whether the container may have a table: it was listed when `nft` was found, or that list was cut short.
    pub fn may_have(&self, container: &Name) -> bool {
        let table = Self::table(container);
        let whole = self.tables.is_empty() || self.tables.ends_with('\n');
        !whole || self.tables.split_whitespace().any(|word| word == table)
    }

    /// Applies a script in one transaction.
    ///
    /// # Errors
    /// What nft said.
    pub fn apply(&self, script: &str) -> Result<(), NftError> {
        self.run(&[script]).map(drop)
    }

    /// The container's table as nft's JSON, or `None` where there is none.
    pub fn read(&self, container: &Name) -> Option<Value> {
        let table = Self::table(container);
        let ask = || {
            let said = self.run(&["-j", "list", "table", "inet", &table]).ok()?;
            Some(serde_json::from_str(&said))
        };
        // An answer may be cut short; one that says no has been asked for twice already.
        ask()?.or_else(|_| ask().unwrap_or(Ok(Value::Null))).ok()
    }

    /// Removes the container's tables; none is no error.
    ///
    /// # Errors
    /// What nft said.
    pub fn remove(&self, container: &Name) -> Result<(), NftError> {
        let table = Self::table(container);
        // Added first, so that deleting it cannot fail: both happen in one transaction.
        let gone = |family| format!("add table {family} {table}\ndelete table {family} {table}\n");
        let both = self.apply(&(gone("inet") + &gone("bridge")));
        // A kernel may be built without rules for bridges.
        both.or_else(|_| self.apply(&gone("inet")))
    }

    /// Once more where it fails: every script here does the same when it is applied again, and
    /// without the rules clients would be refused.
    fn run(&self, args: &[&str]) -> Result<String, NftError> {
        self.run_once(args).or_else(|_| {
            thread::sleep(PAUSE);
            self.run_once(args)
        })
    }

    fn run_once(&self, args: &[&str]) -> Result<String, NftError> {
        let mut command = Command::new(&self.program);
        command.args(args);
        let how = How::within(self.limits.timeout);
        // Scripts are arguments, so nothing reads its stdin.
        match lent(|| process::run(command, self.limits.stdin(), &how)) {
            Ok(ended) if ended.status.success() => Ok(ended.stdout),
            Ok(ended) => Err(NftError::Refused(printable(&ended.stderr, 300))),
            Err(Lost::Deadline) => Err(NftError::TooLong(self.limits.timeout)),
            Err(Lost::Interrupt) => Err(NftError::Interrupted),
            Err(Lost::NotRun(error)) => Err(NftError::NotRun(error)),
        }
    }
}
