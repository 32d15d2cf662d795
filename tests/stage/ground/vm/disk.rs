//! The disks of a VM: the machine's own, made once, and one with what was built here, made for each run.

use std::fs;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};

use crate::cargo;
use crate::ground::private::sealed;
use crate::ground::root;

/// What a machine in namespaces takes from the kernel that it runs on.
const PACKAGES: &str = "linux-image-cloud-amd64 initramfs-tools apparmor";

const INSTALL: &str = include_str!("install.sh");

const SIZE: &str = "8G";

/// Says what cargo says where all is built already.
const CARGO: &str = "#!/bin/sh\ncase $* in *-vV) echo 'host: HOST' ;; esac\n";

/// A disk with a machine's root folder and a kernel, and the key that opens it.
#[derive(Debug)]
pub(super) struct Disk {
    machine: PathBuf,
    home: PathBuf,
}

impl Disk {
    /// That of the machine with this root folder.
    pub(super) fn of(machine: PathBuf) -> Disk {
        let home = machine.with_added_extension("vm");
        Disk { machine, home }
    }

    /// A file of it: `disk`, `kernel`, `initrd` or `key`.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.home.join(name)
    }

    /// Makes it, unless it is there already.
    pub(super) fn make(&self) -> anyhow::Result<()> {
        let of = fs::read_to_string(self.machine.join(root::MADE_OF))?;
        let recipe = format!("{of}\n{PACKAGES}\n{SIZE}\n{INSTALL}");
        root::make(&recipe, &self.home, |half| self.fill(half))
            .context("the disk of a VM could not be made")
    }

    fn fill(&self, half: &Path) -> anyhow::Result<()> {
        let (root, key) = (half.join("root"), half.join("key"));
        fs::create_dir(half)?;
        done(Command::new("cp").arg("-a").args([&self.machine, &root]))?;
        let mut keygen = Command::new("ssh-keygen");
        done(
            keygen
                .args(["-q", "-t", "ed25519", "-N", "", "-f"])
                .arg(&key),
        )?;
        let mut install = sealed(&[]);
        install.args(["sh", "-c", INSTALL, "sh"]).arg(&root);
        install.arg(key.with_added_extension("pub"));
        done(install.args(PACKAGES.split(' ')))?;
        for (name, link) in [("kernel", "vmlinuz"), ("initrd", "initrd.img")] {
            fs::copy(root.join(link), half.join(name)).context("it has no kernel")?;
        }
        image(&root, &half.join("disk"), SIZE)?;
        Ok(fs::remove_dir_all(root)?)
    }
}

/// Makes a disk with what the tests run: programs, the sources that they read, and a cargo that has nothing to build.
/// All of it has the same path below the disk's root as here.
pub(super) fn built(dir: &Path, disk: &Path) -> anyhow::Result<()> {
    let mut files = sources()?;
    let steps = cargo::steps()?;
    files.extend(cargo::STEPS.map(|step| steps.join(step)));
    files.extend(["xtask", "faulty-docker"].map(|name| steps.join(name)));
    let own = cargo::static_steps()?;
    files.extend(["probe-health", "prune-app"].map(|name| own.join(name)));
    files.push(cargo::demo_app()?.to_owned());
    files.push(std::env::current_exe()?);
    // By this the target folder is found, unless it is where it always is.
    let tag = cargo::target_dir()?.join("CACHEDIR.TAG");
    files.extend(Some(tag).filter(|it| it.is_file()));
    for file in files {
        let copy = below(dir, &file);
        fs::create_dir_all(copy.parent().context("a file lies in no folder")?)?;
        fs::copy(&file, &copy).with_context(|| format!("no copy of {}", file.display()))?;
    }
    let cargo = dir.join("cargo");
    fs::write(&cargo, CARGO.replace("HOST", &cargo::host_triple()?))?;
    fs::set_permissions(&cargo, fs::Permissions::from_mode(0o755))?;
    image(dir, disk, "2G")?;
    Ok(fs::remove_dir_all(dir)?)
}

/// The same path in another root folder.
pub(super) fn below(root: &Path, path: &Path) -> PathBuf {
    root.join(path.strip_prefix("/").unwrap_or(path))
}

/// The files of this workspace that git knows.
fn sources() -> anyhow::Result<Vec<PathBuf>> {
    let mut git = Command::new("git");
    git.args(["ls-files", "-z"]).current_dir(cargo::workspace());
    let said = git.output().context("`git` could not be started")?;
    ensure!(said.status.success(), "git does not know this workspace");
    let names = String::from_utf8(said.stdout)?;
    let names = names.split_terminator('\0');
    let files = names.map(|name| cargo::workspace().join(name));
    Ok(files.filter(|it| it.is_file()).collect())
}

fn image(folder: &Path, disk: &Path, size: &str) -> anyhow::Result<()> {
    let mut mkfs = Command::new("mkfs.ext4");
    done(mkfs.arg("-q").arg("-d").args([folder, disk]).arg(size))
}

fn done(command: &mut Command) -> anyhow::Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let said = io::stderr().as_fd().try_clone_to_owned()?;
    let status = command.stdin(Stdio::null()).stdout(said).status();
    let status = status.with_context(|| format!("`{name}` could not be started"))?;
    ensure!(status.success(), "`{name}` failed ({status})");
    Ok(())
}
