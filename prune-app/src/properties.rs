//! What holds for every text given as a flag, and for every image that is to go.

use proptest::prelude::*;
use step::engine::image::Image;
use step::model::image_ref::repository;

use crate::args::{full_id, repo};
use crate::images::references;

fn names() -> impl Strategy<Value = Vec<String>> {
    let name = "(docker.io/|127.0.0.1:5000/)?(library/)?[ab](:v[12]|@sha256:8{5})";
    prop::collection::vec(name, 0..5)
}

fn image(tags: &[String], digests: &[String], label: Option<&str>) -> Image {
    let labels = label.map(|app| serde_json::json!({"app": app}));
    let image = serde_json::json!({
        "Id": "sha256:8", "RepoTags": tags, "RepoDigests": digests, "Config": {"Labels": labels},
    });
    serde_json::from_value(image).unwrap()
}

proptest! {
    #[test]
    fn flags(text in prop_oneof![any::<String>(), "[a-z0-9./:-]{0,30}", "[0-9a-fg]{63,65}", "[a-z0-9-]{24,26}"]) {
        match repo(&text) {
            Ok(repo) => prop_assert_eq!(repository(repo.as_str()), &text),
            Err(why) => prop_assert!(why.starts_with(char::is_lowercase) && !why.contains('\n')),
        }
        let container = text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit());
        let service = text.len() == 25 && text.bytes().all(|b| b.is_ascii_alphanumeric());
        prop_assert_eq!(full_id(&text).is_ok(), container || service);
    }

    #[test]
    fn an_image_goes_by_its_own_names_and_an_apps_own_by_its_id_last(tags in names(), digests in names(), own in any::<bool>()) {
        // An unlabelled image was found by its repository.
        let tags = [tags, (!own).then(|| "a:v3".to_owned()).into_iter().collect()].concat();
        let found = image(&tags, &digests, own.then_some("web"));
        let repo = "a".parse().unwrap();
        let references = references(&found, Some(&repo));
        let known = |name: &String| tags.contains(name) || digests.contains(name);
        let (last, names) = references.split_last().unwrap();
        prop_assert!(names.iter().all(known), "{references:?}");
        prop_assert!(last == &found.id || (!own && known(last)), "{references:?}");
    }
}
