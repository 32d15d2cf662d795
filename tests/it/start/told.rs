//! What cannot be carried over is refused in words that name it and the way out: as a person reads them, in one table.

use stage::docker::docker;
use stage::ground::on_podman;
use stage::skipped::skip;
use stage::steps::Run;

use super::nothing_left;
use crate::support::{App, failed, text};

/// A case: what is live, what the next release is given, and what is said of it. `web` is the app, PORT its port.
struct Case {
    live: &'static str,
    next: &'static str,
    code: i32,
    kind: &'static str,
    message: &'static str,
    hint: &'static str,
}

const KEPT: [Case; 6] = [
    Case {
        live: "-p PORT:8080 --rm",
        next: "",
        code: 9,
        kind: "name_taken",
        message: "web was started with --rm: the engine removes it as soon as it stops, and nothing could be rolled back to; nothing was touched",
        hint: "stop it and start it without --rm: `docker run --detach --restart always --name web …`, and deploy again",
    },
    Case {
        live: "-p PORT:8080 --label PODMAN_SYSTEMD_UNIT=web.service",
        next: "",
        code: 9,
        kind: "name_taken",
        message: "web is run by the systemd unit web.service, which would start it again or end what comes in its place; nothing was touched",
        hint: "let the engine keep it: `systemctl disable --now web.service`, then `docker run --detach --restart always --name web …`, and deploy again",
    },
    Case {
        live: "-p PORT:8080 --label com.docker.swarm.service.name=web",
        next: "",
        code: 9,
        kind: "name_taken",
        message: "web is a task of the swarm's service web, which would start another one; nothing was touched",
        hint: "give --swarm and --container web to every step",
    },
    Case {
        live: "-p PORT:8080 --label io.kubernetes.pod.name=web-0",
        next: "",
        code: 9,
        kind: "name_taken",
        message: "web is kept by the Kubernetes pod web-0, which would undo the release; nothing was touched",
        hint: "deploy by what keeps it, or give --container another name",
    },
    Case {
        live: "-p PORT:8080 --label com.hashicorp.nomad.alloc_id=4f7e",
        next: "",
        code: 9,
        kind: "name_taken",
        message: "web is kept by the Nomad allocation 4f7e, which would undo the release; nothing was touched",
        hint: "deploy by what keeps it, or give --container another name",
    },
    Case {
        live: "-p PORT:8080 --label com.amazonaws.ecs.task-arn=arn:task",
        next: "",
        code: 9,
        kind: "name_taken",
        message: "web is kept by the ECS task arn:task, which would undo the release; nothing was touched",
        hint: "deploy by what keeps it, or give --container another name",
    },
];

