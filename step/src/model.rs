//! Values with a grammar: whatever has one of these types is well formed.

pub mod image_ref;
pub mod name;
pub mod places;
pub mod port;
pub mod probe;
pub mod run_options;
pub mod subnet;
