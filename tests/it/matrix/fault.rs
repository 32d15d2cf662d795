//! What goes wrong at a call.

/// As `faulty-docker` knows them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The step is killed, and the call does not happen.
    KillBefore,
    /// The step is killed when the call is done.
    KillAfter,
    /// It fails, and nothing is done.
    Fail,
    /// It does nothing for longer than the step waits.
    Hang,
    /// It is carried out, and then says nothing for longer than the step waits.
    Late,
    /// It is carried out, but half of what it says is lost.
    Cut,
}

impl Fault {
    pub(super) const ALL: [Fault; 6] = [
        Fault::KillBefore,
        Fault::KillAfter,
        Fault::Fail,
        Fault::Hang,
        Fault::Late,
        Fault::Cut,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Fault::KillBefore => "kill-before",
            Fault::KillAfter => "kill-after",
            Fault::Fail => "fail",
            Fault::Hang => "hang",
            Fault::Late => "late",
            Fault::Cut => "cut",
        }
    }

    pub(super) fn kills(self) -> bool {
        matches!(self, Fault::KillBefore | Fault::KillAfter)
    }

    /// A deadline of its own only where one is to be met: a busy machine is no fault.
    pub(super) fn flags(self) -> &'static [&'static str] {
        match self {
            Fault::Hang | Fault::Late => &["--engine-timeout", "5s"],
            _ => &[],
        }
    }
}
