//! A real apt with folders and a repository of its own, and another one that is held up in the middle of its work.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::Duration;

use stage::apt::Apt;
use stage::ground;
use tempfile::TempDir;

use crate::support::eventually;

/// Longer than a machine that is busy takes.
pub(crate) const AT_MOST: Duration = Duration::from_secs(100);
/// What the repository has: the second one brings the program of its name.
const PACKAGES: [&str; 2] = ["first", "docker-registry"];
const FOLDERS: [&str; 8] = [
    "etc/apt/apt.conf.d",
    "etc/apt/preferences.d",
    "var/lib/dpkg/info",
    "var/lib/dpkg/updates",
    "var/lib/apt/lists/partial",
    "var/cache/apt/archives/partial",
    "var/log/apt",
    "repo",
];

pub(crate) struct Machine {
    root: TempDir,
}

impl Machine {
    /// No package is installed, nor are the repository's lists fetched.
    pub(crate) fn new() -> Machine {
        let root = tempfile::tempdir().unwrap();
        let machine = Machine { root };
        for folder in FOLDERS {
            fs::create_dir_all(machine.path(folder)).unwrap();
        }
        let root = machine.root.path().display();
        let source = format!("deb [trusted=yes] file:{root}/repo ./\n");
        let conf = format!(
            "Dir \"{root}\"; APT::Sandbox::User \"\";\n\
             DPkg::Options {{ \"--root={root}\"; \"--force-not-root\"; }}\n"
        );
        let lists = PACKAGES.map(|name| machine.package(name)).join("\n");
        for (path, text) in [
            ("var/lib/dpkg/status", String::new()),
            ("etc/apt/sources.list", source),
            ("apt.conf", conf),
            ("repo/Packages", lists),
        ] {
            fs::write(machine.path(path), text).unwrap();
        }
        machine
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.root.path().join(path)
    }

    /// Makes a package for the repository, and its entry there.
    fn package(&self, name: &str) -> String {
        let folder = self.path(&format!("made/{name}"));
        fs::create_dir_all(folder.join("DEBIAN")).unwrap();
        let control = format!(
            "Package: {name}\nVersion: 1\nArchitecture: all\nMaintainer: none <root@localhost>\nDescription: {name}\n"
        );
        fs::write(folder.join("DEBIAN/control"), &control).unwrap();
        if let Some(program) = ground::find(name) {
            fs::create_dir_all(folder.join("usr/bin")).unwrap();
            symlink(program, folder.join("usr/bin").join(name)).unwrap();
        }
        let file = self.path(&format!("repo/{name}.deb"));
        let mut build = Command::new("dpkg-deb");
        said(build.arg("--build").args([&folder, &file]));
        let sum = said(Command::new("sha256sum").arg(&file));
        let sum = sum.split(' ').next().unwrap();
        let size = fs::metadata(&file).unwrap().len();
        format!("{control}Filename: ./{name}.deb\nSize: {size}\nSHA256: {sum}\n")
    }

    pub(crate) fn apt(&self, patience: Duration) -> Apt {
        let config = Some(self.path("apt.conf"));
        Apt { config, patience }
    }

    /// Somebody else's apt-get, held up where it runs what `hook` says, with its locks.
    pub(crate) fn busy(&self, hook: &str, args: &[&str]) -> Busy {
        let [there, go] = ["there", "go"].map(|name| self.path(name));
        let root = self.root.path().display();
        let script = format!(
            "{hook}::=touch {root}/there; while [ -d {root} ] && ! [ -e {root}/go ]; do sleep 0.05; done"
        );
        let mut command = self.apt(AT_MOST).command("apt-get");
        let child = command.args(["-qq", "-o", &script]).args(args);
        let child = child.spawn().unwrap();
        eventually("the other apt-get is at work", || there.exists());
        Busy { child, go }
    }

    pub(crate) fn has(&self, package: &str) -> bool {
        let status = fs::read_to_string(self.path("var/lib/dpkg/status")).unwrap();
        status.contains(&format!("Package: {package}\nStatus: install ok installed"))
    }

    /// A path on which a stage's `docker-registry` is found only once its package is installed.
    pub(crate) fn search_path(&self) -> String {
        let bin = self.path("bin");
        fs::create_dir(&bin).unwrap();
        for program in ["apt-get", "apt-config", "docker", "mount"] {
            symlink(ground::find(program).unwrap(), bin.join(program)).unwrap();
        }
        let shown = |path: &Path| path.display().to_string();
        format!("{}:{}", shown(&bin), shown(&self.path("usr/bin")))
    }
}

pub(crate) struct Busy {
    child: Child,
    go: PathBuf,
}

impl Busy {
    /// How it is named.
    pub(crate) fn who(&self) -> String {
        format!("apt-get (pid {}) holds ", self.child.id())
    }

    pub(crate) fn go_on(mut self) {
        fs::write(&self.go, "").unwrap();
        assert!(self.child.wait().unwrap().success());
    }
}

fn said(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}
