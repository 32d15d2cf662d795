//! A step's man page and shell completions, for packages; not in the programs that are shipped.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Command;
use clap_complete::{Shell, generate};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use super::args::StepArgs;
use super::identity::VARIABLES;
use crate::role::Role;
use crate::terminal::warn;

/// What belongs to every step besides the other steps.
const ALSO: &str = "deploy.sh and doctor.sh are the whole pipeline and a look at what a machine lacks; \
    share/doc/deploy-steps below /usr or /usr/local has README.md, vm.md, and docs with troubleshooting.md by exit code. docker(1), nft(8)";

/// Writes them below the folder that follows, laid out as /usr/share is.
pub(super) fn role<A: StepArgs>() -> Role {
    Role {
        name: "__manual",
        run: |words| {
            let share = PathBuf::from(words.into_iter().next().unwrap_or_default());
            match write(A::command(), &share) {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => {
                    warn(&format!("{} cannot be written: {error}", share.display()));
                    ExitCode::FAILURE
                }
            }
        },
    }
}

fn write(mut command: Command, share: &Path) -> io::Result<()> {
    let name = command.get_name().to_owned();
    file(share, "man/man1", &format!("{name}.1"), &man(&command)?)?;
    let shells = [
        (Shell::Bash, "bash-completion/completions", name.clone()),
        (Shell::Zsh, "zsh/site-functions", format!("_{name}")),
        (
            Shell::Fish,
            "fish/vendor_completions.d",
            format!("{name}.fish"),
        ),
    ];
    for (shell, folder, file_name) in shells {
        let mut script = Vec::new();
        generate(shell, &mut command, &name, &mut script);
        file(share, folder, &file_name, &script)?;
    }
    Ok(())
}

fn man(command: &Command) -> io::Result<Vec<u8>> {
    let mut command = command.clone();
    if command.get_overridden_usage().is_none() {
        let usage = command.render_usage().to_string();
        command = command.override_usage(usage.trim_start_matches("Usage: ").to_owned());
    }
    let version = command.get_version().unwrap_or_default().to_owned();
    let page = Man::new(command.clone())
        .source(format!("deploy-steps {version}"))
        .manual("deploy-steps");
    let mut out = Vec::new();
    page.render_title(&mut out)?;
    page.render_name_section(&mut out)?;
    page.render_synopsis_section(&mut out)?;
    page.render_description_section(&mut out)?;
    page.render_options_section(&mut out)?;
    ending(&command).to_writer(&mut out)?;
    environment(&command).to_writer(&mut out)?;
    see_also(command.get_name()).to_writer(&mut out)?;
    out.flush()?;
    Ok(out)
}

/// The end of `--help`, whose parts have titles of their own.
fn ending(command: &Command) -> Roff {
    let text = command.get_after_long_help().map(ToString::to_string);
    let text = text.unwrap_or_default();
    let mut roff = Roff::new();
    for part in text.split("\n\n") {
        let (title, lines) = part.split_once('\n').unwrap_or((part, ""));
        let title = match title {
            "Exit codes:" => "EXIT STATUS".to_owned(),
            title => title.trim_end_matches(':').to_uppercase(),
        };
        roff.control("SH", [title.as_str()]);
        roff.control("nf", []);
        for line in lines.lines() {
            roff.text([roman(line.strip_prefix("  ").unwrap_or(line))]);
        }
        roff.control("fi", []);
    }
    roff
}

fn environment(command: &Command) -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", ["ENVIRONMENT"]);
    for arg in command.get_arguments() {
        let (Some(variable), Some(flag)) = (arg.get_env(), arg.get_long()) else {
            continue;
        };
        roff.control("TP", []);
        roff.text([bold(variable.to_string_lossy())]);
        roff.text([roman(format!("as --{flag}, where that is not given"))]);
    }
    roff.control("PP", []);
    let names = VARIABLES.join(", ");
    roff.text([roman(format!(
        "{names} are read only where APP_NAME is set, and no flag and no report names an app or a container; the first line on stderr then says so."
    ))]);
    roff.control("PP", []);
    let engine = "The engine's own variables, such as DOCKER_HOST and DOCKER_CONFIG, reach its command line tool.";
    roff.text([roman(engine)]);
    roff
}

fn see_also(name: &str) -> Roff {
    let steps = [
        "pull-image",
        "start-candidate",
        "probe-health",
        "promote",
        "prune-app",
    ];
    let others = steps.into_iter().filter(|step| *step != name);
    let mut words = Vec::new();
    for other in others {
        words.extend([bold(other), roman("(1)  ")]);
    }
    let mut roff = Roff::new();
    roff.control("SH", ["SEE ALSO"]);
    roff.text(words);
    roff.control("PP", []);
    roff.text([roman(ALSO)]);
    roff
}

fn file(share: &Path, folder: &str, name: &str, text: &[u8]) -> io::Result<()> {
    let folder = share.join(folder);
    fs::create_dir_all(&folder)?;
    fs::write(folder.join(name), text)
}
