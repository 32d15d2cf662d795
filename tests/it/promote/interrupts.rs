//! Signals: undone before anything was stopped, finished after, and a lost terminal is no reason to stop.

use std::fs;
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use stage::ground::on_podman;
use stage::skipped::skip;

use crate::support::{App, Fault, failed, ok};

#[test]
fn an_interrupt_before_anything_was_stopped_is_undone() {
    for signal in ["TERM", "INT"] {
        let app = App::new("undone");
        let (v1, v2) = (app.build("v1"), app.build("v2"));
        app.deploy(&v1, &[]);
        let live = app.id("");
        app.candidate(&v2, &[]);
        let kill = format!("kill -{signal} $CALLER");
        let run = app.promote_with(Fault::After("create", &kill), &[]);
        failed(&run, 7, "interrupted");
        app.assert_untouched(&live, &v1);
        assert_eq!(app.present(), ["", "-new"]);
        ok(&app.promote(&[]));
        app.assert_live(&v2);
    }
}

#[test]
fn an_interrupt_during_the_last_look_at_the_candidate_is_obeyed_at_once() {
    let app = App::new("looking");
    let flags = tempfile::tempdir().unwrap();
    let mount = format!("{}:/flags:ro", flags.path().display());
    let v1 = app.tagged(&app.image("v1").env("SICK_FILE", "/flags/sick"), "v1");
    app.candidate(&v1, &["-v", &mount]);
    fs::write(flags.path().join("sick"), "").unwrap();
    let mut promote = app.command("promote", &[]);
    promote.stdout(Stdio::piped()).stderr(Stdio::piped());
    let promote = promote.spawn().unwrap();
    thread::sleep(Duration::from_secs(1));
    kill_process(Pid::from_child(&promote), Signal::TERM).unwrap();
    let ended = promote.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(7), "{ended:?}");
    assert_eq!(app.present(), ["-new"]);
}

#[test]
fn an_interrupt_during_the_swap_waits_until_it_is_done() {
    for (signal, call) in [("TERM", "rename"), ("INT", "stop"), ("TERM", "start")] {
        let app = App::new("finished");
        let (v1, v2) = (app.build("v1"), app.build("v2"));
        app.deploy(&v1, &[]);
        app.candidate(&v2, &[]);
        let kill = format!("kill -{signal} $CALLER");
        let report = ok(&app.promote_with(Fault::Before(call, &kill), &[]));
        assert_eq!(report["changed"], true, "{signal} at {call}");
        app.assert_live(&v2);
    }
}

/// The ids of the processes that this one has started.
fn children(pid: u32) -> Vec<Pid> {
    let threads = fs::read_dir(format!("/proc/{pid}/task"));
    let threads = threads.into_iter().flatten().flatten();
    let lists = threads.filter_map(|it| fs::read_to_string(it.path().join("children")).ok());
    let ids: Vec<i32> = lists
        .flat_map(|list| {
            let ids = list.split_whitespace().map(|id| id.parse().unwrap());
            ids.collect::<Vec<_>>()
        })
        .collect();
    ids.into_iter().filter_map(Pid::from_raw).collect()
}

#[test]
fn a_command_at_the_engines_socket_outlives_a_signal_to_all_of_a_promotions_unit() {
    if on_podman() {
        return skip("podman is reached by its CLI");
    }
    for request in ["/stop?", "/start", "/rename?"] {
        let app = App::new("unit");
        let v1 = app.tagged(&app.image("v1").env("DEAF", "1"), "v1");
        let v2 = app.build("v2");
        app.deploy(&v1, &[]);
        app.candidate(&v2, &[]);
        let mut promote = app.command("promote", &["--stop-timeout", "1s"]);
        promote.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut promote = promote.spawn().unwrap();
        let sends = |pid: &Pid| {
            let words = fs::read_to_string(format!("/proc/{}/cmdline", pid.as_raw_nonzero()));
            words.is_ok_and(|words| words.contains("__send") && words.contains(request))
        };
        // The first that it starts for this request, as soon as it is seen.
        let mut is_signalled = false;
        while promote.try_wait().unwrap().is_none() {
            let sender = children(promote.id()).into_iter().find(sends);
            if let Some(sender) = sender.filter(|_| !is_signalled) {
                let _ = kill_process(sender, Signal::TERM);
                let _ = kill_process(Pid::from_child(&promote), Signal::TERM);
                is_signalled = true;
            }
            thread::sleep(Duration::from_millis(1));
        }
        let ended = promote.wait_with_output().unwrap();
        assert_eq!(ended.status.code(), Some(0), "{request}: {ended:?}");
        app.assert_live(&v2);
    }
}

#[test]
fn a_lost_terminal_does_not_stop_a_promotion() {
    for call in ["create", "stop"] {
        let app = App::new("hangup");
        let (v1, v2) = (app.build("v1"), app.build("v2"));
        app.deploy(&v1, &[]);
        app.candidate(&v2, &[]);
        ok(&app.promote_with(Fault::Before(call, "kill -HUP $CALLER"), &[]));
        app.assert_live(&v2);
    }
}

#[test]
fn a_reader_of_the_progress_who_has_gone_does_not_stop_a_promotion() {
    let app = App::new("nobody");
    let (v1, v2) = (app.build("v1"), app.build("v2"));
    app.deploy(&v1, &[]);
    app.candidate(&v2, &[]);
    let mut promote = app.command("promote", &[]);
    promote.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut promote = promote.spawn().unwrap();
    drop(promote.stderr.take());
    let ended = promote.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    app.assert_live(&v2);
}
