//! A VM as its administrator has set it up: /etc, /run, /var/log and /usr/local/sbin of its own, in a mount namespace.

mod configuration;
mod doctor;

use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use stage::cargo;
use stage::ground::on_podman;
use stage::process::scrub;
use tempfile::TempDir;

use crate::docs;
use crate::support::App;

const INSIDE: &str = concat!("set -eu\n", include_str!("vm/inside.sh"));
/// The account that the CI uses.
pub(crate) const DEPLOY: u32 = 47_113;

/// The files of one VM; each command on it has namespaces of its own, with the same files.
pub(crate) struct Vm {
    folder: TempDir,
    app: String,
    /// Where the app's images come from.
    pub(crate) repository: String,
}

impl Vm {
    /// A VM for one app, set up as the page for a CI's key says.
    pub(crate) fn of(app: &App, registry: &str) -> Vm {
        assert!(
            !on_podman(),
            "podman reads files in a namespace of its own, where a VM's are not: run this test on docker"
        );
        let folder = tempfile::tempdir().unwrap();
        for name in ["etc", "kept", "lock", "log"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        let vm = Vm {
            folder,
            app: app.name().to_owned(),
            repository: format!("{registry}/{}", app.name()),
        };
        vm.write(&format!("{}.env", app.name()), 0o600, "COLOR=blue\n");
        vm.write("sudoers.d/deploy-over-ssh", 0o440, &vm.shown("sudoers"));
        let conf = vm.shown("conf");
        vm.configure(&conf.replace("80:8080", &format!("{}:8080", app.port)));
        vm
    }

    /// Writes a file of the VM's /etc.
    pub(crate) fn write(&self, path: &str, mode: u32, text: &str) {
        let path = self.etc(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    }

    /// A file of the VM's /etc, as it is seen from outside.
    pub(crate) fn etc(&self, path: &str) -> PathBuf {
        self.folder.path().join("etc").join(path)
    }

    /// What stands in a file of the VM's /var/log.
    pub(crate) fn log(&self, path: &str) -> String {
        fs::read_to_string(self.logs().join(path)).unwrap()
    }

    /// The VM's /var/log, as it is seen from outside.
    pub(crate) fn logs(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    /// The VM's folder of locks, as it is seen from outside.
    pub(crate) fn locks(&self) -> PathBuf {
        self.folder.path().join("lock")
    }

    fn configure(&self, conf: &str) {
        self.write(&self.conf(), 0o644, conf);
    }

    /// Puts one text in place of another in what the steps are given, for commands that start later.
    pub(crate) fn reconfigure(&self, from: &str, to: &str) {
        let conf = fs::read_to_string(self.etc(&self.conf())).unwrap();
        assert!(conf.contains(from), "{conf}");
        self.configure(&conf.replacen(from, to, 1));
    }

    fn conf(&self) -> String {
        format!("deploy-steps/{}.conf", self.app)
    }

    /// The box of this kind on the page for a CI's key, with this app and repository.
    pub(crate) fn shown(&self, kind: &str) -> String {
        let text = Vm::raw(kind);
        // In sudoers a colon ends a word.
        let colon = if kind == "sudoers" { "\\:" } else { ":" };
        text.replace("ghcr.io/acme/web", "REPOSITORY")
            .replace("web", &self.app)
            .replace("REPOSITORY", &self.repository.replace(':', colon))
    }

    /// The same as it stands there.
    pub(crate) fn raw(kind: &str) -> String {
        docs::only(docs::CI, kind, "")
    }

    /// A command on the VM.
    pub(crate) fn command(&self, argv: &[&str]) -> Command {
        let host = env::var("DOCKER_HOST").unwrap_or_default();
        let socket = host.strip_prefix("unix://");
        let mut command = Command::new("unshare");
        scrub(&mut command)
            .args(["--mount", "sh", "-c", INSIDE, "sh"])
            .args(argv)
            .env("VM", self.folder.path())
            .env("SOCKET", socket.unwrap_or("/var/run/docker.sock"))
            .env("SCRIPTS", vm_folder())
            .env("STEPS", cargo::steps().unwrap())
            .env("ID", DEPLOY.to_string());
        command
    }
}

pub(crate) fn vm_folder() -> PathBuf {
    Path::new(cargo::workspace()).join("xtask/vm")
}
