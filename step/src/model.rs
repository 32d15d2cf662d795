//! Values with a grammar: whatever has one of these types is well formed.

/// A type that is read by its grammar, and written as it is shown.
macro_rules! as_text {
    ($of:ty) => {
        impl TryFrom<String> for $of {
            type Error = String;

            fn try_from(text: String) -> Result<Self, String> {
                text.parse()
            }
        }

        impl From<$of> for String {
            fn from(it: $of) -> Self {
                it.to_string()
            }
        }
    };
}

pub mod id;
pub mod image_ref;
pub mod name;
pub mod places;
pub mod port;
pub mod probe;
pub mod run_options;
pub mod subnet;
