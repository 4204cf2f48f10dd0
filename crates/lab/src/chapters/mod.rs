//! The registry: one module and one line a protocol.

use crate::registry::Study;

/// Every chapter, in the order of the catalogue. One line each: `study::<ricart_agrawala::RicartAgrawala>(),`.
pub fn all() -> Vec<Box<dyn Study>> {
    vec![]
}
