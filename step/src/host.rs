//! This machine: other programs, the lock of a promotion, the kernel's packet rules.

pub mod lock;
pub mod nft;
pub mod process;
