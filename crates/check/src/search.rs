//! The input of a search: a model, and the questions about it.

use crate::model::Model;
use crate::questions::{Asked, Limits};

/// A model, what is asked of it, and how far to go.
pub(crate) struct Search<'s, 'm, M: Model> {
    pub model: &'s M,
    pub asked: &'s Asked<'m, M::State, M::Action>,
    pub limits: &'s Limits<'m>,
}
