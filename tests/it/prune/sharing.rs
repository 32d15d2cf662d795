//! Two apps on one engine: images, layers and repositories in common, and nobody else's touched.

use stage::docker::{Scope, docker, docker_with, in_containerds_store};
use stage::image::Image;
use stage::registry;

use super::{done, ids, kept, list, listed, present, prune, set, tag_of, versions};

/// Builds `tag` upon `base` with the engine's own builder.
fn build_upon(base: &str, lines: &str, tag: &str) -> String {
    let dockerfile = format!("FROM {base}\n{lines}\n");
    let args = ["build", "--quiet", "--tag", tag, "-"];
    let id = docker_with(args, Some(dockerfile.into_bytes())).unwrap();
    // Podman writes it bare.
    format!("sha256:{}", id.trim_start_matches("sha256:"))
}

#[test]
fn another_apps_images_are_never_touched() {
    let (mine, other) = (Scope::new("mine"), Scope::new("other"));
    versions(&mine, 3);
    versions(&other, 3);
    let near = Scope::new(mine.app());
    versions(&near, 2);
    let before = (listed(&other), listed(&near));
    done(&prune(&mine, &["--keep", "0", "--candidate"]));
    assert!(listed(&mine).is_empty());
    assert_eq!((listed(&other), listed(&near)), before);
}

#[test]
fn an_image_tagged_by_two_apps_stays_while_one_of_them_runs_it() {
    let (mine, other) = (Scope::new("mine"), Scope::new("other"));
    let all = versions(&mine, 2);
    docker(["tag", &tag_of(&mine, "v1"), &tag_of(&other, "v1")]).unwrap();
    docker(["run", "-d", "--name", other.app(), &tag_of(&other, "v1")]).unwrap();
    let report = done(&prune(&mine, &["--keep", "0"]));
    assert_eq!(kept(&report, "in_use"), set([&all[0]]));
    let names = listed(&mine);
    assert_eq!(names.len(), 2, "{names:?}");
    done(&prune(&other, &["--keep", "0"]));
    assert_eq!(listed(&mine), names);
}

#[test]
fn layers_in_common_outlive_the_app_that_brought_them() {
    let (mine, other) = (Scope::new("mine"), Scope::new("other"));
    let base = Image::of(mine.app()).version("v1");
    let base = base.build(&tag_of(&mine, "v1")).unwrap();
    let host = registry::shared().unwrap().host();
    let child = format!("{host}/{}:v1", other.app());
    build_upon(&base.id, &format!("LABEL app={}", other.app()), &child);
    docker(["push", &child]).unwrap();
    docker(["image", "rm", &child]).unwrap();
    docker(["pull", &child]).unwrap();
    let before = listed(&other);
    let report = done(&prune(&mine, &["--keep", "0"]));
    assert_eq!(ids(&report["removed"]), set([&base.id]));
    assert_eq!(listed(&other), before);
    docker(["run", "-d", "--name", other.app(), &child]).unwrap();
}

#[test]
fn a_repository_brings_in_its_unlabelled_images_but_none_labelled_for_another_app() {
    let (mine, other) = (Scope::new("mine"), Scope::new("other"));
    let repo = mine.app();
    let unlabelled = Image::of(repo).unlabelled();
    let bare = unlabelled.build(&tag_of(&mine, "bare")).unwrap();
    mine.at_end(["image", "rm", "-f", &bare.id]);
    let foreign = Image::of(other.app())
        .build(&tag_of(&mine, "foreign"))
        .unwrap();
    let elsewhere = unlabelled.build(&tag_of(&other, "bare")).unwrap();
    other.at_end(["image", "rm", "-f", &elsewhere.id]);
    let own = versions(&mine, 1);

    let report = done(&prune(&mine, &["--keep", "0", "--dry-run"]));
    assert_eq!(ids(&report["removed"]), set([&own[0]]));
    let report = done(&prune(&mine, &["--keep", "0", "--repo", repo]));
    assert_eq!(ids(&report["removed"]), set([&own[0], &bare.id]));
    let left = list(&format!("reference={repo}"));
    assert_eq!(left.len(), 1, "{left:?}");
    assert!(left.first().unwrap().starts_with(&foreign.id));
    assert_eq!(list(&format!("reference={}", other.app())).len(), 1);
}

#[test]
fn an_unlabelled_image_that_another_repository_names_loses_only_this_ones_names() {
    let (mine, other) = (Scope::new("mine"), Scope::new("other"));
    let image = Image::of(mine.app()).unlabelled();
    let id = image.build(&tag_of(&mine, "v1")).unwrap().id;
    mine.at_end(["image", "rm", "-f", &id]);
    docker(["tag", &id, &tag_of(&mine, "again")]).unwrap();
    docker(["tag", &id, &tag_of(&other, "v1")]).unwrap();
    let args = ["--keep", "0", "--repo", mine.app()];
    let dry = done(&prune(&mine, &[&args[..], &["--dry-run"]].concat()));
    let report = done(&prune(&mine, &args));
    assert_eq!(dry["removed"], report["removed"]);
    let [removed] = &report["removed"].as_array().unwrap()[..] else {
        panic!("{report}");
    };
    let tags = removed["tags"].to_string();
    assert!(tags.contains(&tag_of(&mine, "again")), "{report}");
    assert!(!tags.contains(other.app()), "{report}");
    assert_eq!(removed["size_bytes"], 0, "the image stays");
    assert!(list(&format!("reference={}", mine.app())).is_empty());
    assert_eq!(list(&format!("reference={}", other.app())).len(), 1);
    let second = done(&prune(&mine, &args));
    assert_eq!(second["removed"], serde_json::json!([]));
}

#[test]
fn steps_of_a_local_build_stay_with_the_image_built_from_them() {
    let scope = Scope::new("steps");
    let label = format!("LABEL app={}", scope.app());
    let base = Image::of(scope.app()).unlabelled();
    let base = base.build(&format!("{}-base:v1", scope.app())).unwrap();
    scope.at_end(["image", "rm", "-f", &base.id]);
    let lines = |n: u32| format!("{label}\nENV A={n}\nENV B={n}");
    let old = build_upon(&base.name, &lines(1), &tag_of(&scope, "v1"));
    let new = build_upon(&base.name, &lines(2), &tag_of(&scope, "v2"));
    let report = done(&prune(&scope, &["--keep", "1"]));
    assert!(ids(&report["removed"]).contains(&old), "{report}");
    assert!(kept(&report, "newest").contains(&new), "{report}");
    let stays = present(&scope);
    assert!(stays.contains(&new) && !stays.contains(&old), "{stays:?}");
    let kept = ids(&report["kept"]);
    if in_containerds_store() {
        // With an image the engine takes away the steps that another one was built from, too, without harm to that.
        assert!(stays.is_subset(&kept), "{stays:?} {report}");
        docker(["create", "--name", scope.app(), &new]).unwrap();
        docker(["rm", scope.app()]).unwrap();
    } else {
        assert_eq!(stays, kept);
    }
    done(&prune(&scope, &["--keep", "0"]));
    assert!(present(&scope).is_empty());
    docker(["image", "inspect", &base.id]).unwrap();
}

#[test]
fn an_image_goes_after_those_built_upon_it_whenever_it_was_tagged() {
    let scope = Scope::new("order");
    let base = versions(&scope, 1);
    build_upon(&base[0], "ENV A=1", &tag_of(&scope, "v2"));
    docker(["tag", &base[0], &tag_of(&scope, "tagged-later")]).unwrap();
    done(&prune(&scope, &["--keep", "0"]));
    assert!(present(&scope).is_empty());
}
