//! Two things at once: a call of the engine is mostly waiting.

use std::panic::resume_unwind;
use std::sync::mpsc::channel;
use std::thread;

/// Does the one here and the other on a thread of its own, and returns when both are done. Where no thread can be
/// started, the other is done first.
pub fn both<A, B: Send, F: FnOnce() -> B + Send>(here: impl FnOnce() -> A, beside: F) -> (A, B) {
    // Given to the thread once that has started, as it would be lost with one that cannot.
    let (work, given) = channel::<F>();
    let work_on = move || match given.recv() {
        Ok(beside) => beside(),
        Err(lost) => resume_unwind(Box::new(lost)),
    };
    thread::scope(|scope| {
        let started = thread::Builder::new().spawn_scoped(scope, work_on);
        let Ok(thread) = started else {
            let beside = beside();
            return (here(), beside);
        };
        let _ = work.send(beside);
        let here = here();
        let beside = thread.join();
        (here, beside.unwrap_or_else(|panic| resume_unwind(panic)))
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
