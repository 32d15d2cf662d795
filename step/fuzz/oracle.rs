//! What holds for every text that `--from` is given: what a report brings, the flags would have taken too.

use clap::Parser;
use step::contract::handoff::{Handoff, Received};
use step::contract::identity::Identity;
use step::health::args::ProbeArgs;
use step::model::image_ref::ImageRef;
use step::model::probe::Probe;

#[derive(Parser, Debug)]
struct Flags {
    #[command(flatten)]
    identity: Identity,
    #[command(flatten)]
    how: ProbeArgs,
    #[arg(long)]
    image: Option<ImageRef>,
    #[arg(long, value_parser = step::model::image_ref::platform)]
    platform: Option<String>,
}

/// Whether `text` is taken; an error where it should not have been.
pub(crate) fn check(text: &str) -> Result<bool, String> {
    match text.parse::<Received>() {
        Ok(Received::Handoff(handoff)) => {
            same_again(&handoff)?;
            as_flags(&handoff).map(|()| true)
        }
        Ok(Received::Failed { report, code }) => {
            let one_line = !report.contains('\n')
                && serde_json::from_str::<serde_json::Value>(&report).is_ok();
            let passes = (1..=100).contains(&code) && one_line;
            passes.then_some(true).ok_or(format!("{code} {report}"))
        }
        Err(why) => {
            let harmless =
                !why.chars().any(char::is_control) && !why.contains("##[") && why.len() < 4000;
            harmless.then_some(false).ok_or(why)
        }
    }
}

fn same_again(handoff: &Handoff) -> Result<(), String> {
    let mut report = serde_json::to_value(handoff).map_err(|error| error.to_string())?;
    report["ok"] = true.into();
    match report.to_string().parse() {
        Ok(Received::Handoff(again)) if *again == *handoff => Ok(()),
        _ => Err(report.to_string()),
    }
}

fn as_flags(handoff: &Handoff) -> Result<(), String> {
    let probe = handoff.probe.clone().unwrap_or_default();
    let names = [&handoff.app, &handoff.container, &handoff.candidate];
    let images = [&handoff.image, &handoff.image_id];
    let names = names
        .into_iter()
        .flatten()
        .map(|name| format!("--app={name}"));
    let images = images
        .into_iter()
        .flatten()
        .map(|image| format!("--image={image}"));
    let digest = handoff
        .digest
        .iter()
        .map(|digest| format!("--image=x@{digest}"));
    let platform = handoff.platform.iter();
    let platform = platform.map(|platform| format!("--platform={platform}"));
    let all = names.chain(images).chain(digest).chain(platform);
    for flag in all.chain(of_probe(&probe)) {
        let read = Flags::try_parse_from(["step", &flag]).map_err(|error| error.to_string())?;
        if flag.starts_with("--exec=") && read.how.probe().exec != probe.exec {
            return Err(flag);
        }
    }
    let full = |id: &str| id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    let image = handoff.image_id.as_ref().map(ImageRef::as_str);
    let image = image.map(|id| id.strip_prefix("sha256:").unwrap_or(id));
    // On a swarm a candidate is a service, whose id is shorter.
    let service = |id: &str| id.len() == 25 && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let candidate = handoff.candidate_id.as_deref();
    let malformed = image.filter(|id| !full(id));
    match malformed.or(candidate.filter(|id| !full(id) && !service(id))) {
        Some(id) => Err(id.to_owned()),
        None => Ok(()),
    }
}

fn of_probe(probe: &Probe) -> Vec<String> {
    let exec = Some(probe.exec.join(" ")).filter(|_| !probe.exec.is_empty());
    let flags = [
        probe.path.as_ref().map(|path| format!("--path={path}")),
        probe.port.map(|port| format!("--port={port}")),
        probe.host.as_ref().map(|host| format!("--host={host}")),
        probe
            .expect_status
            .map(|range| format!("--expect-status={range}")),
        exec.map(|words| format!("--exec={words}")),
    ];
    flags.into_iter().flatten().collect()
}
