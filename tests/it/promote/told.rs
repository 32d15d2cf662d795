//! What promote refuses, undoes or complains of, as a person reads it: each names the thing and the way out, in one table.

mod scene;

use stage::skipped::skip;
use stage::steps::Run;

use self::scene::{Scene, Unlike};
use crate::bridge::has_bridge;

/// A case: how it is brought about, and what is said of it. `web` is the app, PORT and MORE its ports, ID any id; what
/// ends in `…` goes on.
struct Case {
    how: fn(&Scene) -> Run,
    code: i32,
    kind: &'static str,
    message: &'static str,
    hint: &'static str,
}

const START: &str = "start-candidate, then probe-health, then promote";
const REPLACE: &str =
    "`docker logs web-new` says why; then start-candidate --replace, probe-health and promote";
const FREE: &str = "`docker ps` and `ss -lntup` show who has it: free it and run promote again, or start the candidate with another --publish";

/// Before anything is touched.
const REFUSED: [Case; 10] = [
    Case {
        how: Scene::sick_by_now,
        code: 40,
        kind: "no_candidate",
        message: "web-new is not healthy now, the last attempt saw: status 503",
        hint: REPLACE,
    },
    Case {
        how: Scene::with_a_report_of_another,
        code: 40,
        kind: "no_candidate",
        message: "web-new is another container than the one that was probed",
        hint: "probe the one that is there by probe-health, and hand that report on",
    },
    Case {
        how: Scene::port_of_a_process,
        code: 46,
        kind: "port_taken",
        message: "the host port MORE is taken by another program; no live container was touched",
        hint: FREE,
    },
    Case {
        how: Scene::port_of_a_container,
        code: 46,
        kind: "port_taken",
        message: "the host port MORE is taken by the container other-of-web; no live container was touched",
        hint: FREE,
    },
    Case {
        how: Scene::without_the_right,
        code: 44,
        kind: "no_bridge",
        message: "no bridge is possible: …",
        hint: "run it as root or with CAP_NET_ADMIN, with nftables installed; or give --bridge auto, and bear a short gap",
    },
    Case {
        how: Scene::without_a_port,
        code: 44,
        kind: "no_bridge",
        message: "no bridge is possible: no port is published; no live container was touched",
        hint: "start the candidate with --publish: without a port there is nothing to bridge; or give --bridge auto, and bear a short gap",
    },
    Case {
        how: Scene::with_another_label,
        code: 47,
        kind: "not_verified",
        message: "the final container would differ from the candidate in the label tier; nothing was touched",
        hint: "it has changed since the candidate was started: start-candidate --replace, then probe-health, then promote",
    },
    Case {
        how: Scene::ended,
        code: 40,
        kind: "no_candidate",
        message: "web-new does not run any more",
        hint: REPLACE,
    },
    Case {
        how: Scene::with_a_stranger,
        code: 9,
        kind: "name_taken",
        message: "the name web-new is taken by something that is not the app's (…",
        hint: "rename what has the name, or deploy under another one with --container",
    },
    Case {
        how: Scene::without_a_candidate,
        code: 40,
        kind: "no_candidate",
        message: "there is no container web-new to promote; web runs …",
        hint: START,
    },
];

/// During the swap: the live container serves again, in the end by hand.
const UNDONE: [Case; 3] = [
    Case {
        how: Scene::name_taken_meanwhile,
        code: 42,
        kind: "rolled_back_not_started",
        message: "the final container could not be created: …",
        hint: "mend what the message or the log names, then start-candidate --replace, probe-health and promote; or remove the candidate with prune-app --candidate",
    },
    Case {
        how: Scene::sick_as_the_final_one,
        code: 41,
        kind: "rolled_back_unhealthy",
        message: "the final container was not healthy: the last attempt saw: status 503; rolled back, web serves as before",
        hint: "the candidate was healthy, the final container was not: compare last_attempts and log; remove the candidate with prune-app --candidate",
    },
    Case {
        how: Scene::robbed_of_its_port,
        code: 43,
        kind: "rollback_failed",
        message: "the host port PORT is taken by the container thief-of-web; and the rollback failed: web-old does not start: …",
        hint: "free the host port PORT, then run promote again, which resumes from what it finds; or by hand: …",
    },
];

/// Where a release goes live.
const LIVE: [Case; 2] = [
    Case {
        how: Scene::with_a_gap,
        code: 48,
        kind: "gap_too_long",
        message: "web is live, but its port PORT did not answer for …",
        hint: "nothing is left to do: the release is healthy, and `swap` says what clients saw; --bridge require refuses a swap that would have no bridge",
    },
    Case {
        how: Scene::beside_another_promotion,
        code: 45,
        kind: "locked",
        message: "another promotion of web is running",
        hint: "wait until it ends; the lock is freed however it ends",
    },
];

fn each(cases: &[Case], after: fn(&Scene)) {
    let scene = Scene::new();
    if !has_bridge() && cases.iter().any(|it| it.code == 44) {
        skip("a rootless engine has no bridge whatever the user may do, so 44 says otherwise");
    }
    // A rootless engine has no bridge for another reason than a missing right.
    for case in cases.iter().filter(|it| has_bridge() || it.code != 44) {
        let run = (case.how)(&scene);
        let error = scene.error(&run, case.code, case.kind);
        for (said, expected) in error.iter().zip([case.message, case.hint]) {
            assert!(!said.unlike(expected), "{said:?} is not {expected:?}");
        }
        after(&scene);
    }
}

#[test]
fn what_is_refused_names_the_thing_and_the_way_out_and_touches_nothing() {
    each(&REFUSED, Scene::assert_untouched);
}

#[test]
fn what_is_undone_names_the_thing_and_the_way_out_and_serves_as_before() {
    each(&UNDONE, Scene::assert_untouched);
}

#[test]
fn what_is_told_of_a_release_that_is_live_or_on_its_way_names_the_thing_and_the_way_out() {
    each(&LIVE, Scene::assert_replaced);
}
