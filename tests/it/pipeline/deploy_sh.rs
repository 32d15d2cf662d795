//! The script for the VM beside `cargo xtask deploy`: the same reports, the same codes, the same end.

use std::fs;
use std::process::Stdio;

use jsonschema::Registry;
use serde_json::Value;
use stage::cargo;
use stage::docker::{docker, in_containerds_store};
use stage::image::{Built, Image};
use stage::registry;
use stage::steps::{Run, run, step};

use crate::bridge::has_bridge;
use crate::resume::KILLED;
use crate::support::{App, Fault, eventually, ok, text};
use crate::vm::Vm;

const STEPS: [&str; 5] = [
    "pull-image",
    "start-candidate",
    "probe-health",
    "promote",
    "prune-app",
];

/// One app that the script deploys, and one that xtask does.
struct Both {
    vm: Vm,
    script: App,
    xtask: App,
}

impl Both {
    fn new(prefix: &str) -> Both {
        let host = registry::shared().unwrap().host();
        let (script, xtask) = (App::new(prefix), App::new(prefix));
        let vm = Vm::of(&script, host);
        vm.reconfigure("60s", "2s");
        Both { vm, script, xtask }
    }

    /// The same image for both.
    fn push(&self, version: &str, change: impl Fn(Image) -> Image) -> [Built; 2] {
        let host = registry::shared().unwrap().host();
        [&self.script, &self.xtask].map(|app| {
            let image = change(app.image(version));
            let built = image.build(&format!("{host}/{}:{version}", app.name()));
            let built = built.unwrap();
            built.push().unwrap();
            built
        })
    }

    fn script(&self, words: &[&str]) -> Run {
        let argv = [&["deploy.sh", self.script.name()], words].concat();
        run(self.vm.command(&argv), None).unwrap()
    }

    fn xtask(&self, words: &[&str]) -> Run {
        let env_file = self.vm.etc(&format!("{}.env", self.script.name()));
        let publish = format!("--publish={}:8080", self.xtask.port);
        let mut xtask = step("xtask").unwrap();
        xtask
            .args([words[0], "--app", self.xtask.name(), &publish])
            .args(["--replace", "--within=2s"])
            .args(&words[1..]);
        if words[0] == "deploy" {
            xtask.args(["--", "--memory=512m", "--env-file"]);
            xtask.arg(env_file);
        }
        run(xtask, None).unwrap()
    }

    /// Runs both; they must say the same, and their apps must be in the same state.
    fn compare(&self, task: &str, images: Option<[&str; 2]>) -> Value {
        let [ours, theirs] = images.map_or([None, None], |it| it.map(Some));
        let with = |image: Option<&str>| run_words(task, image);
        let script = self.script(&as_strs(&with(ours)));
        let xtask = self.xtask(&as_strs(&with(theirs)));
        assert_eq!(script.code, xtask.code, "{script:?}\n{xtask:?}");
        let said = [(&script, &self.script), (&xtask, &self.xtask)].map(|(run, app)| {
            let report = run.json().unwrap();
            assert_as_published(&report);
            alike(&report, app)
        });
        assert_eq!(said[0], said[1]);
        assert_eq!(self.script.present(), self.xtask.present());
        script.json().unwrap()
    }
}

/// The report of the whole is as its schema says, and each step's in it as that step's.
fn assert_as_published(report: &Value) {
    let read = |path: &str| -> Value {
        let text = fs::read_to_string(cargo::workspace().join(path)).unwrap();
        serde_json::from_str(&text).unwrap()
    };
    let mut registry = Registry::new();
    for step in STEPS {
        let schema = read(&format!("{step}/schema.json"));
        let id = text(&schema["$id"]).to_owned();
        registry = registry.add(id, schema).unwrap();
    }
    let (registry, schema) = (registry.prepare().unwrap(), read("xtask/vm/schema.json"));
    assert!(jsonschema::meta::is_valid(&schema));
    let whole = jsonschema::options().with_registry(&registry);
    let whole = whole.build(&schema).unwrap();
    let errors: Vec<String> = whole.iter_errors(report).map(|it| it.to_string()).collect();
    assert!(errors.is_empty(), "{errors:?}\n{report}");
    let mut wrong = report.clone();
    wrong["steps"][0] = serde_json::json!({"step": "pull-image", "ok": true});
    assert!(!whole.is_valid(&wrong));
}

