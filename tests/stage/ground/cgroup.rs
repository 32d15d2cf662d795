//! Which version of cgroups a private stage shows its engine.
//!
//! Users' machines have version 2, so the stage has it wherever the kernel can. A kernel that boots with version 1 keeps
//! its controllers there: version 2 then has none, and so no limits. Version 1 is the variant for what needs limits.

use std::fmt;
use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::process::Command;
use std::str::FromStr;

use anyhow::{Context, bail};

/// Where the engine looks for them.
pub(super) const CGROUPS: &str = "/sys/fs/cgroup";
/// This file exists at the root of version 2 only.
const ONLY_IN_2: &str = "cgroup.controllers";

/// All hierarchies of version 1 that the kernel has; it fails where there is none.
const MOUNT_1: &str = r#"mount -t tmpfs tmpfs "$0"
while read -r name hierarchy _; do
    case $name$hierarchy in '#'* | *[!0-9]0) continue ;; esac
    mkdir "$0/$name" && mount -t cgroup -o "$name" cgroup "$0/$name"
done </proc/cgroups
[ -e "$0/memory/cgroup.procs" ]"#;

/// The version of cgroups on a private stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cgroup {
    /// One hierarchy for each controller, as on Debian 10 and Ubuntu 20.04.
    V1,
    /// One hierarchy for all, as on every Debian since 11 and every Ubuntu since 22.04.
    V2,
}

impl Cgroup {
    /// The version that this process sees.
    pub fn here() -> Self {
        match Path::new(CGROUPS).join(ONLY_IN_2).exists() {
            true => Self::V2,
            false => Self::V1,
        }
    }

    /// Whether the kernel limits the memory of a cgroup of the version that this process sees.
    pub fn limits_memory() -> bool {
        let root = Path::new(CGROUPS);
        match Self::here() {
            Self::V1 => root.join("memory").exists(),
            Self::V2 => fs::read_to_string(root.join(ONLY_IN_2))
                .is_ok_and(|names| names.split_whitespace().any(|name| name == "memory")),
        }
    }

    /// Shows this mount namespace `wanted`, else version 2 wherever the kernel can.
    ///
    /// # Errors
    /// Where the kernel cannot show the wanted one, in a sentence.
    pub(super) fn mount(wanted: Option<Self>) -> anyhow::Result<()> {
        match (Self::here(), wanted) {
            (Self::V2, Some(Self::V1)) if !mounts("sh", &["-c", MOUNT_1, CGROUPS])? => {
                bail!("this machine has no cgroups of version 1: leave out --cgroup v1")
            }
            (Self::V1, Some(Self::V1)) | (Self::V2, _) => Ok(()),
            (Self::V1, _) if mounts("mount", &["-t", "cgroup2", "none", CGROUPS])? => Ok(()),
            (Self::V1, Some(Self::V2)) => {
                bail!("this kernel shows no cgroups of version 2: leave out --cgroup v2")
            }
            (Self::V1, None) => {
                writeln!(
                    io::stderr(),
                    "this kernel shows no cgroups of version 2: the stage has version 1"
                )?;
                Ok(())
            }
        }
    }
}

fn mounts(program: &str, args: &[&str]) -> anyhow::Result<bool> {
    let status = Command::new(program).args(args).status();
    let status = status.with_context(|| format!("`{program}` could not be started"))?;
    Ok(status.success())
}

impl fmt::Display for Cgroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V1 => "v1",
            Self::V2 => "v2",
        })
    }
}

impl FromStr for Cgroup {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        match word {
            "v1" => Ok(Self::V1),
            "v2" => Ok(Self::V2),
            _ => Err("cgroups have the versions v1 and v2".to_owned()),
        }
    }
}
