//! The root folders of other Debian releases: each made once, kept, and shared by all stages.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};

use super::private::sealed;

const MIRROR: &str = "http://deb.debian.org/debian";
/// The script that debootstrap uses for every newer release, and for those it does not know yet.
const SCRIPT: &str = "/usr/share/debootstrap/scripts/sid";

/// Programs and settings are the other release's, read only; all other paths mean the same as outside,
/// so that any folder can be mounted into a container. So does the administrator's folder for programs, where the
/// engine looks for none of its own.
const ENTER: &str = r#"mount -o bind,ro "$0/etc" /etc && mount -t tmpfs tmpfs /etc/docker && \
    mount --rbind /usr/local/sbin /mnt && mount -o bind,ro "$0/usr" /usr && \
    mount --move /mnt /usr/local/sbin && PATH=/usr/sbin:/usr/bin exec "$@""#;

/// Where a root folder says what it was made of.
pub(super) const MADE_OF: &str = ".made-of";

/// Whether the root folder `home` is there, made by this recipe.
pub(super) fn is_made(recipe: &str, home: &Path) -> bool {
    fs::read_to_string(home.join(MADE_OF)).is_ok_and(|of| of == recipe)
}

/// Has the root folder `home` made by this recipe, in a new folder, unless it is there already.
pub(super) fn make(
    recipe: &str,
    home: &Path,
    by: impl FnOnce(&Path) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let all = home.parent().context("a root folder lies in no other")?;
    fs::create_dir_all(all)?;
    // Two stages at once: the second waits for the first. The kernel frees the lock of a killed one.
    let lock = File::create(home.with_added_extension("lock"))?;
    lock.lock()?;
    if is_made(recipe, home) {
        return Ok(());
    }
    remove(home)?;
    let half = home.with_added_extension("new");
    remove(&half)?;
    writeln!(io::stderr(), "making {} (once)", home.display())?;
    let made = by(&half)
        .and_then(|()| Ok(fs::write(half.join(MADE_OF), recipe)?))
        .and_then(|()| Ok(fs::rename(&half, home)?));
    if made.is_err() {
        remove(&half)?;
    }
    made
}

/// Writes a program to the folder `bin` that runs `program` of the root folder `home`.
pub(super) fn enter_for(program: &str, home: &Path, bin: &Path) -> anyhow::Result<()> {
    fs::create_dir(bin)?;
    let home = quoted(home);
    let does = format!("exec unshare --mount -- sh -c '{ENTER}' {home} /usr/sbin/{program} \"$@\"");
    self::program(&bin.join(program), &does)
}

/// Writes a program that does what this line of a shell says.
pub(super) fn program(path: &Path, does: &str) -> anyhow::Result<()> {
    fs::write(path, format!("#!/bin/sh\n{does}\n"))?;
    fs::set_permissions(path, Permissions::from_mode(0o755))?;
    Ok(())
}

/// As one word for a shell.
pub(super) fn quoted(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', r"'\''"))
}

/// Makes the root folder of an engine: programs and settings of a release with these packages.
pub(super) fn make_engine(release: &str, packages: &str, home: &Path) -> anyhow::Result<()> {
    make(packages, home, |root| {
        debootstrap(release, packages, root)?;
        // Places for an engine's key and settings, which it looks for in a folder that is read only.
        for place in ["etc/docker", "etc/containers"] {
            DirBuilder::new().recursive(true).create(root.join(place))?;
        }
        // Packages and their lists: only programs and settings are used.
        remove(&root.join("var"))
    })
}

/// Fills a new root folder with a release's smallest system and these packages.
pub(super) fn debootstrap(release: &str, packages: &str, root: &Path) -> anyhow::Result<()> {
    let status = sealed(&[])
        .args(["debootstrap", "--variant=minbase"])
        .args([&format!("--include={packages}"), release])
        .arg(root)
        .args([&mirror(), SCRIPT])
        .stdin(Stdio::null())
        // stdout belongs to the command that is going to run.
        .stdout(io::stderr().as_fd().try_clone_to_owned()?)
        .status()
        .context("`debootstrap` could not be started")?;
    ensure!(status.success(), "`debootstrap {release}` failed");
    Ok(())
}

/// The mirror that this machine's own packages come from, where that is one of Debian's.
fn mirror() -> String {
    let mut ask = Command::new("apt-get");
    ask.args(["indextargets", "--format", "$(REPO_URI)"]).args([
        "Created-By: Packages",
        "Origin: Debian",
        "Label: Debian",
    ]);
    let said = ask.output().map(|output| output.stdout).unwrap_or_default();
    let said = String::from_utf8_lossy(&said);
    let first = said.lines().next().unwrap_or(MIRROR);
    first.trim_end_matches('/').to_owned()
}

fn remove(folder: &Path) -> anyhow::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("{} could not be removed", folder.display()))
        }
        _ => Ok(()),
    }
}
