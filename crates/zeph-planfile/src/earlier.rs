//! `earlier`: tasks of the run that a plan is added to, whose results its tasks may need.

use zeph_diagnostics::{Diagnostic, Diagnostics, Span, Table, quote};
use zeph_graph::wire::GraphSpec;

use crate::bind::BoundPlan;
use crate::code;
use crate::plan::Inner;
use crate::task::{Draft, Kind, Stdout};

pub(crate) const KEY: &str = "earlier";

/// The names of tasks of the run, with their places.
#[derive(Clone, Debug, Default)]
pub(crate) struct Earlier {
    pub(crate) place: Span,
    names: Vec<(String, Span)>,
}

pub(crate) fn read(fields: &Table<'_>, problems: &mut Diagnostics) -> Option<Earlier> {
    let node = fields.get(KEY)?;
    let names = node.list("`earlier`", problems)?.iter();
    let names = names.filter_map(|one| {
        let name = one.string("a name in `earlier`", problems)?;
        Some((name.to_owned(), one.span))
    });
    Some(Earlier {
        names: names.collect(),
        place: node.span,
    })
}

/// Adds a task in place of each earlier one, so that the others are checked with it. Its kind is not known here, so
/// it has all that a task may have.
pub(crate) fn add_tasks(plan: &mut Inner, problems: &mut Diagnostics) {
    for (name, place) in plan.earlier.iter().flat_map(|one| &one.names) {
        if plan.tasks.iter().any(|task| task.spec.name == *name) {
            let message = format!("the name {} is that of an earlier task", quote(name));
            let one = Diagnostic::new(code::EARLIER_TASK, message).at(*place);
            problems.push(one.help("give the task of this plan another name"));
            continue;
        }
        let mut draft = Draft::default();
        (draft.kind, draft.place) = (Kind::Command(Stdout::Json), *place);
        draft.spec.name.clone_from(name);
        draft.spec.span = Some((*place).into());
        plan.tasks.push(draft);
    }
}

impl Inner {
    /// The problem of a plan with earlier tasks that is to be a run of its own.
    pub(crate) fn check_is_whole(&self, problems: &mut Diagnostics) {
        let Some(earlier) = &self.earlier else { return };
        let message = "`earlier` names tasks of a run, and this plan is a run of its own";
        let one = Diagnostic::new(code::EARLIER_TASK, message).at(earlier.place);
        problems.push(one.help("remove `earlier`, and the needs of these tasks"));
    }
}

impl BoundPlan {
    /// The tasks to be added to a run; they may need the tasks that `earlier` names.
    ///
    /// # Errors
    /// The problems of the graph, as of [`graph`](Self::graph).
    pub fn added_tasks(&self) -> Result<GraphSpec, Diagnostics> {
        self.checked_graph()?;
        let mut spec = self.spec().clone();
        let earlier = self.plan().0.earlier.iter().flat_map(|one| &one.names);
        let earlier: Vec<&String> = earlier.map(|(name, _)| name).collect();
        spec.tasks.retain(|task| !earlier.contains(&&task.name));
        Ok(spec)
    }
}
