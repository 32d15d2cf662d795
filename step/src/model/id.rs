//! Full ids, as engines give them.

/// Whether it is a container's full id, or an image's without the algorithm: 64 hex digits.
pub fn is_full_id(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Whether it is a full id of Swarm's: 25 letters and digits.
pub fn is_service_id(text: &str) -> bool {
    text.len() == 25 && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}
