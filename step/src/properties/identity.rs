//! Names from flags and from a report: never a container of one source beside an app of another.

use proptest::option;
use proptest::prelude::*;

use crate::contract::handoff::Handoff;
use crate::contract::identity::Identity;
use crate::model::name::Name;

fn names() -> impl Strategy<Value = Option<Name>> {
    // Few, so that both sources often say the same.
    let few = prop::sample::select(&["web", "api", "box"][..]);
    option::of(few.prop_map(|name| name.parse().unwrap()))
}

proptest! {
    #[test]
    fn flags_win_and_a_container_comes_with_its_app(given in [names(), names()], before in [names(), names()]) {
        let [app, container] = given.clone();
        let mut identity = Identity { app, container };
        let [app, container] = before.clone();
        identity.fill(&Handoff { app, container, ..Handoff::default() });
        let ([flag, own], [handed, beside]) = (given, before);
        prop_assert_eq!(&identity.app, &flag.clone().or(handed.clone()));
        let other = flag.is_some() && flag != handed;
        let expected = own.or(beside.filter(|_| !other));
        prop_assert_eq!(&identity.container, &expected);
        // The same report twice changes nothing.
        let once = identity.clone();
        identity.fill(&Handoff { app: handed, ..Handoff::default() });
        prop_assert_eq!((&identity.app, &identity.container), (&once.app, &once.container));
    }
}
