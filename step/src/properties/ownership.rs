//! Whatever an engine has under an app's names, nothing that is not the app's is ever chosen.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::engine::container::Container;
use crate::model::name::{Name, Names};
use crate::ownership::Owned;
use crate::ownership::marks::{MadeAs, Marks};
use crate::recipe::Recipe;

/// What a container is, as the one who made it knows.
#[derive(Clone, Debug)]
enum Truth {
    /// A person started it; perhaps with a label that says whose it is.
    ByHand { claimed: Option<&'static str> },
    /// It has the labels of another container, by its image.
    Inherited { app: &'static str, of: &'static str },
    /// The steps made it.
    Ours {
        app: &'static str,
        of: &'static str,
        made_as: MadeAs,
        /// Which of the four it replaces, or a container that is gone.
        replaces: Option<usize>,
    },
}

fn apps() -> impl Strategy<Value = &'static str> {
    prop_oneof![3 => Just("web"), 1 => Just("web-new"), 1 => Just("api")]
}

fn lives() -> impl Strategy<Value = &'static str> {
    let others = prop::sample::select(vec!["web-new", "web-next", "web-old", "api"]);
    prop_oneof![3 => Just("web"), 2 => others]
}

fn truths() -> impl Strategy<Value = Truth> {
    let claimed = prop::option::of(apps());
    let made_as = prop::sample::select(vec![MadeAs::Candidate, MadeAs::Final]);
    prop_oneof![
        1 => claimed.prop_map(|claimed| Truth::ByHand { claimed }),
        1 => (apps(), lives()).prop_map(|(app, of)| Truth::Inherited { app, of }),
        4 => (apps(), lives(), made_as, prop::option::of(0..5_usize)).prop_map(
            |(app, of, made_as, replaces)| Truth::Ours { app, of, made_as, replaces }
        ),
    ]
}

fn id(at: usize) -> String {
    format!("{at}").repeat(64)
}

fn image(of: char) -> String {
    format!("sha256:{}", of.to_string().repeat(64))
}

fn labels(truth: &Truth) -> Map<String, Value> {
    let (app, of, made_as, replaces, image) = match truth {
        Truth::ByHand { claimed } => {
            let claimed = claimed.iter();
            return claimed
                .map(|it| ("deploy-steps.app".to_owned(), json!(it)))
                .collect();
        }
        Truth::Inherited { app, of } => (app, of, MadeAs::Candidate, None, image('e')),
        Truth::Ours {
            app,
            of,
            made_as,
            replaces,
        } => (app, of, *made_as, *replaces, image('a')),
    };
    let recipe = Recipe {
        image_id: image.parse().unwrap(),
        image: "web".parse().unwrap(),
        ..Recipe::default()
    };
    let (app, of) = (app.parse().unwrap(), of.parse().unwrap());
    let marks = Marks {
        replaces: replaces.map(id),
        ..Marks::new(&app, &of, made_as, recipe)
    };
    let all = marks.labels().into_iter();
    all.map(|it| {
        it.split_once('=')
            .map(|(name, value)| (name.to_owned(), json!(value)))
            .unwrap()
    })
    .collect()
}

fn container(at: usize, name: &str, truth: &Truth) -> Container {
    let it = json!({"Id": id(at), "Name": format!("/{name}"), "Image": image('a'), "State": {}, "Config": {"Labels": labels(truth)},
        "HostConfig": {}, "NetworkSettings": {}});
    serde_json::from_value(it).unwrap()
}

/// The app and its live container whose engine it is, and which of the four a container is made as.
struct Subject {
    app: &'static str,
    live: &'static str,
}

impl Subject {
    fn has_made(&self, truth: Option<&Truth>, wanted: MadeAs) -> bool {
        truth.is_none_or(|truth| match truth {
            Truth::Ours {
                app, of, made_as, ..
            } => *app == self.app && *of == self.live && *made_as == wanted,
            Truth::ByHand { .. } | Truth::Inherited { .. } => false,
        })
    }

    /// Made for this app's live name, whatever as.
    fn may_be_its_own(&self, truth: Option<&Truth>) -> bool {
        let is = |made_as| self.has_made(truth, made_as);
        is(MadeAs::Candidate) || is(MadeAs::Final)
    }

    fn may_have_live(&self, truth: Option<&Truth>) -> bool {
        truth.is_none_or(|truth| match truth {
            Truth::ByHand { claimed } => claimed.is_none_or(|app| app == self.app),
            // What the image says is taken away before.
            Truth::Inherited { app, .. } => *app == self.app,
            Truth::Ours { app, of, .. } => {
                let unfinished = ["new", "next", "old"].map(|end| format!("{of}-{end}"));
                *app == self.app && !unfinished.iter().any(|name| name == self.live)
            }
        })
    }
}

fn replaced_old(truth: Option<&Truth>) -> bool {
    matches!(
        truth,
        Some(Truth::Ours {
            replaces: Some(2),
            ..
        })
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn nothing_that_is_not_the_apps_is_chosen(
        all in prop::collection::vec(prop::option::weighted(0.6, truths()), 4), app in apps(), live in prop::sample::select(vec!["web", "web-new"]),
    ) {
        let subject = Subject { app, live };
        let (app, live): (Name, Name) = (app.parse().unwrap(), live.parse().unwrap());
        let names = Names::of(&live);
        let found = all.iter().enumerate().zip(names.all());
        let found = found.filter_map(|((at, truth), name)| Some(container(at, name, truth.as_ref()?)));
        let [running, candidate, old, next] = [0, 1, 2, 3].map(|at: usize| all[at].as_ref());
        let is_old = old.is_none() || match running {
            Some(running) => replaced_old(Some(running)),
            None if next.is_none() && candidate.is_none() => subject.may_be_its_own(old),
            None => replaced_old(next) || replaced_old(candidate),
        };
        let are_all = subject.has_made(candidate, MadeAs::Candidate) && subject.has_made(next, MadeAs::Final)
            && subject.may_have_live(running) && is_old;
        match Owned::among(&app, &live, found.collect()) {
            Ok(owned) => {
                prop_assert!(are_all);
                let chosen = [owned.live, owned.candidate, owned.old, owned.next].map(|it| it.map(|it| it.id));
                let there = [0, 1, 2, 3].map(|at| all[at].as_ref().map(|_| id(at)));
                prop_assert_eq!(chosen, there);
            }
            Err(_) => prop_assert!(!are_all),
        }
    }
}
