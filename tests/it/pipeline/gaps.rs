//! What clients lose by a swap without the bridge, and by stopping and running in plain shell, side by side.

use std::io::{self, Write};
use std::thread;
use std::time::Duration;

use stage::image::{Built, Image};
use stage::load::{Load, Outcome};
use stage::steps::run;

use super::shell;
use crate::support::App;

/// The swap of the script that teams start from. The candidate is removed by force, which is
/// quicker than the stop that some of those scripts give it.
const PLAIN: &str = r#"set -eu
docker stop -t "$GRACE" "$APP"
docker rm "$APP"
docker rm -f "$APP-new"
docker run -d --name "$APP" --restart always -p "$PORT:8080" "$IMAGE"
"#;
const PROMOTE: &str = r#"promote --app "$APP" --bridge off --stop-timeout "${GRACE}s""#;
/// The best of so many rounds, as whatever else this machine does only makes a swap slower.
const ROUNDS: usize = 3;

#[test]
fn an_app_that_answers_at_once_loses_less_than_in_plain_shell() {
    compare("instant", &|image| image);
}

#[test]
fn an_app_that_needs_two_seconds_to_boot_loses_less_than_in_plain_shell() {
    compare("booting", &|image| image.env("BOOT_MS", "2000"));
}

#[test]
fn an_app_that_ignores_sigterm_loses_less_than_in_plain_shell() {
    compare("ignorant", &|image| image.env("DEAF", "1"));
}

fn compare(kind: &str, make: &dyn Fn(Image) -> Image) {
    let app = App::new(kind);
    let build = |version: &str| app.tagged(&make(app.image(version)), version);
    let (v1, v2) = (build("v1"), build("v2"));
    app.deploy(&v1, &[]);
    let (mut plain, mut promoted) = (usize::MAX, usize::MAX);
    for _ in 0..ROUNDS {
        plain = plain.min(failed(&app, PLAIN, &v2));
        promoted = promoted.min(failed(&app, PROMOTE, &v1));
    }
    let _ = writeln!(
        io::stdout(),
        "{kind}: failed requests at 300 a second, best of {ROUNDS} swaps: plain shell {plain}, promote {promoted}"
    );
    assert!(
        promoted < plain,
        "{kind}: promote {promoted}, plain {plain}"
    );
}

fn failed(app: &App, script: &str, image: &Built) -> usize {
    app.candidate(image, &[]);
    let load = Load::start(app.addr(), "/", 300);
    thread::sleep(Duration::from_millis(300));
    let mut sh = shell(script, app, &image.name);
    sh.env("GRACE", "2");
    let done = run(sh, None).unwrap();
    assert_eq!(done.code, 0, "{done:?}");
    await_answer(app, image);
    let seen: Outcome = load.stop();
    assert_eq!(seen.versions().len(), 2, "{:?}", seen.kinds());
    seen.failed()
}

fn await_answer(app: &App, image: &Built) {
    crate::support::eventually("the new release answers", || {
        image.name.ends_with(&app.answer())
    });
}