fn run_words(task: &str, image: Option<&str>) -> Vec<String> {
    let image = image.map(str::to_owned);
    [task.to_owned()].into_iter().chain(image).collect()
}

fn as_strs(words: &[String]) -> Vec<&str> {
    words.iter().map(String::as_str).collect()
}

fn names(images: &[Built; 2]) -> Option<[&str; 2]> {
    Some([&images[0].name, &images[1].name])
}

/// A report without what differs from run to run: times, counts of looks, addresses and ids.
fn alike(report: &Value, app: &App) -> Value {
    match report {
        Value::Object(map) => {
            let crashed = map.get("error").is_some_and(|it| it["kind"] == "crashed");
            let kept = map.iter().map(|(key, value)| {
                // Whether one that crashes is looked at before is a matter of time.
                // Packed, two images of one recipe differ by some bytes.
                let varies = key.ends_with("_ms")
                    || key == "size_bytes" && in_containerds_store()
                    || key == "last_attempts" && crashed
                    || ["probes", "attempts"].contains(&&**key)
                    || key == "failed" && !has_bridge();
                let value = if varies {
                    Value::Null
                } else if key == "last_attempts" {
                    // How many there are is a matter of time, and whether the first came before the app listened.
                    let last = value.as_array().and_then(|all| all.last());
                    alike(last.unwrap_or(&Value::Null), app)
                } else {
                    alike(value, app)
                };
                (key.clone(), value)
            });
            Value::Object(kept.collect())
        }
        Value::Array(list) => list.iter().map(|it| alike(it, app)).collect(),
        Value::String(text) => {
            let text = text.replace(app.name(), "APP");
            let hex = |c: char| c.is_ascii_hexdigit();
            let words: Vec<&str> = text
                .split_inclusive(|c: char| !c.is_ascii_alphanumeric())
                .map(|word| match word.trim_end_matches(|c| !hex(c)) {
                    id if id.len() == 64 && id.chars().all(hex) => "ID",
                    _ => word,
                })
                .collect();
            let digits = |c: char| if c.is_ascii_digit() { '0' } else { c };
            let mut text: String = words.concat().chars().map(digits).collect();
            while text.contains("00") {
                text = text.replace("00", "0");
            }
            text.into()
        }
        other => other.clone(),
    }
}

#[test]
fn the_script_for_the_vm_reports_and_ends_as_xtask_deploy_does() {
    let both = Both::new("both");
    let v1 = both.push("v1", |image| image);
    let v2 = both.push("v2", |image| image);
    let sick = both.push("sick", |image| image.env("SICK", "1"));
    let crash = both.push("crash", |image| image.env("CRASH", "1"));
    let first = both.compare("deploy", names(&v1));
    assert_eq!(first["steps"].as_array().unwrap().len(), 5, "{first}");
    let second = both.compare("deploy", names(&v2));
    let bridge = if has_bridge() { "on" } else { "off" };
    assert_eq!(second["steps"][3]["swap"]["bridge"], bridge, "{second}");
    for (images, code) in [(&sick, 30), (&crash, 32)] {
        let bad = both.compare("deploy", names(images));
        assert_eq!(bad["exit_code"], code, "{bad}");
        assert_eq!(bad["fallback"]["ok"], true, "{bad}");
        both.script.assert_live(&v2[0]);
    }
    let nowhere = [&v1[0], &v1[1]].map(|it| it.name.replace(":v1", ":nowhere"));
    let absent = both.compare("deploy", Some([&nowhere[0], &nowhere[1]]));
    assert_eq!(absent["failed_step"], "pull-image", "{absent}");
    both.compare("rollback", None);
    both.script.assert_live(&v1[0]);
    both.xtask.assert_live(&v1[1]);
    // What the steps were told wrongly is a report with a hole, and the same code.
    both.vm.reconfigure("--within=2s", "--within=soon");
    let wrong = both.script(&["deploy", &v2[0].name]);
    assert_eq!(wrong.code, 2, "{wrong:?}");
    let wrong = wrong.json().unwrap();
    assert_eq!(wrong["steps"][2], Value::Null, "{wrong}");
    both.script.assert_live(&v1[0]);
    let history = both
        .vm
        .log(&format!("deploy-steps/{}.jsonl", both.script.name()));
    let lines: Vec<Value> = history
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let codes: Vec<&Value> = lines.iter().map(|it| &it["exit_code"]).collect();
    assert_eq!(codes, [0, 0, 30, 32, 10, 0, 2]);
    assert_eq!(lines[6], wrong);
}

