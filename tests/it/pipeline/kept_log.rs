//! A line of the app's settings keeps the logs of all that is replaced.

use stage::registry;
use stage::steps::run;

use crate::support::{App, ok};
use crate::vm::Vm;

#[test]
fn a_line_for_promote_in_the_settings_keeps_the_log_of_what_is_replaced() {
    let app = App::new("keptsh");
    let host = registry::shared().unwrap().host();
    let vm = Vm::of(&app, host);
    let line = "promote --keep-log=/var/log/replaced.log";
    vm.reconfigure("probe-health --", &format!("{line}\nprobe-health --"));
    let deploy = |version: &str| {
        let image = app.image(version).env("LOG", version);
        let built = image.build(&format!("{host}/{}:{version}", app.name()));
        let built = built.unwrap();
        built.push().unwrap();
        let deploy = ["deploy.sh", app.name(), "deploy", &built.name];
        let report = ok(&run(vm.command(&deploy), None).unwrap());
        (report["steps"][3].clone(), built)
    };
    let (first, v1) = deploy("v1");
    assert!(first.get("log_kept").is_none(), "{first}");
    let (second, v2) = deploy("v2");
    assert_eq!(second["log_kept"], true, "{second}");
    app.assert_live(&v2);
    let kept = vm.log("replaced.log");
    let (title, log) = kept.split_once('\n').unwrap();
    assert!(title.contains(&v1.name), "{kept}");
    assert!(log.lines().any(|line| line.ends_with(" v1")), "{kept}");
}
