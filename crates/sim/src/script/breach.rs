//! The violation in a run.

use std::any::Any;

/// The property that a panic violates.
pub const PANIC: &str = "no panic";

/// A violated property, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breach {
    /// The name of the property.
    pub property: String,
    /// The reason.
    pub text: String,
}

impl Breach {
    /// The message of a panic.
    pub fn of_panic(panic: &(dyn Any + Send)) -> Breach {
        let text = match (panic.downcast_ref::<String>(), panic.downcast_ref::<&str>()) {
            (Some(text), _) => text.clone(),
            (_, Some(text)) => (*text).to_string(),
            _ => "a panic".to_string(),
        };
        Breach { property: PANIC.to_string(), text }
    }
}
