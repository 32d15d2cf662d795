//! Two things at once: a call of the engine is mostly waiting.

use std::panic::resume_unwind;
use std::thread;

/// Does the one here and the other on a thread of its own, and returns when both are done.
pub fn both<A, B: Send>(here: impl FnOnce() -> A, beside: impl FnOnce() -> B + Send) -> (A, B) {
    thread::scope(|scope| {
        let beside = scope.spawn(beside);
        let here = here();
        (
            here,
            beside.join().unwrap_or_else(|panic| resume_unwind(panic)),
        )
    })
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn both_run_at_the_same_time() {
        let ((to_here, here), (to_there, there)) = (channel(), channel());
        let done = both(
            || {
                to_there.send("ping").unwrap();
                here.recv().unwrap()
            },
            move || {
                let heard = there.recv().unwrap();
                to_here.send("pong").unwrap();
                heard
            },
        );
        assert_eq!(done, ("pong", "ping"));
    }
}
