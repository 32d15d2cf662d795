//! A start-candidate on a swarm that is killed at a random moment, and the same command right after it.

use super::{Sea, lacks_swarm};
use crate::start::killed::killed_and_given_again;
use crate::support::ok;

#[test]
fn killed_on_a_swarm_at_any_moment_the_same_command_right_after_it_has_the_place() {
    if lacks_swarm() {
        return;
    }
    let sea = Sea::new("killed");
    let image = sea.push(&sea.image("v1"), "v1");
    ok(&sea.step("pull-image", &[&image]));
    let clear = || drop(ok(&sea.step("prune-app", &["--candidate"])));
    let command = || sea.command("start-candidate", &["--image", &image]);
    killed_and_given_again(10, clear, command, |report, seed| {
        let id = sea.service(&sea.app.scope.candidate(), "{{.ID}}");
        assert_eq!(report["candidate_id"], id.as_str(), "seed {seed}");
    });
}
