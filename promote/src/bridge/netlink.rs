//! What the kernel says by netlink, cut into its messages.

/// The messages of a datagram: each begins with its length, and ends at a multiple of four bytes (netlink(7)).
pub(super) fn messages(mut bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let length = u32::from_ne_bytes(bytes.get(..4)?.try_into().ok()?);
        let length = usize::try_from(length).ok().filter(|it| *it >= 16)?;
        let message = bytes.get(..length)?;
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some(message)
    })
}

/// What a message is, by its fifth and sixth byte.
pub(super) fn kind(message: &[u8]) -> Option<u16> {
    Some(u16::from_ne_bytes(message.get(4..6)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_messages_are_messages() {
        let whole = [&17_u32.to_ne_bytes()[..], &[7; 16]].concat();
        assert_eq!(messages(&whole).collect::<Vec<_>>(), [&whole[..17]]);
        assert_eq!(messages(&whole[..15]).count(), 0);
        for broken in [&[9, 0, 0][..], &[1, 0, 0, 0, 0]] {
            assert_eq!(messages(broken).count(), 0, "{broken:?}");
        }
    }
}
