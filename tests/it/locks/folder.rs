//! The folder of the locks: who makes it, and what is said where it cannot be used.

use std::fs;

use serde_json::Value;
use stage::relay::Relay;

use super::{Place, member, words};
use crate::support::{failed, text};
use crate::vm::DEPLOY;

const MAKE: &str = "install -d -m 2770 -g docker /run/deploy-steps";
/// The machine as it is before anybody has made the folder.
const AWAY: &str = "umount /run/deploy-steps; rmdir /run/deploy-steps;";

#[test]
fn where_there_is_no_folder_of_roots_own_a_member_is_told_the_command_that_makes_it() {
    let place = Place::new("folder");
    let link = "mkdir -m 2770 /run/other; chgrp docker /run/other; ln -s other /run/deploy-steps;";
    for (deed, why) in [
        ("", "there is no such folder"),
        (link, "it is a link or no folder"),
        (
            "mkdir -m 1777 /run/deploy-steps;",
            "everybody may write to it",
        ),
        ("mkdir -m 700 /run/deploy-steps;", "Permission denied"),
        (
            "mkdir /run/deploy-steps; chown 1 /run/deploy-steps;",
            "it belongs to user 1",
        ),
    ] {
        let run = place.promote(&format!("{AWAY} {deed}"), &member());
        let report: Value = failed(&run, 1, "unexpected");
        let message = text(&report["error"]["message"]);
        assert!(
            message.contains(why) && message.contains("/run/deploy-steps"),
            "{report}"
        );
        let hint = text(&report["error"]["hint"]);
        assert!(hint.contains(&format!("`sudo {MAKE}`")), "{report}");
        assert!(run.stderr.contains(MAKE), "{run:?}");
    }
    place.locks(&format!("{AWAY} {MAKE};"), &member());
}

#[test]
fn root_makes_the_folder_for_itself_and_for_the_members() {
    let place = Place::new("maker");
    let name = place.app.name();
    let first = format!("{AWAY} promote --app {name} >/dev/null 2>&1;");
    place.locks(&first, &member());
    let seen = place.run(&first, &["stat", "-c", "%F %U %G %a", "/run/deploy-steps"]);
    assert_eq!(seen.stdout.trim(), "directory root docker 2770");
    let alone =
        format!("{AWAY} sed -i /^docker:/d /etc/group; promote --app {name} >/dev/null 2>&1;");
    let seen = place.run(&alone, &["stat", "-c", "%F %U %a", "/run/deploy-steps"]);
    assert_eq!(seen.stdout.trim(), "directory root 700");
    let file = format!("/run/deploy-steps/deploy-steps-{name}.lock");
    let seen = place.run(&first, &["stat", "-c", "%U %G %a", &file]);
    assert_eq!(seen.stdout.trim(), "root docker 660");
}

#[test]
fn a_user_with_an_engine_of_his_own_has_the_locks_in_a_folder_of_his_own() {
    let place = Place::new("own");
    let relay = Relay::start().unwrap();
    let host = relay.host();
    let socket = host.strip_prefix("unix://").unwrap();
    let folder = socket.rsplit_once('/').unwrap().0;
    let mine = tempfile::tempdir().unwrap();
    let at = mine.path().display();
    let script = format!("{AWAY} chown {DEPLOY} {folder} {socket} {at};");
    let env = [
        format!("DOCKER_HOST={host}"),
        format!("XDG_RUNTIME_DIR={at}"),
    ];
    let promote = [
        "env",
        &env[0],
        &env[1],
        "promote",
        "--app",
        place.app.name(),
    ];
    let run = place.run(&script, &words(&member(), &promote));
    failed(&run, 40, "no_candidate");
    let seen = place.run("", &["stat", "-c", "%u %a", &format!("{at}/deploy-steps")]);
    assert_eq!(seen.stdout.trim(), format!("{DEPLOY} 700"));
    // A folder that somebody else has made there is none.
    fs::remove_dir_all(mine.path().join("deploy-steps")).unwrap();
    fs::create_dir(mine.path().join("deploy-steps")).unwrap();
    let run = place.run(&script, &words(&member(), &promote));
    let report = failed(&run, 1, "unexpected");
    assert!(
        report["error"].to_string().contains("it belongs to user 0"),
        "{report}"
    );
}
