//! Hidden roles: a step starts its own program once more, for work that needs a process of its own.
//!
//! The role is the first argument. Its name begins with two underscores, so no flag and no name of a container is taken
//! for one. The environment would not do: a step's children inherit it.
//!
//! | role | of | its work |
//! | --- | --- | --- |
//! | `__send` | each step | sends one command to the engine's socket, and holds the promotion's lock until it is done |
//! | `__heir` | promote | finishes or rolls back what a killed promotion has left |
//! | `__forward` | promote | forwards connections that nft cannot translate, and ends the bridge with the candidate |
//! | `__manual` | each step, as it is built for the package | writes its man page and completions |

use std::env;
use std::ffi::OsString;
use std::process::ExitCode;

/// One role of a program.
#[derive(Clone, Copy)]
pub struct Role {
    /// Its name, the first argument.
    pub name: &'static str,
    /// Its work, from the arguments behind its name.
    pub run: fn(Vec<OsString>) -> ExitCode,
}

/// Does the work of a role, where this process was started for one.
pub(crate) fn requested(roles: &[Role]) -> Option<ExitCode> {
    let mut args = env::args_os().skip(1);
    let name = args.next()?;
    let role = roles.iter().find(|role| name == role.name)?;
    Some((role.run)(args.collect()))
}