const REFUSED: [Case; 16] = [
    Case {
        live: "--network host",
        next: "",
        code: 22,
        kind: "option_refused",
        message: "web is on the host's network, where the engine does not know by which ports it is called",
        hint: "say with --publish, before the `--`, where the next release is to be called",
    },
    Case {
        live: "-v web-data:/data -p PORT:8080",
        next: "-- -v web-data:/srv",
        code: 23,
        kind: "shared_volume",
        message: "the candidate may write to /srv, which web has mounted too",
        hint: "mount it read-only, or give --allow-shared-volumes=PLACE if the app bears two writers there",
    },
    Case {
        live: "-p PORT:8080",
        next: "-- --label traefik.enable=true",
        code: 22,
        kind: "option_refused",
        message: "not allowed: by the label traefik.enable a proxy finds the candidate and calls it before it is verified",
        hint: "leave it away, have the proxy call the app by a name, and give promote --network and --alias",
    },
    Case {
        live: "-p PORT:8080",
        next: "-- -e VIRTUAL_HOST=example.com",
        code: 22,
        kind: "option_refused",
        message: "not allowed: by the variable VIRTUAL_HOST a proxy finds the candidate and calls it before it is verified",
        hint: "leave it away, have the proxy call the app by a name, and give promote --network and --alias",
    },
    Case {
        live: "-p PORT:8080",
        next: "-- --rm",
        code: 22,
        kind: "option_refused",
        message: "not allowed: the run options set --rm (a failed candidate must leave its log)",
        hint: "leave that option out",
    },
    Case {
        live: "-p PORT:8080",
        next: "-- -p PORT:8080",
        code: 22,
        kind: "option_refused",
        message: "not allowed: the run options set published ports",
        hint: "leave that option out, and give --publish HOST:CONTAINER before the `--`",
    },
    Case {
        live: "-p PORT:8080",
        next: "-- -P",
        code: 22,
        kind: "option_refused",
        message: "not allowed: the run options set published ports",
        hint: "leave that option out, and give --publish HOST:CONTAINER before the `--`",
    },
    Case {
        live: "-p PORT:8080",
        next: "-- --restart always",
        code: 22,
        kind: "option_refused",
        message: "not allowed: the run options set a restart policy (promote sets it)",
        hint: "leave that option out, and give promote --restart",
    },
    Case {
        live: "-p PORT:8080",
        next: "-- --name web-2",
        code: 22,
        kind: "option_refused",
        message: "not allowed: the run options set a name (the candidate has one of its own)",
        hint: "leave that option out",
    },
    Case {
        live: "-p PORT:8080",
        next: "-- --network host",
        code: 22,
        kind: "option_refused",
        message: "not allowed: the run options set the host's network (two releases cannot share it)",
        hint: "leave that option out, and give --publish HOST:CONTAINER before the `--`",
    },
    Case {
        live: "-p PORT:8080",
        next: "-- --cidfile /nowhere/id",
        code: 22,
        kind: "option_refused",
        message: "not allowed: the run options set --cidfile (it cannot be written twice)",
        hint: "leave that option out",
    },
    Case {
        live: "-p PORT:8080",
        next: "-- --label deploy-steps.app=other",
        code: 22,
        kind: "option_refused",
        message: "not allowed: the run options set the labels of deploy-steps",
        hint: "leave that option out",
    },
    Case {
        live: "-p PORT:8080",
        next: "-- nginx",
        code: 22,
        kind: "option_refused",
        message: "not allowed: one of the run options is no option and no option's value",
        hint: "the image is --image's; a command comes after a second `--`, behind the options",
    },
    Case {
        live: "-p PORT:8080",
        next: "-- --env-file /nowhere/env",
        code: 22,
        kind: "option_refused",
        message: "not allowed: the file of --env-file does not exist: /nowhere/env",
        hint: "mend or write that file, or name another one",
    },
    Case {
        live: "-p PORT:8080",
        next: "-- --label-file /nowhere/labels",
        code: 22,
        kind: "option_refused",
        message: "not allowed: the file of --label-file does not exist: /nowhere/labels",
        hint: "mend or write that file, or name another one",
    },
    Case {
        live: "-p PORT:8080",
        next: "-- --no-such-option",
        code: 22,
        kind: "option_refused",
        message: "not allowed: the engine's client knows no option --no-such-option",
        hint: "mend that option, or leave it out",
    },
];

fn words(app: &App, text: &str) -> Vec<String> {
    let words = text.split_whitespace();
    let words = words.map(|it| it.replace("PORT", &app.port.to_string()));
    words.map(|it| it.replace("web", app.name())).collect()
}

fn assert_said(app: &App, case: &Case, run: &Run) {
    let error = &failed(run, case.code, case.kind)["error"];
    let plain = |it: &str| it.replace(app.name(), "web");
    assert_eq!(
        plain(text(&error["message"])),
        case.message,
        "{}",
        case.next
    );
    assert_eq!(plain(text(&error["hint"])), case.hint, "{}", case.next);
}

/// Cases that follow each other with the same live container share it.
fn each(cases: &[Case]) {
    let app = App::new("told");
    let (v1, v2) = (app.build("v1"), app.build("v2"));
    let mut is_live = "";
    for case in cases {
        if is_live != case.live {
            let _ = docker(["rm", "--force", "--volumes", app.name()]);
            let run = ["run", "-d", "--name", app.name()].map(str::to_owned);
            let image = [v1.name.clone()];
            docker([&run[..], &words(&app, case.live), &image].concat()).unwrap();
            is_live = case.live;
        }
        let image = ["--image", &v2.name].map(str::to_owned);
        let flags = [&image[..], &words(&app, case.next)].concat();
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        assert_said(&app, case, &app.step("start-candidate", &flags));
        nothing_left(&app);
    }
    let volume = format!("{}-data", app.name());
    app.scope.at_end(["volume", "rm", "--force", &volume]);
}

#[test]
fn who_keeps_the_live_container_is_named_with_the_way_out() {
    each(&KEPT);
}

#[test]
fn what_is_refused_is_named_with_the_way_out() {
    if on_podman() {
        return skip("podman says some of it in other words");
    }
    each(&REFUSED);
}
