//! What cannot go live behind a proxy is refused before anything is touched.

use stage::steps::run;

use super::front::Behind;
use crate::resume::KILLED;
use crate::support::{Fault, failed, ok, text};

#[test]
fn a_candidate_that_cannot_be_called_there_is_refused() {
    let behind = Behind::new("behind-refused");
    let app = &behind.app;
    let (v1, v2) = (app.build("v1"), app.build("v2"));
    behind.deploy(&v1);
    let live = app.id("");
    let refused = |start: &[&str], flags: &[&str], why: &str| {
        ok(&app.step("start-candidate", start));
        app.prove_candidate();
        let report = failed(&app.promote(flags), 40, "no_candidate");
        let message = text(&report["error"]["message"]);
        assert!(message.contains(why), "{message}");
        assert_eq!(
            (app.id(""), app.present()),
            (live.clone(), vec!["", "-new"])
        );
    };
    let flags = behind.flags(&[]);
    refused(&["--image", &v2.name], &flags, "is not on the network");
    let on = [
        "--image",
        &v2.name,
        "--replace",
        "--publish",
        "1:8080",
        "--",
        "--network",
        &behind.network,
    ];
    refused(&on, &flags, "publish the port 1:8080");
    let on = [
        "--image",
        &v2.name,
        "--replace",
        "--",
        "--network",
        &behind.network,
    ];
    refused(
        &on,
        &["--network", "bridge", "--alias", "web"],
        "docker network create",
    );
}

#[test]
fn an_unfinished_promotion_is_only_carried_on_in_its_own_way() {
    let behind = Behind::new("behind-mixed");
    let app = &behind.app;
    let (v1, v2) = (app.build("v1"), app.build("v2"));
    behind.deploy(&v1);
    behind.candidate(&v2);
    let fault = Fault::Before("stop", "kill -KILL $CALLER; exit 1");
    assert_eq!(
        run(app.faulty_promote(fault, &behind.flags(&[])), None)
            .unwrap()
            .code,
        KILLED
    );
    let told = |flags: &[&str], message: &str, hint: &str| {
        let error = &failed(&app.promote(flags), 40, "no_candidate")["error"];
        assert!(text(&error["message"]).ends_with(message), "{error}");
        assert!(text(&error["hint"]).starts_with(hint), "{error}");
    };
    let begun = "was begun with --network and --alias";
    told(
        &[],
        begun,
        "promote with that --network and --alias resumes it",
    );
    ok(&app.promote(&behind.flags(&[])));

    behind.candidate(&v1);
    let fault = Fault::Before("start", "kill -KILL $CALLER; exit 1");
    assert_eq!(app.promote_with(fault, &[]).code, KILLED);
    let begun = "was begun without --network and --alias";
    let hint = "promote without --network and --alias resumes it";
    told(&behind.flags(&[]), begun, hint);
    ok(&app.promote(&[]));
}
