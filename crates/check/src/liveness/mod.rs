//! Liveness under weak fairness: whether the goal is always reached.
//!
//! A run that violates "eventually goal" never shows the goal and is infinite: in a finite graph it cycles forever
//! among states that reach one another, or stops. So the search is for strongly connected components of the states
//! *without* the goal (every state can also stay as it is forever, so a single state is also a component). A component
//! hosts a fair run exactly when, for each class of fairness, it has a state in which no action of the class is
//! possible, or a step of the class inside. If so, a cycle through all of it is such a run; if not, no run in it is
//! fair, nor is any in a part of it: there too the class is possible everywhere, and never taken. The test is exact, so
//! neither a cycle that joins an earlier path nor one that starves a node is missed.
//!
//! The graph is explored once more, with its edges and without symmetry: renaming nodes does not preserve fairness.
//! Only initial states that differ merely by names are joined, which is why the property has to be declared symmetric.

mod graph;
mod lasso;

use crate::model::{Model, ReportOf};
use crate::progress::Ended;
use crate::search::Search;
use graph::Graph;

/// Checks every liveness property of a search whose safety properties hold, and reports the first that does not hold,
/// or that none can be decided.
pub(crate) fn check<M: Model>(search: &Search<'_, '_, M>, report: &mut ReportOf<M>) {
    let model = search.model;
    let graph = match Graph::build(search, &mut report.bytes) {
        Ok(graph) => graph,
        Err(ended) => {
            report.ended = ended;
            return;
        }
    };
    for live in &search.asked.eventualities {
        let without_goal: Vec<bool> = graph.states.iter().map(|state| !(live.goal)(state)).collect();
        let is_source = |at: usize| match &live.trigger {
            Some(trigger) => trigger(&graph.states[at]),
            None => graph.is_initial(at),
        };
        let sources: Vec<u32> =
            (0..graph.states.len()).filter(|at| without_goal[*at] && is_source(*at)).map(|at| at as u32).collect();
        if let Some(lasso) = lasso::find(&graph, &without_goal, &sources) {
            report.ended = Ended::Violated;
            report.violation = Some(lasso.tell(model, &graph, &live.name));
            return;
        }
    }
    // A run that was found is a run of the model whatever was cut. If none was found, that says nothing about runs that
    // leave the bounds.
    if report.is_cut() {
        match &search.limits.budgets {
            Some(why) => report.budgets = Some(why.clone()),
            None => report.ended = Ended::Undecided,
        }
    }
}
