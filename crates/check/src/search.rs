//! The subject of a search: a model, and the questions about it.

use crate::model::Model;
use crate::questions::{Asked, Limits};
use crate::report::Report;

/// A model, what is asked of it, and how far to go.
pub(crate) struct Search<'s, 'm, M: Model> {
    pub model: &'s M,
    pub asked: &'s Asked<'m, M::State, M::Action>,
    pub limits: &'s Limits<'m>,
}

/// The findings of a search of a model.
pub(crate) type ReportOf<M> = Report<<M as Model>::State, <M as Model>::Action>;