#[test]
fn a_promotion_that_was_killed_with_its_heir_is_finished_by_the_next_deployment_and_the_next_rollback()
 {
    let both = Both::new("cut-off");
    let [v1, v2, v3] = ["v1", "v2", "v3"].map(|version| both.push(version, |image| image));
    both.compare("deploy", names(&v1));
    let kill_promotions_of = |images: &[Built; 2]| {
        for (app, image) in [(&both.script, &images[0]), (&both.xtask, &images[1])] {
            ok(&app.step("pull-image", &[&image.name]));
            app.candidate(image, &[]);
            let fault = Fault::After("stop", "kill -KILL $CALLER");
            assert_eq!(app.promote_with(fault, &[]).code, KILLED);
            assert_eq!(app.present(), ["-new", "-old", "-next"]);
        }
    };
    kill_promotions_of(&v2);
    let deployed = both.compare("deploy", names(&v3));
    assert_eq!(deployed["exit_code"], 0, "{deployed}");
    assert_eq!(deployed["resumed"]["carried_on"], true, "{deployed}");
    assert_eq!(deployed["resumed"]["image"], v2[0].name.as_str());
    let replaced = &deployed["steps"][3]["replaced"];
    assert_eq!(replaced["image"], v2[0].name.as_str(), "{deployed}");
    both.script.assert_live(&v3[0]);
    kill_promotions_of(&v1);
    let back = both.compare("rollback", None);
    assert_eq!(back["exit_code"], 0, "{back}");
    assert_eq!(back["resumed"]["carried_on"], true, "{back}");
    both.script.assert_live(&v3[0]);
    both.xtask.assert_live(&v3[1]);
    // What is undone because the candidate is gone is what the rollback was for.
    kill_promotions_of(&v2);
    for app in [&both.script, &both.xtask] {
        docker(["rm", "-f", &format!("{}-new", app.name())]).unwrap();
    }
    let back = both.compare("rollback", None);
    assert_eq!(back["exit_code"], 42, "{back}");
    assert_eq!(back["resumed"]["ok"], false, "{back}");
    both.script.assert_live(&v3[0]);
    both.xtask.assert_live(&v3[1]);
}

#[test]
fn a_line_of_like_live_keeps_what_no_line_gives_until_it_is_rolled_back() {
    let both = Both::new("like");
    let (app, vm) = (&both.script, &both.vm);
    vm.reconfigure(
        "start-candidate --\n",
        "start-candidate --like-live\nstart-candidate --\n",
    );
    let [v1, _] = both.push("v1", |image| image);
    let [v2, _] = both.push("v2", |image| image);
    let ports = format!("{}:8080", app.port);
    let by_hand = [
        "run",
        "-d",
        "-h",
        "box",
        "-e",
        "KEPT=1",
        "-e",
        "COLOR=red",
        "-p",
        &ports,
    ];
    docker(by_hand.into_iter().chain(["--name", app.name(), &v1.name])).unwrap();
    ok_code(&both.script(&["deploy", &v2.name]));
    let live = app.container("").unwrap();
    assert_eq!(live["Config"]["Hostname"], "box");
    let env = live["Config"]["Env"].as_array().unwrap();
    assert!(
        env.contains(&"KEPT=1".into()) && env.contains(&"COLOR=blue".into()),
        "{env:?}"
    );
    ok_code(&both.script(&["rollback"]));
    app.assert_live(&v1);
}

