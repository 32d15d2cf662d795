//! This machine: other programs, the lock of a promotion, the kernel's packet rules, systemd's units.

mod capability;
pub mod lock;
pub mod nft;
pub mod process;
pub mod unit;
