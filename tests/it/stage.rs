//! The stage itself: if these fail, do not believe the others.

use std::net::{SocketAddr, TcpListener};
use std::time::{Duration, Instant};
use std::{fs, thread};

use stage::docker::{Scope, docker, inspect, published, with_logins};
use stage::fault::{Fault, Proxy};
use stage::image::Image;
use stage::load::{Kind, Load, Outcome};
use stage::registry::{self, PASSWORD, Registry};

fn load(addr: SocketAddr) -> Outcome {
    let load = Load::start(addr, "/", 100);
    thread::sleep(Duration::from_millis(500));
    load.stop()
}

#[test]
fn an_image_is_built_pushed_and_runs() {
    let scope = Scope::new("runs");
    let app = scope.app();
    let name = format!("{}/{app}:v1", registry::shared().unwrap().host());
    let built = Image::of(app).version("it's \"$1\"").build(&name).unwrap();
    let digest = built.push().unwrap();
    assert!(digest.starts_with("sha256:"), "{digest}");
    docker(["image", "rm", &name]).unwrap();

    docker(["run", "-d", "--name", app, "-p", "127.0.0.1::8080", &name]).unwrap();
    let found = inspect(app).unwrap().unwrap();
    assert_eq!(found["Image"], built.id.as_str());
    let outcome = load(published(app, 8080).unwrap());
    assert_eq!(outcome.versions(), ["it's \"$1\""], "{:?}", outcome.kinds());
}

#[test]
fn a_container_is_found_by_its_exact_name_only() {
    let scope = Scope::new("exact");
    let name = format!("{}:v1", scope.app());
    Image::of(scope.app()).build(&name).unwrap();
    let id = docker(["create", "--name", &scope.candidate(), &name]).unwrap();
    assert!(inspect(&scope.candidate()).unwrap().is_some());
    assert!(inspect(scope.app()).unwrap().is_none());
    assert!(inspect(&id[..8]).unwrap().is_none());
}

#[test]
fn a_scope_takes_its_containers_and_images_with_it() {
    let scope = Scope::new("gone");
    let (app, label) = (scope.app().to_owned(), format!("label=app={}", scope.app()));
    let name = format!("{app}:v1");
    Image::of(&app).build(&name).unwrap();
    docker(["run", "-d", "--name", &app, &name]).unwrap();
    drop(scope);
    assert!(inspect(&app).unwrap().is_none());
    assert_eq!(
        docker(["image", "ls", "-aq", "--filter", &label]).unwrap(),
        ""
    );
}

#[test]
fn the_app_ends_on_sigterm_unless_it_is_deaf() {
    for (deaf, code) in [("0", 0), ("1", 137)] {
        let scope = Scope::new("term");
        let (app, name) = (scope.app(), format!("{}:v1", scope.app()));
        Image::of(app).env("DEAF", deaf).build(&name).unwrap();
        docker(["run", "-d", "--name", app, &name]).unwrap();
        docker(["stop", "-t", "1", app]).unwrap();
        let state = &inspect(app).unwrap().unwrap()["State"];
        assert_eq!(state["ExitCode"], code, "DEAF={deaf}");
    }
}

#[test]
fn a_graceful_app_finishes_the_request_under_way() {
    let scope = Scope::new("graceful");
    let (app, name) = (scope.app(), format!("{}:v1", scope.app()));
    let image = Image::of(app).version("v1").env("GRACEFUL", "1");
    image.build(&name).unwrap();
    docker(["run", "-d", "--name", app, "-p", "127.0.0.1::8080", &name]).unwrap();
    let load = Load::start(published(app, 8080).unwrap(), "/slow?ms=1000", 1);
    thread::sleep(Duration::from_millis(300));
    docker(["stop", "-t", "5", app]).unwrap();
    let outcome = load.stop();
    assert_eq!(outcome.versions(), ["v1"], "{:?}", outcome.kinds());
}

#[test]
fn the_load_meter_counts_refused_connections() {
    let addr = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let outcome = load(addr);
    assert!(outcome.sent() >= 40, "{}", outcome.sent());
    assert_eq!(outcome.failed(), outcome.sent());
    assert_eq!(outcome.kinds(), [Kind::Refused]);
}

#[test]
fn a_password_protected_registry_refuses_a_pull_without_login() {
    let registry = Registry::start_with_password("deployer").unwrap();
    let scope = Scope::new("secret");
    let name = format!("{}/{}:v1", registry.host(), scope.app());
    let built = Image::of(scope.app()).build(&name).unwrap();
    let config = tempfile::tempdir().unwrap();
    let config = config.path().to_str().unwrap();

    let refused = built.push().unwrap_err();
    assert!(wants_login(&refused), "{refused}");
    let login = ["login", "-u", "deployer", "-p", PASSWORD, registry.host()];
    docker(with_logins(config, &login)).unwrap();
    docker(with_logins(config, &["push", &name])).unwrap();
    docker(["image", "rm", &name]).unwrap();
    let refused = docker(["pull", &name]).unwrap_err();
    assert!(wants_login(&refused), "{refused}");
    docker(with_logins(config, &["pull", &name])).unwrap();
}

fn wants_login(refused: &anyhow::Error) -> bool {
    let said = refused.to_string();
    said.contains("no basic auth credentials") || said.contains("authentication required")
}

#[test]
fn a_stopped_registry_leaves_neither_port_nor_data() {
    let registry = Registry::start().unwrap();
    let addr: SocketAddr = registry.host().parse().unwrap();
    let home = std::env::var_os("DEPLOY_STEPS_STAGE").map_or_else(std::env::temp_dir, Into::into);
    let folders = || {
        let entries = fs::read_dir(&home).unwrap().flatten();
        let config = entries.map(|it| fs::read_to_string(it.path().join("config.yml")));
        config
            .flatten()
            .filter(|text| text.contains(&addr.to_string()))
            .count()
    };
    assert_eq!(folders(), 1);
    registry.stop();
    assert_eq!(folders(), 0);
    assert_eq!(load(addr).kinds(), [Kind::Refused]);
}

#[test]
fn a_faulty_registry_refuses_resets_stalls_and_recovers() {
    let proxy = Proxy::in_front_of(registry::shared().unwrap().host(), Fault::Status(503)).unwrap();
    let scope = Scope::new("faulty");
    let name = format!("{}/{}:v1", proxy.host(), scope.app());
    proxy.set(Fault::None);
    Image::of(scope.app())
        .padding_mb(1)
        .build(&name)
        .unwrap()
        .push()
        .unwrap();
    docker(["image", "rm", &name]).unwrap();

    proxy.set(Fault::Status(503));
    let said = docker(["pull", &name]).unwrap_err().to_string();
    assert!(said.contains("503"), "{said}");
    proxy.set(Fault::Reset);
    let said = docker(["pull", &name]).unwrap_err().to_string();
    assert!(said.contains("reset") || said.contains("EOF"), "{said}");
    proxy.set(Fault::StallAfter(100_000));
    let started = Instant::now();
    let mut pull = std::process::Command::new("docker");
    let limit = Duration::from_secs(3);
    assert!(stage::process::run_within(pull.args(["pull", &name]), None, limit).is_err());
    assert!(started.elapsed() >= limit);
    assert!(proxy.connections() > 3);
}
