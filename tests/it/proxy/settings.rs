//! What depends on the proxy's settings, and on the right to change packet rules.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use stage::load::Outcome;
use stage::steps::run;

use super::front::{Behind, Front, settings};
use super::under_load;
use crate::support::{ok, text};

/// A deployment through a proxy with these settings, with rules or without.
fn deployed(program: &str, settings: &str, rules: bool, what: &str) -> Outcome {
    let behind = Behind::new(&format!("set-{program}"));
    let app = &behind.app;
    let build = |version: &str| app.tagged(&app.image(version).env("GRACEFUL", "1"), version);
    let (v1, v2) = (build("v1"), build("v2"));
    behind.deploy(&v1);
    let front = Front::start(&behind.app, &behind.network, program, settings);
    let refused = tempfile::tempdir().unwrap();
    let nft = refused.path().join("nft");
    fs::write(&nft, "#!/bin/sh\necho not permitted >&2\nexit 1\n").unwrap();
    fs::set_permissions(&nft, fs::Permissions::from_mode(0o755)).unwrap();
    under_load(&front, what, || {
        let candidate = behind.candidate(&v2);
        let mut promote = app.command("promote", &behind.flags(&[]));
        if !rules {
            let path = std::env::var("PATH").unwrap();
            promote.env("PATH", format!("{}:{path}", refused.path().display()));
        }
        let report = ok(&run(promote, None).unwrap());
        let swap = &report["swap"];
        assert_eq!(swap["handed_over"], rules, "{swap}");
        assert_eq!(
            text(&swap["not_handed_over_because"]).contains("nft"),
            !rules,
            "{swap}"
        );
        behind.assert_live(&candidate, &v2);
    })
}

#[test]
fn without_packet_rules_the_settings_of_the_page_are_enough_for_an_app_that_finishes_its_requests()
{
    for program in ["nginx", "haproxy"] {
        let seen = deployed(
            program,
            &settings(program),
            false,
            &format!("{program}, no rules"),
        );
        assert_eq!(seen.failed(), 0, "{program}: {:?}", seen.kinds());
        assert_eq!(seen.versions(), ["v1", "v2"]);
    }
}

#[test]
fn a_proxy_that_looks_the_name_up_only_when_it_starts_stays_with_the_container_that_is_gone() {
    let nginx = "server {\n    listen 80;\n    location / {\n        proxy_pass http://web:8080;\n    }\n}\n";
    let haproxy = "defaults\n    mode http\n    timeout connect 5s\n    timeout client 30s\n    timeout server 30s\n\
                   frontend f\n    bind :80\n    default_backend b\nbackend b\n    server web web:8080\n";
    for (program, settings) in [("nginx", nginx), ("haproxy", haproxy)] {
        let seen = deployed(
            program,
            settings,
            true,
            &format!("{program}, looked up once"),
        );
        assert!(seen.failed() > 0, "{program}");
    }
}
