//! The deploy action and the workflow around it, carried out against a real VM, when something goes wrong.

use std::fs;

use stage::cargo;

use super::Remote;
use super::runner::{Runner, fill};
use super::server::keygen;
use super::told::Told;
use crate::workflows::yaml;

#[test]
fn a_sick_release_fails_the_job_with_the_step_s_code_and_one_annotation() {
    let at = Remote::configured("sick-action", "60s", "2s");
    let v1 = at.release("v1");
    assert_eq!(at.server.run("deploy v1").code, 0);
    let live = at.app.id("");
    let (_, digest) = at.push(&at.app.image("bad").env("SICK", "1"), "bad");
    let done = at.action(&[("digest", &digest)]);
    assert_eq!(done.run.code, 30, "{done:?}");
    let error = &done.reports[2]["error"];
    let line = |key: &str| error[key].as_str().unwrap().to_owned();
    let expected = Told {
        name: "error".to_owned(),
        title: "probe-health (exit 30)".to_owned(),
        text: format!("{}\n{}", line("message"), line("hint")),
    };
    assert_eq!(done.told(), [expected], "{done:?}");
    let summary = &done.summary;
    assert!(
        summary.starts_with("<h3>deploy: failed, exit code 30</h3>\n"),
        "{summary}"
    );
    at.app.assert_untouched(&live, &v1);
    assert_eq!(at.app.present(), [""]);
}

#[test]
fn a_vm_with_another_host_key_gets_nothing_and_the_job_fails_with_ssh_s_code() {
    let at = Remote::new("host-key-action");
    let (_, digest) = at.push(&at.app.image("v1"), "v1");
    let pinned = at.server.inputs()[3].1.clone();
    let other = keygen(&at.server.client().join("other"));
    let wrong = format!("{} {other}", pinned.split(' ').next().unwrap());
    let done = at.action(&[("digest", &digest), ("known-hosts", &wrong)]);
    assert_eq!(done.run.code, 255, "{done:?}");
    let told = done.told();
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0].title, "deploy (exit 255)");
    assert!(
        told[0].text.contains("Host key verification failed"),
        "{told:?}"
    );
    assert!(!at.server.log().contains("Accepted"), "{}", at.server.log());
    assert!(at.app.present().is_empty());
}

#[test]
fn what_an_app_logs_is_shown_and_never_carried_out() {
    let at = Remote::new("hostile-action");
    let image = at.app.image("bad").env("CRASH", "1").env("HOSTILE_MB", "1");
    let (_, digest) = at.push(&image, "bad");
    let done = at.action(&[("digest", &digest)]);
    assert_eq!(done.run.code, 32, "{done:?}");
    let told = done.told();
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0].title, "probe-health (exit 32)");
    let log = done.reports[2]["log"].to_string();
    assert!(
        log.contains("##[error]told") || log.contains("::error::told"),
        "{log}"
    );
    assert!(done.summary.contains("told"), "{}", done.summary);
}

/// The scripts of the job that builds, in a repository with nothing but a Dockerfile.
#[test]
fn what_the_workflow_builds_and_pushes_goes_live_by_the_digest_of_that_push() {
    let at = Remote::new("workflow");
    let workflow = yaml(".github/workflows/deploy.yml");
    let job = &workflow["jobs"]["image"];
    let runner = Runner::new();
    let work = runner.path("work");
    fs::copy(cargo::demo_app().unwrap(), work.join("demo-app")).unwrap();
    let dockerfile =
        "FROM scratch\nCOPY demo-app /\nENV VERSION=v1\nEXPOSE 8080\nENTRYPOINT [\"/demo-app\"]\n";
    fs::write(work.join("Dockerfile"), dockerfile).unwrap();
    let value = |expression: &str| match expression {
        "inputs.app" => at.app.name().to_owned(),
        "inputs.image" => at.vm.repository.clone(),
        "inputs.context" => ".".to_owned(),
        "inputs.dockerfile" => String::new(),
        "inputs.registry-user || github.actor" => "ci".to_owned(),
        "secrets.registry-password || github.token" => "a $ecret".to_owned(),
        other => panic!("{other}"),
    };
    let image = fill(job["env"]["IMAGE"].as_str().unwrap(), &value);
    let mut last = None;
    for step in job["steps"].as_array().unwrap() {
        if step["uses"].is_string() {
            continue;
        }
        let mut script = runner.script(step, &value);
        script.env("IMAGE", &image).env("GITHUB_SHA", "c0ffee");
        let done = runner.run(script);
        assert_eq!(done.run.code, 0, "{done:?}");
        last = Some(done);
    }
    let pushed = last.unwrap();
    let live = at.action(&[("digest", pushed.output("digest").unwrap())]);
    assert_eq!(live.run.code, 0, "{live:?}");
    assert_eq!(live.reports[0]["digest"], pushed.output("digest").unwrap());
    assert_eq!(at.app.answer(), "v1");
}