fn ok_code(run: &Run) {
    assert_eq!(run.code, 0, "{run:?}");
}

#[test]
fn a_second_deployment_of_an_app_waits_for_the_first() {
    let both = Both::new("queue");
    both.vm.reconfigure("2s", "30s");
    let slow = both.push("v1", |image| image.env("BOOT_MS", "2000"));
    let v2 = both.push("v2", |image| image);
    let deploy = |image: &Built| {
        let argv = ["deploy.sh", both.script.name(), "deploy", &image.name];
        let mut command = both.vm.command(&argv);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    };
    let first = deploy(&slow[0]).spawn().unwrap();
    eventually("the first one is at it", || {
        both.script.present().contains(&"-new")
    });
    let second = run(deploy(&v2[0]), None).unwrap();
    let first = first.wait_with_output().unwrap();
    assert!(first.status.success(), "{first:?}");
    assert!(second.stderr.contains("waiting for another"), "{second:?}");
    let replaced = ok(&second)["steps"][3]["replaced"]["image"].clone();
    assert_eq!(replaced, slow[0].name.as_str());
    both.script.assert_live(&v2[0]);
}

#[test]
fn an_interrupted_deployment_is_undone() {
    let both = Both::new("ctrl-c");
    both.vm.reconfigure("2s", "30s");
    let [image, _] = both.push("v1", |image| image.env("BOOT_MS", "20000"));
    // All of the terminal's processes get the signal, as from a key; timeout passes it on to its group.
    let script = ["deploy.sh", both.script.name(), "deploy", &image.name];
    let group = ["timeout", "--signal=INT", "--kill-after=60", "4"];
    let run = run(both.vm.command(&[&group[..], &script].concat()), None).unwrap();
    let report = run.json().unwrap();
    assert_eq!(report["exit_code"], 7, "{run:?}");
    assert_eq!(report["failed_step"], "probe-health", "{run:?}");
    assert!(both.script.present().is_empty());
    assert_eq!(text(&report["app"]), both.script.name());
}

#[test]
fn the_history_does_not_grow_without_end() {
    let both = Both::new("history");
    let folder = both.vm.logs().join("deploy-steps");
    fs::create_dir(&folder).unwrap();
    let file = format!("deploy-steps/{}.jsonl", both.script.name());
    let old: String = (1..=2000).map(|n| format!("{{\"n\":{n}}}\n")).collect();
    fs::write(both.vm.logs().join(&file), old).unwrap();
    // There is nothing to go back to.
    let report = both.script(&["rollback"]).json().unwrap();
    let history = both.vm.log(&file);
    let lines: Vec<&str> = history.lines().collect();
    assert_eq!((lines.len(), lines[0]), (1000, "{\"n\":1002}"));
    assert_eq!(serde_json::from_str::<Value>(lines[999]).unwrap(), report);
    both.script(&["rollback"]);
    assert_eq!(both.vm.log(&file).lines().count(), 1001);
}

#[test]
fn words_that_it_does_not_know_are_answered_with_the_usage() {
    let both = Both::new("words");
    let all: [&[&str]; 5] = [
        &[],
        &["deploy"],
        &["deploy", "--schema"],
        &["promote", "web:v1"],
        &["status", "now"],
    ];
    for words in all {
        let said = both.script(words);
        assert_eq!((said.code, &*said.stdout), (2, ""), "{said:?}");
        assert!(said.stderr.starts_with("usage: deploy.sh"), "{said:?}");
    }
    let elsewhere = both.vm.command(&["deploy.sh", "../etc", "status"]);
    assert_eq!(run(elsewhere, None).unwrap().code, 2);
}
