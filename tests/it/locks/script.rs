//! The lock of `deploy.sh`, and what the doctor says of the folder.

use std::time::{Duration, Instant};

use super::{Place, member, words};

const AWAY: &str = "umount /run/deploy-steps; rmdir /run/deploy-steps;";
const MAKE: &str = "install -d -m 2770 -g docker /run/deploy-steps";

#[test]
fn deploy_sh_refuses_a_lock_that_leads_elsewhere_and_never_hangs_or_cuts_anything_short() {
    let place = Place::new("script");
    let name = place.app.name();
    let rollback = ["deploy.sh", name, "rollback"];
    let precious = place.vm.etc("precious");
    std::fs::write(&precious, "kept").unwrap();
    let link = format!("ln -s {} $F.pipeline;", precious.display());
    let other = format!("{AWAY} mkdir /run/other; ln -s other /run/deploy-steps;");
    let open = format!("{AWAY} mkdir -m 1777 /run/deploy-steps;");
    for deed in [
        &link,
        "mkfifo $F.pipeline;",
        "mkdir $F.pipeline;",
        &other,
        &open,
    ] {
        let began = Instant::now();
        let script = format!("rm -rf $F.pipeline; {deed}");
        let run = place.run(&script, &rollback);
        assert_eq!(run.code, 1, "{deed}: {run:?}");
        assert!(
            run.stderr.contains("cannot be used as a lock"),
            "{deed}: {run:?}"
        );
        assert!(run.stderr.contains(MAKE), "{deed}: {run:?}");
        assert!(began.elapsed() < Duration::from_secs(30), "{deed}");
    }
    assert_eq!(std::fs::read_to_string(&precious).unwrap(), "kept");
    let run = place.run(
        &format!("{AWAY} rm -rf $F.pipeline;"),
        &words(&member(), &rollback),
    );
    assert!(run.code == 1 && run.stderr.contains(MAKE), "{run:?}");
    // Nothing is live, so there is no release to go back to: the lock was had.
    for user in [vec![], member()] {
        let run = place.run("rm -rf $F.pipeline;", &words(&user, &rollback));
        assert_eq!(run.code, 20, "{run:?}");
    }
    let seen = place.run(
        "",
        &[
            "sh",
            "-c",
            &format!("stat -c %a /run/deploy-steps/deploy-steps-{name}.pipeline"),
        ],
    );
    assert_eq!(seen.stdout.trim(), "660", "{seen:?}");
}

#[test]
fn the_doctor_says_whether_the_folder_can_be_used_and_the_command_that_makes_it() {
    let place = Place::new("doctor");
    let link = format!("{AWAY} mkdir /run/other; ln -s other /run/deploy-steps;");
    let alone = format!("{AWAY} mkdir -m 700 /run/deploy-steps;");
    for (script, user, result) in [
        ("", vec![], "ok"),
        ("", member(), "ok"),
        (AWAY, vec![], "ok"),
        (AWAY, member(), "fail"),
        (&link, vec![], "fail"),
        (&alone, member(), "fail"),
    ] {
        let run = place.run(script, &words(&user, &["doctor.sh"]));
        let line = run
            .stdout
            .lines()
            .find(|line| line[6..].starts_with("locks"));
        let line = line.unwrap_or_else(|| panic!("{run:?}"));
        assert!(line.starts_with(result), "{script}: {line}");
        assert_eq!(line.contains(MAKE), result == "fail", "{script}: {line}");
    }
}
