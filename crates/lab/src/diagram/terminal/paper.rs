//! The paper of a terminal drawing.

/// The drawing area.
#[derive(Clone, Copy, Debug)]
pub struct Paper {
    /// The number of characters per line.
    pub columns: usize,
    /// Whether there are colours.
    pub is_coloured: bool,
}

/// The columns for the time, at the left.
pub(super) const TIME: usize = 12;
