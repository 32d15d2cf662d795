//! On a swarm: the tasks of a service, wherever they run, asked by this very program in a container on their network.

mod ask;
mod task_probe;

use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use step::contract::failure::CommonFailure;
use step::contract::handoff::Handoff;
use step::engine::Engine;
use step::engine::image::Image;
use step::engine::swarm::service::Service;
use step::engine::swarm::task::Task;
use step::model::image_ref::ImageRef;
use step::ownership::Owned;
use step::ownership::marks::Marks;
use step::terminal::progress;
use step::terminal::spinner::{status, waiting};
use step::text::printable;

use crate::args::Args;
use crate::failure::Failure;
use crate::report::Report;
use task_probe::{TaskProbe, Word};

pub(crate) fn run(args: &Args) -> Result<Report, Failure> {
    let engine = Engine::find(&args.common.engine)?;
    engine.manager()?;
    let (name, service) = find(args, &engine)?;
    let service = service.ok_or_else(|| Failure::NoContainer(name.clone()))?;
    let is_candidate = !args.live && args.candidate.is_none();
    let mut expected = args.handoff.candidate_id.iter().filter(|_| is_candidate);
    if expected.any(|id| *id != service.id) {
        return Err(Failure::OtherContainer(name));
    }
    let recipe = Marks::of_service(&service)
        .map(|it| it.recipe)
        .unwrap_or_default();
    let probe = args.probe().or(&recipe.probe);
    if probe.tcp || probe.https || !probe.exec.is_empty() {
        let why =
            "with --swarm it is asked over plain HTTP, or by its HEALTHCHECK (--docker-health)";
        return Err(Failure::NoAddress(name, why.to_owned()));
    }
    let published = recipe.tcp().first().map(|publish| publish.container);
    let mut config = TaskProbe {
        args,
        engine: &engine,
        service: &service,
        port: probe.port.or(published),
        probe,
        until: Instant::now() + args.within,
        word: Word::default(),
    };
    let wait = waiting(format!("probe-health: waiting for the tasks of {name}"));
    let target = config.until_healthy()?;
    drop(wait);
    let word = config.word;
    let named = |it: ImageRef| (!it.as_str().is_empty()).then_some(it);
    progress(&format!("probe-health: {name} is healthy"));
    Ok(Report {
        target,
        attempts: word.attempts,
        last_attempts: word.last_attempts,
        handoff: Handoff {
            image: named(recipe.image).or_else(|| service.image().parse().ok()),
            image_id: named(recipe.image_id),
            digest: recipe.digest,
            probe: Some(config.probe),
            ..args.handed_on(&name, &service.id)
        },
    })
}

/// Any service by its own name, or the app's by its labels.
fn find(args: &Args, engine: &Engine) -> Result<(String, Option<Service>), Failure> {
    if let Some(name) = &args.candidate {
        return Ok((name.to_string(), engine.service(name.as_str())?));
    }
    let (app, live, names) = args.identity.known().map_err(CommonFailure::Usage)?;
    let found = Owned::read_services(engine, app, live).map_err(CommonFailure::from)?;
    let name = args.chosen(names);
    let service = found.named(&name);
    Ok((name, service))
}

impl TaskProbe<'_> {
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
            status(&why);
            self.pause()?;
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

    /// Where this engine does not have it, it is pulled: another manager may have put the release live.
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
}
