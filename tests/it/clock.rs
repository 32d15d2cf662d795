//! The clock of a step's process is set while it works: by hours at each look, forth and back.

use std::process::Command;

use stage::process::scrub;

use crate::runs::finish;
use crate::support::{App, failed, ok};

/// As `faketime` takes them: an hour more, or less, each time the clock is read.
const CLOCKS: [&str; 2] = ["+0 i3600", "-400d i-3600"];

/// The same command under a clock that is set all the time; what measures durations is left alone.
fn under(clock: &str, step: &Command) -> Command {
    let mut faketime = Command::new("faketime");
    faketime
        .args(["--exclude-monotonic", "-f", clock])
        .arg(step.get_program())
        .args(step.get_args());
    scrub(&mut faketime);
    faketime
}

#[test]
fn a_deployment_does_not_mind_a_clock_that_is_set_meanwhile() {
    for clock in CLOCKS {
        let app = App::new("clock");
        let versions = ["v1", "v2"];
        for version in versions {
            let image = app.image(version).env("BOOT_MS", "2000");
            let image = app.tagged(&image, version);
            let publish = format!("{}:8080", app.port);
            let flags = ["--image", &image.name, "--publish", &publish];
            for (step, flags) in [
                ("start-candidate", &flags[..]),
                ("probe-health", &[]),
                ("promote", &[]),
                ("prune-app", &[]),
            ] {
                let run = finish(under(clock, &app.command(step, flags)));
                let took = ok(&run)["took_ms"].as_u64().unwrap();
                assert!(took < 60_000, "{step} under {clock}: {run:?}");
            }
            app.assert_live(&image);
        }
    }
}

#[test]
fn a_crash_is_noticed_under_a_clock_that_is_set_meanwhile() {
    for clock in CLOCKS {
        let app = App::new("clock");
        let image = app
            .image("v1")
            .env("SICK", "1")
            .env("CRASH_AFTER_MS", "3000");
        app.start(&app.tagged(&image, "v1"), &[]);
        let probe = app.command("probe-health", &["--within", "100s"]);
        let report = failed(&finish(under(clock, &probe)), 32, "crashed");
        assert!(report["took_ms"].as_u64().unwrap() < 50_000, "{report}");
    }
}
