//! From a container on one VM to a swarm of one node, and from there to three, while clients are served.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use stage::docker::docker_with;
use stage::load::Load;
use stage::steps::run;
use stage::swarm::Swarm;
use stage::unpacked;

use crate::docs;
use crate::support::{App, eventually, ok};

/// The VM that becomes the first node.
const VM: usize = 0;

struct Move {
    swarm: Swarm,
    app: App,
}

impl Move {
    /// Runs a step on the VM, as its administrator would.
    fn step(&self, name: &str, flags: &[&str]) -> serde_json::Value {
        let mut there = Command::new("nsenter");
        there
            .args(self.swarm.way_to(VM).unwrap())
            .arg("--")
            .arg(super::program(name));
        there.args(["--app", self.app.name()]).args(flags);
        stage::process::scrub(&mut there).env_remove("RUST_BACKTRACE");
        there.env("DOCKER_HOST", "unix:///run/docker.sock");
        ok(&run(there, None).unwrap())
    }

    /// Pulls, starts, proves and promotes.
    fn release(&self, image: &str, flags: &[&str], start: &[&str], promote: &[&str]) {
        let image_flag = ["--image", image];
        self.step("pull-image", &[flags, &[image]].concat());
        self.step("start-candidate", &[flags, &image_flag, start].concat());
        self.step("probe-health", flags);
        self.step("promote", &[flags, promote].concat());
    }

    fn pushed(&self, version: &str) -> String {
        let here = format!("{}/moved:{version}", self.swarm.registry());
        let image = self.app.image(version).env("GRACEFUL", "1");
        image.build(&here).unwrap().push().unwrap();
        here.replace(self.swarm.registry(), &self.swarm.others_registry())
    }

    /// The proxy with the page's settings as an image of this app, so that it can take the app's place.
    fn proxy(&self, tasks: &str) -> String {
        let settings = docs::only(docs::SWARM, "haproxy", "resolvers");
        let servers = "server-template web 8 web:8080";
        let rest = settings.split_once(servers).unwrap().1.trim_end();
        let both = format!("server-template old 2 inside:8080{rest}\n    {servers}");
        let settings = settings.replace(servers, &both);
        let settings = settings.replace(" web:8080", &format!(" {tasks}:8080"));
        let here = format!("{}/moved:proxy", self.swarm.registry());
        let label = format!("LABEL app=\"{}\"", self.app.name());
        let changes = [
            r#"ENTRYPOINT ["/haproxy", "-q", "-db", "-f", "/settings"]"#,
            "ENV LD_LIBRARY_PATH=/libraries",
            "EXPOSE 80",
            &label,
        ];
        let changes = changes.iter().flat_map(|change| ["--change", change]);
        let words = ["import"].into_iter().chain(changes).chain(["-", &here]);
        docker_with(words, Some(layer(&settings))).unwrap();
        stage::docker::docker(["push", &here]).unwrap();
        self.app.scope.at_end(["image", "rm", "-f", &here]);
        here.replace(self.swarm.registry(), &self.swarm.others_registry())
    }
}

/// The program with all that it links to.
fn layer(settings: &str) -> Vec<u8> {
    let haproxy = unpacked::command("haproxy")
        .unwrap_or_else(|| panic!("haproxy is missing: `cargo xtask test --install` unpacks it"));
    let mut ldd = Command::new("ldd");
    ldd.arg(haproxy.get_program());
    let given = haproxy.get_envs();
    ldd.envs(given.filter_map(|(name, value)| Some((name, value?))));
    let said = run(ldd, None).unwrap().stdout;
    let mut tar = tar::Builder::new(Vec::new());
    let mut add = |name: &str, bytes: &[u8]| {
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o755);
        header.set_size(bytes.len() as u64);
        tar.append_data(&mut header, name, bytes).unwrap();
    };
    add("haproxy", &fs::read(haproxy.get_program()).unwrap());
    let config = format!("global\n    maxconn 4000\n{settings}");
    add("settings", config.as_bytes());
    for path in said.split_whitespace().filter(|word| word.starts_with('/')) {
        let bytes = fs::read(path).unwrap();
        // The loader is found where the program says, all else where the variable does.
        if path.contains("/ld-linux") {
            add(path.trim_start_matches('/'), &bytes);
        } else {
            let name = Path::new(path).file_name().unwrap().to_str().unwrap();
            add(&format!("libraries/{name}"), &bytes);
        }
    }
    tar.into_inner().unwrap()
}

#[test]
fn a_container_on_one_vm_becomes_a_service_of_three_nodes_and_no_request_fails() {
    if super::lacks_swarm() {
        return;
    }
    let _alone = super::alone();
    let swarm = Swarm::unjoined(98).unwrap();
    let at = Move {
        swarm,
        app: App::new("moving"),
    };
    let v1 = at.pushed("v1");
    let publish = ["--publish", "80:8080"];
    at.release(&v1, &[], &publish, &[]);
    let clients = at.swarm.address(VM);
    let load = Load::to(&format!("{clients}:80"), "/", 50);
    thread::sleep(Duration::from_millis(500));

    // The app once more, by a name on a network; then a proxy that calls it takes the container's place.
    let docker = |words: &[&str]| at.swarm.docker(VM, words).unwrap();
    docker(&["network", "create", "front"]);
    let name = |end: &str| format!("{}-{end}", at.app.name());
    let (inside, tasks) = (name("inside"), name("tasks"));
    let on_front = ["--", "--network", "front"];
    let alias = ["--network", "front", "--alias", "inside"];
    at.release(&v1, &["--container", &inside], &on_front, &alias);
    let publish_proxy = [&["--publish", "80:80"][..], &on_front].concat();
    at.release(&at.proxy(&tasks), &[], &publish_proxy, &[]);

    // One node: the tasks, and the proxy calls them, too; then the app of before goes.
    at.swarm.init(VM).unwrap();
    docker(&[
        "network",
        "create",
        "--driver",
        "overlay",
        "--attachable",
        "web",
    ]);
    let of_the_swarm = ["--swarm", "--container", &tasks];
    let on = ["--", "--network", "web"];
    at.release(
        &v1,
        &of_the_swarm,
        &on,
        &["--replicas", "2", "--monitor", "1s"],
    );
    docker(&["network", "connect", "web", at.app.name()]);
    // As long as the proxy takes to look them up and to check them.
    thread::sleep(Duration::from_secs(4));
    docker(&["stop", &inside]);
    docker(&["rm", &inside]);

    // Three nodes.
    for node in [1, 2] {
        at.swarm.join(node, VM).unwrap();
    }
    let v2 = at.pushed("v2");
    at.release(
        &v2,
        &of_the_swarm,
        &[],
        &["--replicas", "3", "--monitor", "1s"],
    );
    let shown = [
        "service",
        "ps",
        "--filter",
        "desired-state=running",
        "--format",
        "{{.Node}}",
    ];
    let nodes = at
        .swarm
        .docker(VM, &[&shown[..], &[&tasks]].concat())
        .unwrap();
    eventually("the tasks are on several nodes", || {
        nodes.lines().any(|node| node != "node1")
    });
    thread::sleep(Duration::from_millis(1500));
    let seen = load.stop();
    crate::proxy::front::say("from a container to three nodes", &seen);
    assert_eq!(seen.failed(), 0, "{:?}", seen.kinds());
    assert_eq!(seen.versions(), ["v1", "v2"]);
}
