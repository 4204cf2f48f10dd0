//! What a search works on: a model, and what is asked of it.

use crate::model::Model;
use crate::questions::{Asked, Limits};
use crate::report::Report;

/// A model, what is asked of it, and how far to go.
pub(crate) struct Search<'s, 'm, M: Model> {
    pub model: &'s M,
    pub asked: &'s Asked<'m, M::State, M::Action>,
    pub limits: &'s Limits<'m>,
}

/// What a search of a model found.
pub(crate) type ReportOf<M> = Report<<M as Model>::State, <M as Model>::Action>;
