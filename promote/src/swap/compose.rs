//! What compose must find on the final container, so that it takes that for its own.
//!
//! Compose knows its containers by labels. Without them `docker compose up` makes a second container of the service, and
//! `ps` shows none. The candidate has none of them, or compose would count both. One label has the id of the image that the
//! service had: where the name in compose's file means another image by now, as a moving tag does, `up` would replace the
//! release. So that label has the id that the name means now. Compose tells the name of nobody, but as long as the label
//! is the old container's image, the old container was made by that name.

use step::ownership::keeper::{COMPOSE, is_composed};
use step::ownership::marks::image_of;

use super::Old;
use crate::failure::Failure;
use crate::promotion::Promotion;

const IMAGE: &str = "com.docker.compose.image";

/// Compose's labels of the old container, as options for the one in its place.
pub(super) fn labels(promotion: &Promotion<'_>, old: Option<&Old>) -> Result<Vec<String>, Failure> {
    let Some(old) = old.map(|old| &old.container).filter(|it| is_composed(it)) else {
        return Ok(Vec::new());
    };
    let now = match old.label(IMAGE) == Some(&old.image) {
        true => promotion.engine.image(&image_of(old))?,
        false => None,
    };
    let all = old.config.labels.iter();
    let its = all.filter(|(name, _)| name.starts_with(COMPOSE));
    Ok(its
        .map(|(name, value)| match &now {
            Some(image) if name == IMAGE => format!("--label={name}={}", image.id),
            _ => format!("--label={name}={value}"),
        })
        .collect())
}
