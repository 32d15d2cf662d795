//! The whole pipelines behind a proxy: the script for the VM and `cargo xtask deploy` in turn, and both go back.

use serde_json::Value;
use stage::registry;
use stage::steps::{run, step};

use super::front::{Behind, Front, settings};
use super::unnoticed;
use crate::support::ok;
use crate::vm::Vm;

/// What the script reads: each step's arguments, one a line.
fn configuration(behind: &Behind) -> String {
    let on = ["--", "--network", &behind.network].map(|it| format!("start-candidate {it}\n"));
    let to = behind.flags(&["--drain", "5s"]);
    let to = to.into_iter().map(|it| format!("promote {it}\n"));
    on.into_iter().chain(to).collect()
}

/// What the candidate was is live now, and called.
fn assert_moved(behind: &Behind, report: &Value, image: &str) {
    let started = report["steps"].as_array().unwrap().iter();
    let mut ids = started.filter_map(|it| it["candidate_id"].as_str());
    let live = behind.app.container("").expect("nothing is live");
    assert_eq!(ids.next(), live["Id"].as_str(), "{report}");
    assert_eq!(live["Config"]["Env"][0], format!("VERSION={image}"));
    assert!(behind.is_called(""), "{live}");
    assert_eq!(behind.app.present(), [""]);
}

#[test]
fn both_pipelines_put_a_release_live_behind_a_proxy_and_take_it_back() {
    let behind = Behind::new("behind-whole");
    let app = &behind.app;
    let host = registry::shared().unwrap().host();
    let names = ["v1", "v2", "v3"].map(|version| {
        let built = app
            .image(version)
            .build(&format!("{host}/{}:{version}", app.name()));
        let built = built.unwrap();
        built.push().unwrap();
        built.name
    });
    let vm = Vm::of(app, host);
    vm.write(
        &format!("deploy-steps/{}.conf", app.name()),
        0o644,
        &configuration(&behind),
    );
    let script = |words: &[&str]| {
        let argv = [&["deploy.sh", app.name()], words].concat();
        ok(&run(vm.command(&argv), None).unwrap())
    };
    let conf = vm.etc(&format!("deploy-steps/{}.conf", app.name()));
    let xtask = |words: &[&str]| {
        let mut xtask = step("xtask").unwrap();
        xtask.args([words[0], "--app", app.name(), "--conf"]);
        xtask.arg(&conf).args(&words[1..]);
        ok(&run(xtask, None).unwrap())
    };
    assert_moved(&behind, &script(&["deploy", &names[0]]), "v1");
    let front = Front::start(&behind.app, &behind.network, "nginx", &settings("nginx"));
    let all = ["v1", "v2", "v3"];
    unnoticed(&front, "both pipelines, releases", &all, || {
        assert_moved(&behind, &xtask(&["deploy", &names[1]]), "v2");
        assert_moved(&behind, &script(&["deploy", &names[2]]), "v3");
    });
    unnoticed(
        &front,
        "both pipelines, back and back again",
        &["v3", "v2"],
        || {
            assert_moved(&behind, &xtask(&["rollback"]), "v2");
            assert_moved(&behind, &script(&["rollback"]), "v3");
        },
    );
}
