//! The file in which the log of what was replaced is kept.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::OFlags;
use step::engine::Engine;
use step::engine::container::Container;
use step::ownership::marks::image_of;
use step::text::printable;
use step::time::now;

/// More than the complaint of an engine's client is long.
const END: u64 = 2000;

/// Opens it for appending.
///
/// # Errors
/// Why it cannot be.
pub(crate) fn open(path: &Path) -> Result<File, String> {
    let no = |why: String| {
        format!(
            "--keep-log {}: {why}",
            printable(&path.to_string_lossy(), 200)
        )
    };
    let mut options = OpenOptions::new();
    options.append(true).create(true).mode(0o600);
    // A named pipe without a reader would be waited for.
    let flags = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or_default();
    let file = options.custom_flags(flags).open(path);
    let file = file.map_err(|error| no(error.to_string()))?;
    let is_file = file.metadata().is_ok_and(|it| it.is_file());
    match is_file {
        true => Ok(file),
        false => Err(no("it is no regular file".to_owned())),
    }
}

/// Appends the container's log, after one line that says whose it is.
///
/// # Errors
/// Why it is not there, or not to its end.
pub(crate) fn append(
    path: &Path,
    engine: &Engine,
    container: &Container,
    live: &str,
) -> Result<(), String> {
    let mut file = open(path)?;
    let before = file.metadata().map_or(0, |it| it.len());
    // The line before may have had no end.
    let end = if before == 0 { "" } else { "\n" };
    let title = format!("{end}{}\n", title(container, live));
    let written = file.write_all(title.as_bytes());
    written.map_err(|error| error.to_string())?;
    let from = before + title.len() as u64;
    let kept = engine.log_into(&file, &container.id);
    kept.map_err(|error| match complaint(path, from) {
        Some(said) => format!("{error}: {said}"),
        None => error.to_string(),
    })
}

fn title(container: &Container, live: &str) -> String {
    let named = printable(&image_of(container), 600);
    let (id, image_id) = (&container.id, &container.image);
    let now = now();
    format!(
        "# log of the container {live}, id {id}, image {named}, image id {image_id}, replaced before {now}"
    )
}

/// What the engine's client complained of after the log. Each line of the log itself begins with its time.
fn complaint(path: &Path, from: u64) -> Option<String> {
    let mut file = File::open(path).ok()?;
    let length = file.metadata().ok()?.len();
    let from = from.max(length.saturating_sub(END));
    file.seek(SeekFrom::Start(from)).ok()?;
    let mut end = Vec::new();
    file.take(END).read_to_end(&mut end).ok()?;
    let end = String::from_utf8_lossy(&end);
    let last = end.lines().last().filter(|it| it.starts_with("Error"));
    last.map(|last| printable(last, 300))
}
