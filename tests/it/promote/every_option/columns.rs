//! What the page says of the candidate and of the final container, held against what the engine shows of both.
//!
//! Each is looked at twice: the candidate at its start and when it is verified, the final container before it is verified
//! and when it is live. From that follows a word, and it must be the page's.

mod networks;
mod seen;

use serde_json::Value;
use stage::docker::docker;
use stage::ground::on_podman;
use stage::skipped::skip;

use self::networks::Networks;
use self::seen::{Seen, Words};
use super::page::on_both;
use crate::bridge::lacks_bridge;
use crate::support::{App, ok, text};

/// Rows in which both have what `docker run` leaves, or nobody has anything.
const PLAIN: [&str; 3] = ["the same", "no effect", "-"];
const MAC: &str = "92:d0:c6:0a:29:33";

fn restarts(name: &str) -> impl Fn(&Value) -> bool {
    move |it| it["HostConfig"]["RestartPolicy"]["Name"] == name
}

/// A release that is given all of it, in the place of one that has nothing of it.
fn given() -> Words {
    let networks = Networks::new(31);
    let app = &networks.app;
    let (v1, v2) = (app.build("v1"), app.build("v2"));
    let ports = format!("{}:8080", app.port);
    let there = ["--network", &networks.front, "-p", &ports];
    let head = ["run", "-d", "--name", app.name()];
    docker([&head[..], &there, &[&v1.name]].concat()).unwrap();
    let more = ["--link-local-ip", "169.254.7.7"];
    app.start(&v2, &[&networks.options()[..], &more].concat());
    let seen = Seen::of(app);
    let mut words = networks.words(&seen);
    words.insert("publish", seen.ports(app.port));
    words.insert("restart", seen.words(restarts("always")));
    words
}

/// One that is given no run options, in the place of one that a person has changed since its start.
fn of_live(nth: u8, flags: &[&str]) -> Words {
    let networks = Networks::new(nth);
    let (app, back) = (&networks.app, networks.back.as_str());
    let (v1, v2) = (app.build("v1"), app.build("v2"));
    let head = ["run", "-d", "-P", "--name", app.name()];
    docker([&head[..], &networks.options(), &[&v1.name, "one"]].concat()).unwrap();
    docker(["network", "connect", back, app.name()]).unwrap();
    docker(["update", "--restart", "unless-stopped", app.name()]).unwrap();
    let into = format!("{}:/written", app.name());
    docker(["cp", "/etc/hostname", &into]).unwrap();
    let port =
        text(&app.container("").unwrap()["NetworkSettings"]["Ports"]["8080/tcp"][0]["HostPort"])
            .parse();
    let flags = [&["--image", &v2.name], flags].concat();
    ok(&app.step("start-candidate", &flags));
    let is_written =
        |end: &str| docker(["cp", &format!("{}{end}:/written", app.name()), "-"]).is_ok();
    let on_candidate = is_written("-new");
    let seen = Seen::of(app);
    let written =
        [on_candidate, is_written("")].map(|it| if it { "the same" } else { "no" }.to_owned());
    let mut words = networks.words(&seen);
    words.remove("link-local-ip");
    words.extend([
        ("publish-all", seen.ports(port.unwrap())),
        (
            "a network connected later",
            seen.words(|it| it["NetworkSettings"]["Networks"][back].is_object()),
        ),
        (
            "a restart policy of `docker update`",
            seen.words(restarts("unless-stopped")),
        ),
        ("files written in the container", written),
    ]);
    words
}

/// One that is given a hardware address, if the engine gives any.
fn with_mac() -> Option<Words> {
    let app = App::new("mac");
    let image = app.build("v1");
    let option = format!("--mac-address={MAC}");
    docker(["run", "-d", "--name", app.name(), &option, &image.name]).ok()?;
    docker(["rm", "-f", app.name()]).unwrap();
    app.start(&image, &[&option]);
    let has = |it: &Value| {
        let places = it["NetworkSettings"]["Networks"]
            .as_object()
            .into_iter()
            .flatten();
        it["Config"]["MacAddress"] == MAC
            || places
                .into_iter()
                .any(|(_, place)| place["MacAddress"] == MAC)
    };
    Some(Words::from([("mac-address", Seen::of(&app).words(has))]))
}

#[test]
fn what_the_page_says_of_the_candidate_and_of_the_final_container_is_what_the_engine_shows() {
    if on_podman() {
        return skip("podman does not show which address was asked for");
    }
    if lacks_bridge() {
        return;
    }
    let mut words = given();
    let like_live = of_live(32, &["--like-live"]);
    for (row, shown) in of_live(33, &[]) {
        let given = words.entry(row).or_insert_with(|| like_live[row].clone());
        assert_eq!(*given, like_live[row], "{row}");
        if given[0] != shown[0] {
            assert_eq!(given[0], "the same", "{row}: {shown:?}");
            given[0] = format!("{}; from its start if given, or by `--like-live`", shown[0]);
        }
        assert_eq!(given[1], shown[1], "{row}");
    }
    let mac = with_mac();
    if mac.is_none() {
        skip("the engine gives its client no hardware address, so that row is not looked at");
    }
    let page = on_both();
    let untried = |row: &str| mac.is_none() && row == "mac-address";
    words.extend(mac.clone().unwrap_or_default());
    let differs = |both: &[String; 2]| both.iter().any(|it| !PLAIN.contains(&&**it));
    let unseen = page
        .iter()
        .filter(|(row, both)| differs(both) && !untried(row));
    let unseen: Vec<_> = unseen
        .filter(|(row, _)| !words.contains_key(row.as_str()))
        .collect();
    assert!(unseen.is_empty(), "nothing looks at {unseen:?}");
    for (row, shown) in words {
        assert_eq!(
            page[row], shown,
            "{row}: the page, and what the engine shows"
        );
    }
}
