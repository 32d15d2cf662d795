//! What is installed on a VM: the files by their names, the pages that stand alone, completions that complete.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::sync::LazyLock;

use stage::cargo::{self, STEPS};
use stage::steps::{Run, run, step};
use tempfile::TempDir;

/// The files as they are laid out below /usr, once for all tests, with the debug builds of the programs.
static TREE: LazyLock<TempDir> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    let mut xtask = step("xtask").unwrap();
    xtask.args(["dist", "--draft"]).arg(folder.path());
    ok(xtask);
    folder
});

fn ok(command: Command) -> Run {
    let run = run(command, None).unwrap();
    assert_eq!(run.code, 0, "{run:?}");
    run
}

fn in_tree(path: &str) -> std::path::PathBuf {
    TREE.path().join(path)
}

/// A page as a terminal shows it.
fn page(name: &str) -> String {
    let mut man = Command::new("man");
    man.args(["--warnings", "--local-file"])
        .arg(in_tree(&format!("share/man/man1/{name}.1")))
        .env("MANWIDTH", "200")
        .env("MAN_KEEP_FORMATTING", "")
        .env("LC_ALL", "C.UTF-8");
    let run = ok(man);
    assert_eq!(run.stderr, "", "{name}");
    run.stdout
}

#[test]
fn each_program_is_installed_with_its_page_completions_and_schema() {
    for step in STEPS {
        let mut program = Command::new(in_tree(&format!("bin/{step}")));
        program.arg("--version");
        assert!(ok(program).stdout.starts_with(&format!("{step} ")));
        for path in [
            format!("share/man/man1/{step}.1"),
            format!("share/bash-completion/completions/{step}"),
            format!("share/zsh/site-functions/_{step}"),
            format!("share/fish/vendor_completions.d/{step}.fish"),
            format!("share/deploy-steps/schemas/{step}.json"),
        ] {
            assert!(in_tree(&path).is_file(), "{path}");
        }
    }
}

#[test]
fn all_scripts_and_documents_for_a_vm_are_installed() {
    let doc = "share/doc/deploy-steps";
    assert!(in_tree("share/deploy-steps/schemas/deploy.json").is_file());
    let pages = format!("{doc}/docs");
    for (from, to) in [("xtask/vm", doc), ("docs", &pages)] {
        for entry in std::fs::read_dir(cargo::workspace().join(from)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            if name == "schema.json" {
                continue;
            }
            let places = [
                format!("bin/{name}"),
                format!("sbin/{name}"),
                format!("{to}/{name}"),
                format!("{to}/examples/{name}"),
            ];
            let there = places.iter().any(|place| in_tree(place).is_file());
            assert!(there, "{from}/{name} is in none of {places:?}");
        }
    }
    assert!(in_tree(doc).join("vm.md").is_file());
}

#[test]
fn the_package_makes_the_folder_of_locks_and_has_a_timer_that_nobody_wants_yet() {
    let tmpfiles = std::fs::read_to_string(in_tree("lib/tmpfiles.d/deploy-steps.conf")).unwrap();
    assert!(tmpfiles.ends_with("\nd /run/deploy-steps 2770 root docker -\n"));
    for unit in ["service", "timer"] {
        let unit = format!("lib/systemd/system/deploy-steps-prune@.{unit}");
        assert!(in_tree(&unit).is_file(), "{unit}");
    }
    let root = tempfile::tempdir().unwrap();
    let script = cargo::workspace().join("xtask/dist/debian/postinst");
    let mut shellcheck = Command::new("shellcheck");
    shellcheck.arg(&script);
    ok(shellcheck);
    // The second time is an update, before which somebody has changed the mode.
    for mode in [0o2770, 0o700] {
        let mut configure = Command::new(&script);
        configure
            .args(["configure", ""])
            .env("DPKG_ROOT", root.path());
        ok(configure);
        let folder = root.path().join("run/deploy-steps");
        let found = std::fs::metadata(&folder).unwrap().permissions().mode();
        assert_eq!(found & 0o7777, mode);
        std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o700)).unwrap();
    }
}

#[test]
fn a_man_page_stands_alone_and_names_each_flag_variable_and_exit_code_of_the_help() {
    for name in STEPS {
        let shown = page(name);
        let mut sections = shown.lines().filter(|line| !line.starts_with(' '));
        for title in [
            "NAME",
            "SYNOPSIS",
            "DESCRIPTION",
            "OPTIONS",
            "COMMON OPTIONS",
            "EXAMPLES",
            "EXIT STATUS",
            "ENVIRONMENT",
            "SEE ALSO",
        ] {
            assert!(
                sections.any(|line| line == title),
                "{title} of {name}:\n{shown}"
            );
        }
        let mut help = step(name).unwrap();
        help.arg("--help");
        let help = ok(help).stdout;
        let (flags, codes) = help.split_once("Exit codes:\n").unwrap();
        for line in codes.lines() {
            assert!(shown.contains(line.trim()), "{line} of {name}:\n{shown}");
        }
        for word in flags.split(|c: char| c.is_whitespace() || "[]=,`".contains(c)) {
            let flag = word.starts_with("--") && word.len() > 3;
            assert!(!flag || shown.contains(word), "{word} of {name}:\n{shown}");
        }
    }
}

#[test]
fn the_examples_of_the_help_are_commands_that_their_step_understands() {
    for name in STEPS {
        let mut help = step(name).unwrap();
        help.arg("--help");
        let help = ok(help).stdout;
        let (_, examples) = help.split_once("Examples:\n").unwrap();
        let (examples, _) = examples.split_once("\n\n").unwrap();
        let begin = format!("    {name} ");
        let mut found = 0;
        for words in examples
            .lines()
            .filter_map(|line| line.strip_prefix(&begin))
        {
            let mut command = step(name).unwrap();
            command.arg("--schema").args(words.split(' '));
            ok(command);
            found += 1;
        }
        // A sentence and a command each: none is broken in two.
        assert_eq!(examples.lines().count(), 2 * found, "{name}:\n{help}");
    }
}

#[test]
fn bash_completes_the_flags_and_values_of_each_step() {
    let complete = "set -u; . \"$1/$2\"; spec=$(complete -p \"$2\"); [[ $spec =~ -F\\ ([^ ]+) ]]; \
        COMP_WORDS=(\"$2\" \"${@:3}\"); COMP_CWORD=$(($# - 2)); \
        \"${BASH_REMATCH[1]}\" \"$2\" \"${@: -1}\" \"${@: -2:1}\"; echo \"${COMPREPLY[*]}\"";
    let completed = |name: &str, words: &[&str]| {
        let mut bash = Command::new("bash");
        bash.args(["--norc", "-c", complete, "bash"])
            .arg(in_tree("share/bash-completion/completions"))
            .arg(name)
            .args(words);
        ok(bash).stdout
    };
    for name in STEPS {
        assert_eq!(completed(name, &["--engine-t"]).trim(), "--engine-timeout");
    }
    let modes = completed("promote", &["--bridge", ""]);
    assert_eq!(modes.trim(), "auto require off");
}

#[test]
fn the_installed_pipeline_finds_the_installed_steps() {
    let path = std::env::var("PATH").unwrap();
    let bin = in_tree("bin");
    let mut doctor = Command::new(bin.join("doctor.sh"));
    doctor.env("PATH", format!("{}:{path}", bin.display()));
    let said = run(doctor, None).unwrap().stdout;
    let steps = said.lines().find(|line| line.contains("steps ")).unwrap();
    assert!(steps.starts_with("ok"), "{said}");
    assert!(steps.ends_with(Path::new(&bin).to_str().unwrap()), "{said}");
}
