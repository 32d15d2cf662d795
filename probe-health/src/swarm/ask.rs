//! Asking a task for its health from a container on its network, which is this very program.

use std::net::SocketAddr;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use step::engine::cli::Reply;
use step::engine::error::EngineError;
use step::engine::swarm::task::Task;
use step::text::secrets::Secrets;

use super::task_probe::{PAUSE, TaskProbe, Word};
use crate::failure::Failure;

impl TaskProbe<'_> {
    /// As [`TaskProbe::ask`], once more where the network went with the last container on it here, which may be the
    /// one that asked the task before.
    pub(super) fn ask_on(&self, network: &str, target: SocketAddr) -> Result<Reply, Failure> {
        loop {
            let reply = self.ask(network, target)?;
            let gone = format!("network {network} not found");
            if !reply.stderr.contains(&gone) || Instant::now() > self.until {
                return Ok(reply);
            }
            self.pause()?;
        }
    }

    /// Asks for health from a container on the network, until it is there or a task fails.
    fn ask(&self, network: &str, target: SocketAddr) -> Result<Reply, Failure> {
        let name = format!("{}-probe-{}", self.service.name(), std::process::id());
        let words = self.words(&name, network, target)?;
        let left = self.until.saturating_duration_since(Instant::now());
        let patience = left + self.args.how.timeout + self.args.common.engine.engine_timeout;
        let (sender, reply) = channel();
        let engine = self.engine.clone();
        let headers = self.args.how.header.iter();
        let headers: String = headers
            .map(|(name, value)| format!("{name}: {value}\n"))
            .collect();
        let (asked, sent) = (words.clone(), headers.clone());
        let ask = move || drop(sender.send(engine.run_once(&asked, &sent, patience)));
        if thread::Builder::new().spawn(ask).is_err() {
            return Ok(self.engine.run_once(&words, &headers, patience)?);
        }
        loop {
            match reply.recv_timeout(PAUSE) {
                Ok(reply) => return Ok(reply?),
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(self.not_in_time("nothing".to_owned()));
                }
                Err(RecvTimeoutError::Timeout) => {
                    if let Err(failure) = self.tasks() {
                        // It would go on asking for what is not there any more.
                        let _ = self.engine.remove(&[&name]);
                        return Err(failure);
                    }
                }
            }
        }
    }

    fn words(
        &self,
        name: &str,
        network: &str,
        target: SocketAddr,
    ) -> Result<Vec<String>, EngineError> {
        let program = std::env::current_exe().map_err(|error| EngineError::Failed {
            call: "docker run".to_owned(),
            message: format!("this program cannot be found: {error}"),
        })?;
        let (args, how) = (self.args, &self.args.how);
        let left = self.until.saturating_duration_since(Instant::now());
        let ms = |time: Duration| format!("{}ms", time.as_millis().max(1));
        let mut words = vec![
            format!("--name={name}"),
            format!("--network={network}"),
            "--no-healthcheck".to_owned(),
            "--user=0".to_owned(),
            format!(
                "--mount=type=bind,src={},dst=/probe-health,readonly",
                program.display()
            ),
            "--entrypoint=/probe-health".to_owned(),
            self.service.image().to_owned(),
            format!("--url=http://{target}{}", self.probe.path()),
            "--quiet".to_owned(),
            format!("--within={}", ms(left)),
            format!("--interval={}", ms(args.interval)),
            format!("--timeout={}", ms(how.timeout)),
            format!("--successes={}", args.successes),
        ];
        words.extend(args.attempts.map(|n| format!("--attempts={n}")));
        let range = self.probe.expect_status;
        words.extend(range.map(|range| format!("--expect-status={range}")));
        let body = self.probe.expect_body.iter();
        words.extend(body.map(|text| format!("--expect-body={text}")));
        words.extend(self.probe.host.iter().map(|host| format!("--host={host}")));
        words.push("--headers-from-stdin".to_owned());
        Ok(words)
    }

    /// What it said: health, or what there was instead.
    pub(super) fn heard(&mut self, task: &Task, reply: &Reply) -> Result<(), Failure> {
        let word: Option<Word> = serde_json::from_str(reply.stdout.trim()).ok();
        let Some(word) = word else {
            let headers = self.args.how.header.iter();
            let secrets = Secrets::of(headers.map(|(_, value)| value.as_str()));
            let said = secrets.show(&reply.stderr, 300);
            let why = if said.contains("no such file") {
                format!("{said} (the program must be linked statically, as in the package)")
            } else {
                said
            };
            return Err(Failure::NoAddress(self.service.name().to_owned(), why));
        };
        self.word.attempts += word.attempts;
        self.word.last_attempts = word.last_attempts;
        if word.ok {
            return Ok(());
        }
        // It may have ended at the very last.
        self.tasks()?;
        let log = self.log(task);
        Err(Failure::NotHealthy(self.word.attempts, self.evidence(log)))
    }
}
