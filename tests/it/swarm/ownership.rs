//! A service that only has a name of the app's is somebody else's.

use super::{Sea, lacks_swarm};
use crate::support::{failed, ok, text};

#[test]
fn a_service_that_only_has_the_candidates_name_is_9_in_every_step_and_stays() {
    if lacks_swarm() {
        return;
    }
    let sea = Sea::new("strange");
    let image = sea.push(&sea.image("v1"), "v1");
    let name = sea.app.scope.candidate();
    let create = ["service", "create", "--detach", "--name", &name, &image];
    sea.swarm.docker(0, &create).unwrap();
    let id = sea.service(&name, "{{.ID}} {{.Version.Index}}");
    ok(&sea.step("pull-image", &[&image]));
    let start = ["--image", &image, "--replace"];
    for (step, flags) in [
        ("start-candidate", &start[..]),
        ("probe-health", &[]),
        ("promote", &[]),
        ("prune-app", &["--candidate"]),
    ] {
        let report = failed(&sea.step(step, flags), 9, "name_taken");
        let said = text(&report["error"]["message"]);
        assert!(said.contains(id.split(' ').next().unwrap()), "{said}");
    }
    assert_eq!(sea.service(&name, "{{.ID}} {{.Version.Index}}"), id);
}
