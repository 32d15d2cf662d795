//! On a swarm: the tasks of a service, wherever they run, asked by this very program in a container on their network.

mod asking;

use std::net::{IpAddr, SocketAddr};
use std::thread;
use std::time::{Duration, Instant};

use step::{
    Attempt, Baton, Crash, Engine, Image, ImageRef, Probe, Recipe, Service, Task, interrupted,
    printable, progress, seen, waiting,
};

use crate::args::Args;
use crate::failure::{Failure, Seen};
use crate::probe::{Report, container_name};
use asking::Word;

/// Between two looks at the tasks: two calls of the engine.
const PAUSE: Duration = Duration::from_millis(300);

struct Looking<'a> {
    args: &'a Args,
    engine: &'a Engine,
    service: &'a Service,
    probe: Probe,
    port: Option<u16>,
    until: Instant,
    word: Word,
}

pub(crate) fn run(args: &Args) -> Result<Report, Failure> {
    let engine = Engine::find(&args.common.engine)?;
    engine.manager()?;
    let name = container_name(args)?;
    let service = engine.service(&name)?;
    let service = service.ok_or_else(|| Failure::NoContainer(name.clone()))?;
    let is_candidate = !args.live && args.candidate.is_none();
    let mut expected = args.baton.candidate_id.iter().filter(|_| is_candidate);
    if expected.any(|id| *id != service.id) {
        return Err(Failure::OtherContainer(name));
    }
    let recipe = Recipe::of_service(&service).unwrap_or_default();
    let probe = args.probe().or(&recipe.probe);
    if probe.tcp || probe.https || !probe.exec.is_empty() {
        let why =
            "with --swarm it is asked over plain HTTP, or by its HEALTHCHECK (--docker-health)";
        return Err(Failure::NoAddress(name, why.to_owned()));
    }
    let published = recipe.publish.first().map(|publish| publish.container);
    let mut looking = Looking {
        args,
        engine: &engine,
        service: &service,
        port: probe.port.or(published),
        probe,
        until: Instant::now() + args.within,
        word: Word::default(),
    };
    let wait = waiting(format!("probe-health: waiting for the tasks of {name}"));
    let target = looking.until_healthy()?;
    drop(wait);
    let word = looking.word;
    let named = |it: ImageRef| (!it.as_str().is_empty()).then_some(it);
    progress(&format!("probe-health: {name} is healthy"));
    Ok(Report {
        target,
        attempts: word.attempts,
        last_attempts: word.last_attempts,
        baton: Baton {
            app: args.identity.app.clone(),
            container: args.identity.live().cloned(),
            candidate: name.parse().ok().filter(|_| !args.live),
            candidate_id: (!args.live).then(|| service.id.clone()),
            image: named(recipe.image).or_else(|| service.image().parse().ok()),
            image_id: named(recipe.image_id),
            digest: recipe.digest,
            probe: Some(looking.probe),
            ..Baton::default()
        },
    })
}

impl Looking<'_> {
    fn until_healthy(&mut self) -> Result<String, Failure> {
        let running = self.until_running()?;
        if self.probe.docker_health {
            return Ok(self.service.name().to_owned());
        }
        let port = self.port()?;
        let mut targets = Vec::new();
        for task in &running {
            let (network, address) = self.address(task)?;
            let target = SocketAddr::new(address, port);
            let reply = self.ask_on(&network, target)?;
            self.heard(task, &reply)?;
            targets.push(format!("{target}{}", printable(self.probe.path(), 200)));
        }
        Ok(targets.join(" "))
    }

    /// All tasks that the service is to have, once they run.
    fn until_running(&self) -> Result<Vec<Task>, Failure> {
        loop {
            let tasks = self.tasks()?;
            let running: Vec<Task> = tasks.iter().filter(|it| it.runs()).cloned().collect();
            let wanted = tasks.iter().filter(|it| it.is_wanted()).count();
            let planned = self.service.replicas().unwrap_or(wanted).max(1);
            if running.len() >= planned && running.len() == wanted {
                return Ok(running);
            }
            let missing = tasks.iter().find(|it| it.is_wanted() && !it.runs());
            let why = missing.map_or_else(|| "no task yet".to_owned(), Task::why);
            if Instant::now() > self.until {
                return Err(self.not_in_time(why));
            }
            seen(&why);
            self.pause()?;
        }
    }

    fn pause(&self) -> Result<(), Failure> {
        if interrupted() {
            return Err(Failure::Interrupted(self.service.name().to_owned()));
        }
        thread::sleep(PAUSE);
        Ok(())
    }

    /// The tasks, unless one has failed; what is live may have had failed ones at any time.
    fn tasks(&self) -> Result<Vec<Task>, Failure> {
        let tasks = self.engine.tasks(self.service)?;
        match tasks.iter().find(|task| task.has_ended()) {
            Some(ended) if !self.args.live => Err(self.failed(ended)),
            _ => Ok(tasks),
        }
    }

    /// Where a task is asked: on the first of its service's networks.
    fn address(&self, task: &Task) -> Result<(String, IpAddr), Failure> {
        let networks = self.service.networks();
        let mut at = networks.iter();
        at.find_map(|network| Some(((*network).to_owned(), task.address(network)?)))
            .ok_or_else(|| {
                self.no_address(
                    "its service is on no overlay network: start it with `-- --network NAME`",
                )
            })
    }

    fn port(&self) -> Result<u16, Failure> {
        let exposed = |image: Image| match &image.exposed()[..] {
            [only] => Some(*only),
            _ => None,
        };
        if let Some(port) = self.port {
            return Ok(port);
        }
        self.image()?
            .and_then(exposed)
            .ok_or_else(|| self.no_address("its image does not expose exactly one port"))
    }

    /// Pulled where this engine has it not: another manager may have put the release live.
    fn image(&self) -> Result<Option<Image>, Failure> {
        let name = self.service.image();
        if let Some(image) = self.engine.image(name)? {
            return Ok(Some(image));
        }
        let left = self.until.saturating_duration_since(Instant::now());
        self.engine.pull(name, None, left, false)?.success()?;
        Ok(self.engine.image(name)?)
    }

    fn no_address(&self, why: &str) -> Failure {
        Failure::NoAddress(self.service.name().to_owned(), why.to_owned())
    }

    fn not_in_time(&self, saw: String) -> Failure {
        let attempt = Attempt {
            at_ms: 0,
            took_ms: u64::try_from(self.args.within.as_millis()).unwrap_or(u64::MAX),
            ok: false,
            saw,
        };
        let mut seen = self.evidence(Vec::new());
        seen.last_attempts.push(attempt);
        Failure::NotHealthy(self.word.attempts + 1, seen)
    }

    fn failed(&self, task: &Task) -> Failure {
        let mut seen = self.evidence(self.log(task));
        seen.crash = Some(Crash {
            status: task.state().to_owned(),
            exit_code: task.exit_code(),
            oom_killed: false,
            restarts: 0,
        });
        Failure::TaskFailed(task.why(), seen)
    }

    fn log(&self, task: &Task) -> Vec<String> {
        let secrets = self.service.secrets();
        self.engine.task_log(&task.id, 20, &secrets)
    }

    fn evidence(&self, log: Vec<String>) -> Box<Seen> {
        Box::new(Seen {
            container: self.service.name().to_owned(),
            last_attempts: self.word.last_attempts.clone(),
            crash: None,
            log,
        })
    }
}
