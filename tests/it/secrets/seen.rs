//! What anybody can see of a deployment, and the secrets in it.

use std::fs;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use stage::docker::docker;
use stage::ground::on_machine;
use stage::steps::run;

use super::shapes::Planted;
use crate::support::App;

/// Where the words of a container stand that the engine shows to everybody.
const OPEN: [&str; 4] = ["labels", "docker ps", "events", "arguments"];
/// Hidden roles of the steps' own children.
const ROLES: [&str; 3] = ["__heir", "__send", "__forward"];

/// Texts by where they were seen.
#[derive(Default)]
pub(super) struct Seen {
    texts: Vec<(&'static str, String)>,
    /// Streams of steps that may show an app's log.
    logs: bool,
}

impl Seen {
    pub(super) fn count(&self) -> usize {
        self.texts.len()
    }

    pub(super) fn begin_log(&mut self) {
        self.logs = true;
    }

    pub(super) fn end_log(&mut self) {
        self.logs = false;
    }

    pub(super) fn stream(&mut self, text: &str) {
        let place = if self.logs { "log" } else { "stream" };
        self.texts.push((place, text.to_owned()));
    }

    pub(super) fn labels_of(&mut self, app: &App) {
        for end in ["", "-new", "-next", "-old"] {
            if let Some(container) = app.container(end) {
                self.texts
                    .push(("labels", container["Config"]["Labels"].to_string()));
            }
        }
        let listed = docker(["ps", "--all", "--no-trunc", "--format", "{{.Labels}}"]);
        self.texts.push(("docker ps", listed.unwrap()));
    }

    /// The words of the engine's CLI; the value of a log driver's option has no other way.
    pub(super) fn arguments(&mut self, calls: &str) {
        assert!(calls.contains("create"), "nothing was recorded");
        self.texts.push(("arguments", calls.to_owned()));
    }

    /// What an heir has left: a note beside the lock, and a line in the journal of a machine that has one.
    pub(super) fn notes(&mut self) {
        let place = if self.logs { "log" } else { "note" };
        let entries = fs::read_dir("/run/deploy-steps").unwrap().flatten();
        let notes = entries.map(|it| fs::read_to_string(it.path()).unwrap_or_default());
        let notes: Vec<String> = notes.filter(|it| !it.is_empty()).collect();
        assert!(
            notes.iter().any(|it| it.contains("promote")),
            "no note was left"
        );
        self.texts.extend(notes.into_iter().map(|it| (place, it)));
        if on_machine() {
            let mut journal = Command::new("journalctl");
            journal.args(["--no-pager", "--identifier=deploy-steps"]);
            let said = run(journal, None).unwrap().stdout;
            assert!(said.contains("its heir reports"), "{said}");
            self.texts.push((place, said));
        }
    }

    /// Where which secret is, in any encoding.
    pub(super) fn hits(&self, planted: &Planted) -> Vec<String> {
        let mut hits = Vec::new();
        for secret in planted.all() {
            let forms = forms(&secret);
            for (place, text) in &self.texts {
                let may_show = *place == "log" && !Planted::is_for_logs(&secret);
                let has_no_other_way =
                    *place == "arguments" && text.contains(&format!("tag={secret}"));
                let is_open = planted.is_open(&secret) && OPEN.contains(place);
                if may_show || has_no_other_way || is_open {
                    continue;
                }
                if let Some(form) = forms.iter().find(|form| text.contains(*form)) {
                    let at = text.find(form).unwrap_or(0);
                    let around: String = text[..at].chars().rev().take(80).collect();
                    let around: String = around.chars().rev().collect();
                    let form: String = form.chars().take(60).collect();
                    hits.push(format!("{place}: {form:?} behind {around:?}"));
                }
            }
        }
        hits
    }
}

/// Written independently of the steps: by the libraries and languages that write logs and reports.
fn forms(secret: &str) -> Vec<String> {
    let json = serde_json::to_string(secret).unwrap();
    let percent = |byte: u8| match char::from(byte) {
        c if c.is_ascii_alphanumeric() => c.to_string(),
        _ => format!("%{byte:02X}"),
    };
    let decimal: Vec<String> = secret.bytes().map(|byte| byte.to_string()).collect();
    let mut all = vec![
        secret.to_owned(),
        secret.trim().to_owned(),
        json.trim_matches('"').to_owned(),
        // As a recipe is quoted in a report or an event.
        serde_json::to_string(&json)
            .unwrap()
            .trim_matches(['"', '\\'])
            .to_owned(),
        secret.bytes().map(percent).collect(),
        decimal.join(" "),
    ];
    if secret.lines().count() > 1 {
        all.extend(
            secret
                .lines()
                .filter(|line| line.starts_with("Zq"))
                .map(str::to_owned),
        );
    }
    if secret.len() > 1000 {
        let parts = [0, 16_384, 30_000, secret.len() - 60];
        all.extend(parts.map(|at| secret[at..at + 60].to_owned()));
    }
    all
}

/// Looks at the events of the engine and at the steps' own children until it ends.
pub(super) struct Watch {
    since: u64,
    over: Arc<AtomicBool>,
    children: JoinHandle<Vec<String>>,
}

impl Watch {
    pub(super) fn start() -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&over);
        let children = thread::spawn(move || {
            let mut found = Vec::new();
            while !told.load(Ordering::Relaxed) {
                found.extend(children());
                found.sort_unstable();
                found.dedup();
                thread::sleep(Duration::from_millis(5));
            }
            found
        });
        Self {
            since: now(),
            over,
            children,
        }
    }

    pub(super) fn end(self, seen: &mut Seen) {
        self.over.store(true, Ordering::Relaxed);
        let children = self.children.join().unwrap();
        assert!(
            children.iter().any(|it| it.contains("__heir")),
            "no heir was seen"
        );
        seen.texts.push(("children", children.join("\n")));
        let span = [
            format!("--since={}", self.since),
            format!("--until={}", now() + 1),
        ];
        let words = ["events", "--format", "{{json .}}"].map(str::to_owned);
        let events = docker(words.into_iter().chain(span)).unwrap();
        assert!(events.contains("deploy-steps.recipe"), "{events}");
        seen.texts.push(("events", events));
    }
}

fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs()
}

fn children() -> Vec<String> {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let words = processes.filter_map(|entry| fs::read(entry.path().join("cmdline")).ok());
    let words = words.map(|words| String::from_utf8_lossy(&words).into_owned());
    words
        .filter(|words| ROLES.iter().any(|role| words.contains(role)))
        .collect()
}
