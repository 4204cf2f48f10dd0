//! What a diagram is drawn on.

/// What is drawn on.
#[derive(Clone, Copy, Debug)]
pub struct Paper {
    /// How many characters fit on a line.
    pub columns: usize,
    /// Whether there are colours.
    pub is_coloured: bool,
}

/// The columns for the time, at the left.
pub(super) const TIME: usize = 12;
