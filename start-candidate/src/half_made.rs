//! What this very command has left in the candidate's place when it was killed: no other deployment waits for that.
//!
//! A killed step's last call keeps the lock until the engine is done. Whoever has the lock next therefore finds either
//! nothing, or a container that is all there. It is this command's own if it was made by the same recipe, and was either
//! never started or is the one that the killed step had noted beside the lock.

use std::thread;
use std::time::{Duration, Instant};

use step::engine::Engine;
use step::engine::container::Container;
use step::engine::error::EngineError;
use step::model::name::Names;
use step::ownership::marks::Marks;
use step::terminal::progress;

/// Whose note is beside the lock.
pub(crate) const STEP: &str = "start-candidate";
/// A container whose creation lost its caller may not be seen yet, although its name is taken.
const SEEN_WITHIN: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(50);

/// Whether it is this command's own; `killed` is the id that was noted.
pub(crate) fn is_own(found: &Container, marks: &Marks, killed: Option<&String>) -> bool {
    marks.are_among(&found.config.labels)
        && (found.state.status == "created" || killed == Some(&found.id))
}

/// Removes it, and returns whether the place is free.
pub(crate) fn remove(
    engine: &Engine,
    names: &Names,
    marks: &Marks,
    killed: Option<&String>,
) -> Result<bool, EngineError> {
    let Some(found) = seen(engine, names)? else {
        return Ok(true);
    };
    if !is_own(&found, marks, killed) {
        return Ok(false);
    }
    progress(&format!(
        "start-candidate: removing {}, which was left half made",
        names.candidate
    ));
    engine.remove_with_volumes(&[&found.id])?;
    Ok(true)
}

fn seen(engine: &Engine, names: &Names) -> Result<Option<Container>, EngineError> {
    let end = Instant::now() + SEEN_WITHIN;
    loop {
        let found = engine.container(&names.candidate)?;
        if found.is_some() || Instant::now() > end {
            return Ok(found);
        }
        thread::sleep(PAUSE);
    }
}
