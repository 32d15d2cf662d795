//! A bridge with many clients, in a login or a unit that may start few processes.

use std::net::TcpStream;
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use stage::steps::run;

use super::connections::ask;
use super::{lacks_bridge, leads, say};
use crate::privileges::docker_group;
use crate::support::{App, eventually, failed, ok, text};
use crate::vm::Vm;

/// An account that no other test has, as the limit counts all processes of an account.
const ACCOUNT: u32 = 47_117;
/// Far less than two threads for each client, and enough for the engine's CLI.
const ENOUGH: u32 = 150;
/// Held by whoever runs something by the account.
static ALONE: Mutex<()> = Mutex::new(());
const CLIENTS: usize = 400;

/// Clients that are there from when the bridge opens, all idle; some of them then ask something. What those heard.
fn idle_clients(app: &App) -> Vec<String> {
    eventually("the bridge opens", || leads(app));
    let clients = (0..CLIENTS).map(|_| TcpStream::connect(app.addr()).unwrap());
    let clients: Vec<_> = clients.collect();
    thread::sleep(Duration::from_millis(300));
    let asking = clients.iter().step_by(20);
    asking.map(|client| ask(client, "/").unwrap()).collect()
}

/// A promotion by an account that may change rules and have no more than `most` processes and threads.
fn limited(vm: &Vm, most: u32, flags: &[&str]) -> Command {
    let (id, group) = (ACCOUNT.to_string(), docker_group().to_string());
    // The limit binds neither root nor who administers the system.
    let user = format!(
        "setpriv --reuid {id} --regid {id} --groups {group} --inh-caps -all,+net_admin \
         --ambient-caps -all,+net_admin -- prlimit --nproc={most}:{most} promote"
    );
    let words: Vec<&str> = user.split_whitespace().collect();
    let mut promote = vm.command(&[&words, flags].concat());
    promote.env("ID", &id);
    promote
}

#[test]
fn four_hundred_idle_clients_use_up_nothing_that_a_promotion_needs() {
    if lacks_bridge() {
        return;
    }
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let app = App::new("few");
    let deaf = |version| app.tagged(&app.image(version).env("DEAF", "1"), version);
    let (old, new) = (deaf("v1"), deaf("v2"));
    app.deploy(&old, &[]);
    app.candidate(&new, &[]);
    let vm = Vm::of(&app, "127.0.0.1:1");
    let flags = ["--bridge", "require", "--stop-timeout", "3s", "--app"];
    let promote = limited(&vm, ENOUGH, &[&flags[..], &[app.name()]].concat());
    let (run, heard) = thread::scope(|scope| {
        let clients = scope.spawn(|| idle_clients(&app));
        (run(promote, None).unwrap(), clients.join().unwrap())
    });
    let report = ok(&run);
    assert_eq!(text(&report["swap"]["bridge"]), "on", "{report}");
    assert!(heard.iter().all(|version| version == "v2"), "{heard:?}");
    app.assert_live(&new);
}

#[test]
fn however_little_may_be_started_a_promotion_ends_with_a_report_and_can_be_run_again() {
    if lacks_bridge() {
        return;
    }
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let app = App::new("fewer");
    let (v1, v2) = (app.build("v1"), app.build("v2"));
    app.deploy(&v1, &[]);
    let vm = Vm::of(&app, "127.0.0.1:1");
    let (mut live, mut next) = ("v1", "v2");
    let candidate = |version| {
        let image = if version == "v1" { &v1 } else { &v2 };
        ok(&app.step("prune-app", &["--candidate"]));
        app.candidate(image, &[]);
    };
    candidate(next);
    for most in [1, 3, 5, 8, 9, 10, 11, 12, 14, 17, 20, 25, 30, 40, 60, 100] {
        let ended = run(limited(&vm, most, &["--app", app.name()]), None).unwrap();
        assert!((0..100).contains(&ended.code), "{most}: {ended:?}");
        let report = ended.json().unwrap();
        assert_eq!(report["ok"], ended.code == 0, "{most}: {ended:?}");
        say(&format!(
            "{most}: {} {}",
            ended.code, report["error"]["kind"]
        ));
        if report["error"]["kind"] == "rollback_failed" {
            // Somebody answers, and the same command again has all it needs.
            app.answer();
            ok(&app.promote(&[]));
        }
        if ended.code == 0 || report["error"]["kind"] == "rollback_failed" {
            (live, next) = (next, live);
        }
        assert_eq!(app.answer(), live, "{most}: {report}");
        if app.container("-new").is_none() || report["error"]["kind"] == "no_candidate" {
            candidate(next);
        }
    }
    let last = app.promote(&[]);
    if last.code != 0 {
        // The rollback before had to stop it.
        failed(&last, 40, "no_candidate");
        candidate(next);
        ok(&app.promote(&[]));
    }
    assert_eq!(app.answer(), next);
}
