//! Images that were pulled under one tag, which moved on from each to the next.

use serde_json::json;
use stage::docker::{Scope, docker};
use stage::image::Image;
use stage::registry;

use super::{done, ids, kept, list, prune, set};
use crate::repository::Repository;
use crate::runs;
use crate::support::{ok, text};

/// A repository whose only tag was pulled three times, each time as another image without a label.
struct Moved {
    scope: Scope,
    repository: String,
    ids: Vec<String>,
}

impl Moved {
    fn new() -> Moved {
        let scope = Scope::new("moves");
        let repository = format!("{}/{}", registry::shared().unwrap().host(), scope.app());
        let there = Repository::of(&repository);
        let name = format!("{repository}:latest");
        let pull = |version: &str| {
            let image = Image::of(scope.app()).version(version).unlabelled();
            let built = image.build(&format!("{repository}:{version}")).unwrap();
            built.push().unwrap();
            there.copy(version, "latest");
            // The engine is to know it by nothing but the pull.
            docker(["image", "rm", "-f", &built.id]).unwrap();
            let report = ok(&runs::run("pull-image", &[&name]));
            let id = text(&report["image_id"]).to_owned();
            scope.at_end(["image", "rm", "-f", &id]);
            id
        };
        let ids = ["v1", "v2", "v3"].map(pull).to_vec();
        Moved {
            scope,
            repository,
            ids,
        }
    }
}

#[test]
fn all_but_the_newest_go_although_the_tag_has_moved_on_from_them() {
    let moved = Moved::new();
    let [v1, v2, v3] = [0, 1, 2].map(|n| &moved.ids[n]);
    let report = done(&prune(&moved.scope, &["--repo", &moved.repository]));
    assert_eq!(ids(&report["removed"]), set([v1, v2]));
    assert_eq!(kept(&report, "newest"), set([v3]));
    assert_eq!(
        report["kept"][0]["tags"],
        json!([format!("{}:latest", moved.repository)])
    );
    let left = list(&format!("reference={}", moved.repository));
    assert!(
        left.iter().all(|line| line.starts_with(v3.as_str())),
        "{left:?}"
    );
}

#[test]
fn one_in_use_stays_and_of_the_others_the_newest() {
    let moved = Moved::new();
    let [v1, v2, v3] = [0, 1, 2].map(|n| &moved.ids[n]);
    docker(["create", "--name", moved.scope.app(), v3]).unwrap();
    let report = done(&prune(&moved.scope, &["--repo", &moved.repository]));
    assert_eq!(ids(&report["removed"]), set([v1]));
    assert_eq!(kept(&report, "in_use"), set([v3]));
    assert_eq!(kept(&report, "newest"), set([v2]));
}
