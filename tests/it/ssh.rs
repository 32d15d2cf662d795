//! Deployments by a CI's ssh key, whose forced command lets it do nothing else.

mod action;
mod fleet;
mod foreign;
mod lost;
mod refused;
mod releases;
mod runner;
mod server;
mod told;
mod ways;

use stage::image::{Built, Image};
use stage::registry;

use crate::support::App;
use crate::vm::Vm;
use runner::{Done, Runner};
use server::Server;

/// An app with a VM that its CI reaches.
struct Remote {
    // Before the app, whose end removes what a session may still be at work with.
    server: Server,
    vm: Vm,
    app: App,
}

impl Remote {
    fn new(prefix: &str) -> Remote {
        Remote::configured(prefix, "", "")
    }

    /// With one text of the steps' configuration in place of another.
    fn configured(prefix: &str, from: &str, to: &str) -> Remote {
        let app = App::new(prefix);
        let vm = Vm::of(&app, registry::shared().unwrap().host());
        vm.reconfigure(from, to);
        let server = Server::on(&vm);
        Remote { server, vm, app }
    }

    /// An image in the app's repository; its digest there.
    fn push(&self, image: &Image, tag: &str) -> (Built, String) {
        let built = image.build(&format!("{}:{tag}", self.vm.repository));
        let built = built.unwrap();
        let digest = built.push().unwrap();
        (built, digest)
    }

    fn release(&self, version: &str) -> Built {
        self.push(&self.app.image(version), version).0
    }
    /// Runs the deploy action with these inputs besides those that say where the VM is.
    fn action(&self, inputs: &[(&'static str, &str)]) -> Done {
        let given = inputs.iter().map(|it| (it.0, it.1.to_owned()));
        let all: Vec<_> = self.server.inputs().into_iter().chain(given).collect();
        let runner = Runner::new();
        let done = runner.run(runner.action(&all));
        let code = done.run.code.to_string();
        assert_eq!(done.output("exit-code"), Some(&*code), "{done:?}");
        done
    }
}
