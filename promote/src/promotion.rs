//! What every part of a promotion is handed.

use serde_json::Value;
use step::engine::Engine;
use step::model::name::{Name, Names};

use crate::args::Args;
use crate::cgroup::Cgroup;

/// One promotion of one app.
#[derive(Clone)]
pub(crate) struct Promotion<'a> {
    pub(crate) args: &'a Args,
    pub(crate) engine: Engine,
    pub(crate) app: &'a Name,
    pub(crate) live: &'a Name,
    pub(crate) names: Names,
    /// What is known of the promotion before, which was killed.
    pub(crate) killed: Killed,
    /// Whether somebody finishes what this leaves undone.
    pub(crate) has_heir: bool,
    /// Where its helpers outlive the unit in which it runs.
    pub(crate) cgroup: Cgroup,
}

impl<'a> Promotion<'a> {
    /// One that nobody has begun, and that nobody would finish.
    pub(crate) fn new(
        args: &'a Args,
        engine: Engine,
        app: &'a Name,
        live: &'a Name,
        names: Names,
    ) -> Self {
        Self {
            args,
            engine,
            app,
            live,
            names,
            killed: Killed::default(),
            has_heir: false,
            cgroup: Cgroup::default(),
        }
    }
}

/// What a promotion that was killed has noted beside the lock, which only this user or root can have written.
#[derive(Default, Clone)]
pub(crate) struct Killed {
    /// What its heir reported.
    pub(crate) heir: Option<Value>,
    /// The candidate it promoted, where no heir reported anything.
    pub(crate) candidate_id: Option<String>,
}
