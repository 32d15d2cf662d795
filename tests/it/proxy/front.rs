//! A real reverse proxy in the network of a container, where names are the engine's, and load through it.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use stage::clients::RemoteLoad;
use stage::docker::docker;
use stage::image::Built;
use stage::load::Outcome;
use stage::{cargo, unpacked};

use crate::support::{App, ok};

/// What the boxes of the page leave to whoever writes the rest of the settings.
const NGINX: &str = "daemon off;\npid DIR/pid;\nerror_log DIR/errors;\nevents { worker_connections 4096; }\n\
    http {\naccess_log off;\nclient_body_temp_path DIR/a; proxy_temp_path DIR/b; fastcgi_temp_path DIR/c;\n\
    uwsgi_temp_path DIR/d; scgi_temp_path DIR/e;\n";
const HAPROXY: &str = "global\n    maxconn 4000\n";

/// An app that publishes no port, on a network of its own, called `web` there.
pub(crate) struct Behind {
    pub(crate) app: App,
    pub(crate) network: String,
}

impl Behind {
    pub(crate) fn new(prefix: &str) -> Behind {
        let app = App::new(prefix);
        let network = format!("{}-net", app.name());
        docker(["network", "create", &network]).unwrap();
        app.scope.at_end(["network", "rm", &network]);
        Behind { app, network }
    }

    /// Starts a candidate there.
    pub(crate) fn start(&self, flags: &[&str]) -> Value {
        let on = ["--", "--network", &self.network];
        ok(&self.app.step("start-candidate", &[flags, &on].concat()))
    }

    /// Starts a candidate and proves it.
    pub(crate) fn candidate(&self, image: &Built) -> Value {
        let started = self.start(&["--image", &image.name]);
        self.app.prove_candidate();
        started
    }

    /// The flags that put a candidate live there, and more.
    pub(crate) fn flags<'a>(&'a self, more: &[&'a str]) -> Vec<&'a str> {
        [
            &["--network", self.network.as_str(), "--alias", "web"],
            more,
        ]
        .concat()
    }

    /// Puts a release live; the report.
    pub(crate) fn deploy(&self, image: &Built) -> Value {
        self.candidate(image);
        ok(&self.app.promote(&self.flags(&[])))
    }

    /// The candidate itself is live, called by the alias and alone so, restarted always; nothing is left over.
    pub(crate) fn assert_live(&self, candidate: &Value, image: &Built) {
        let live = self.app.container("").expect("nothing is live");
        assert_eq!(live["Id"], candidate["candidate_id"]);
        assert_eq!(live["Image"], image.id.as_str());
        assert_eq!(live["State"]["Running"], true);
        assert_eq!(live["HostConfig"]["RestartPolicy"]["Name"], "always");
        assert!(self.is_called(""), "{live}");
        assert_eq!(self.app.present(), [""]);
        assert!(!crate::bridge::has_rules(&self.app));
    }

    /// Whether the app's container with that end of its name is called by the alias.
    pub(crate) fn is_called(&self, end: &str) -> bool {
        let container = self.app.container(end).expect("there is no such container");
        let aliases = &container["NetworkSettings"]["Networks"][&self.network]["Aliases"];
        aliases
            .as_array()
            .is_some_and(|all| all.contains(&Value::from("web")))
    }
}

/// A proxy at work; it ends when this is dropped.
pub(crate) struct Front {
    child: Child,
    container: String,
    folder: tempfile::TempDir,
}

impl Front {
    /// `nginx` or `haproxy` with these settings, which listen on port 80; on the host it is the app's port.
    pub(crate) fn start(app: &App, network: &str, program: &str, settings: &str) -> Front {
        let container = format!("{}-front", app.name());
        let (image, publish) = (app.build("front"), format!("--publish={}:80", app.port));
        let run = ["run", "-d", "--name", &container, "--network", network];
        docker(run.into_iter().chain([publish.as_str(), &image.name])).unwrap();
        app.scope.also_container(&container);
        let inspect =
            |format: &str| docker(["container", "inspect", "--format", format, &container]);
        let (pid, resolv) = (inspect("{{.State.Pid}}"), inspect("{{.ResolvConfPath}}"));
        let resolv = resolv.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let (dir, file) = (folder.path().display(), folder.path().join("settings"));
        let whole = match program {
            "nginx" => format!("{NGINX}{settings}}}\n").replace("DIR", &dir.to_string()),
            _ => format!("{HAPROXY}{settings}"),
        };
        let whole = match stage::ground::on_podman() {
            true => whole.replace("127.0.0.11", &resolver(&resolv)),
            false => whole,
        };
        fs::write(&file, whole).unwrap();
        let proxy = unpacked::command(program).unwrap_or_else(|| {
            panic!("{program} is missing: `cargo xtask test --install` unpacks it")
        });
        let mut command = Command::new("nsenter");
        command.args([
            "--target",
            &pid.unwrap(),
            "--net",
            "unshare",
            "--mount",
            "sh",
            "-c",
        ]);
        // Some settings have the system's resolver asked, which must be the container's.
        command.arg("mount --bind \"$0\" \"$(realpath /etc/resolv.conf)\" && exec \"$@\"");
        command.arg(resolv).arg(proxy.get_program());
        match program {
            "nginx" => command
                .arg("-p")
                .arg(folder.path())
                .arg("-e")
                .arg(folder.path().join("errors"))
                .arg("-c"),
            _ => command.args(["-db", "-f"]),
        };
        command
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        command.envs(
            proxy
                .get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        );
        let child = command.spawn().unwrap();
        let front = Front {
            child,
            container,
            folder,
        };
        crate::support::eventually("the proxy answers", || {
            let load = front.load(10);
            std::thread::sleep(Duration::from_millis(300));
            load.finish()
                .is_ok_and(|seen| seen.sent() > 0 && seen.failed() == 0)
        });
        front
    }

    /// Asks for `/` through it, each time over a new connection.
    pub(crate) fn load(&self, rate_per_s: u32) -> RemoteLoad {
        RemoteLoad::beside(&self.container, "127.0.0.1:80", rate_per_s).unwrap()
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let errors = fs::read_to_string(self.folder.path().join("errors")).unwrap_or_default();
            errors.lines().rev().take(20).for_each(crate::bridge::say);
        }
        let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
        let _ = self.child.wait();
    }
}

/// The network's own resolver, which answers at no fixed address on podman.
fn resolver(resolv: &str) -> String {
    let lines = fs::read_to_string(resolv).unwrap();
    let mut names = lines
        .lines()
        .filter_map(|line| line.strip_prefix("nameserver "));
    names.next().expect("no resolver").trim().to_owned()
}

/// The box of the page that is in this language.
pub(crate) fn settings(language: &str) -> String {
    let path = cargo::workspace().join("docs/behind-a-proxy.md");
    let text = fs::read_to_string(path).unwrap();
    let (_, rest) = text
        .split_once(&format!("\n```{language}\n"))
        .expect("no such box");
    format!("{}\n", rest.split_once("\n```\n").unwrap().0)
}

/// A line for whoever reads the output.
pub(crate) fn say(what: &str, seen: &Outcome) {
    crate::bridge::say(&format!(
        "{what}: {} sent, {} failed {:?}, longest gap {:.0} ms, p50 {:.1} ms, p99 {:.0} ms, slowest {:.0} ms",
        seen.sent(),
        seen.failed(),
        seen.kinds(),
        seen.longest_gap_ms(),
        seen.percentile(50.0),
        seen.percentile(99.0),
        seen.slowest_ms()
    ));
}
