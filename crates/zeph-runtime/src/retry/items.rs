//! Items: which items of a task that runs for each item of a list keep their results.

use std::collections::BTreeSet;

use zeph_graph::wire::{GraphSpec, TaskSpec};
use zeph_graph::{ContentId, Effect, Task, TaskGraph, TaskId, TaskState, Trigger};

use super::earlier::Later;
use super::{Kept, RunsAgain, names_task, result_of};
use crate::view::RunView;

/// An ended run and the graph of the new one.
pub(super) struct Compared<'a> {
    pub(super) view: &'a RunView,
    pub(super) old: &'a GraphSpec,
    pub(super) new: &'a GraphSpec,
    pub(super) chosen: &'a [&'a str],
    pub(super) unknown: &'a BTreeSet<TaskId>,
    pub(super) later: &'a Later,
    pub(super) is_changed: &'a dyn Fn(TaskId, &Task) -> bool,
}

/// Whether a name is that of an item of a task.
fn is_item_of(name: &str, task: &str) -> bool {
    let place = name
        .strip_prefix(task)
        .and_then(|rest| rest.strip_prefix('['));
    let place = place.and_then(|rest| rest.strip_suffix(']'));
    place.is_some_and(|place| !place.is_empty() && place.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Whether a task or one of its items has completed.
fn has_result(view: &RunView, task: TaskId) -> bool {
    let items = view.graph().items(task).unwrap_or_default();
    let mut all = std::iter::once(task).chain(items.map(TaskId::from_index));
    all.any(|task| view.scheduler.task(task).state().is_completed())
}

impl Compared<'_> {
    /// What a task keeps, as far as its own definition and result decide.
    pub(super) fn whole(&self, graph: &TaskGraph, id: TaskId) -> Result<Kept, RunsAgain> {
        let task = graph.task(id);
        let before = self.find(task.name());
        let before = before.ok_or(RunsAgain::New)?;
        if task.rules().finally {
            return Err(RunsAgain::Finally);
        }
        // The failure that it waited for is one of the earlier run.
        let waits_for_failure = task.rules().trigger == Trigger::AnyFailed;
        if waits_for_failure && !graph.parents(id).is_empty() {
            return Err(RunsAgain::WaitsForFailure);
        }
        let kept = self.result_of(before)?;
        if self.has_items_to_run(before) {
            return Err(RunsAgain::NotCompleted);
        }
        let is_chosen =
            |name: &&str| names_task(name, task.name()) || is_item_of(name, task.name());
        if self.chosen.iter().any(is_chosen) {
            return Err(RunsAgain::Chosen);
        }
        let (earlier, spec) = (self.spec(before), &self.new.tasks[id.index()]);
        let needs: BTreeSet<&str> = spec.needs.iter().map(String::as_str).collect();
        let is_same = earlier.work == spec.work && self.needs(before) == needs;
        let is_same = is_same && !(self.is_changed)(id, task);
        is_same.then_some(kept).ok_or(RunsAgain::Changed)
    }

    /// The result of a task that the new run can take over.
    fn result_of(&self, task: TaskId) -> Result<Kept, RunsAgain> {
        let kept = result_of(self.view, task, self.unknown)?;
        if self.later.completed(task) {
            return Err(RunsAgain::Later);
        }
        Ok(kept)
    }

    /// Whether an item of the task failed or was canceled, although the task has a result of its own.
    fn has_items_to_run(&self, task: TaskId) -> bool {
        if self.view.stand_in(task).is_some() {
            return false;
        }
        let items = self.view.graph().items(task).unwrap_or_default();
        let mut states =
            items.map(|item| self.view.scheduler.task(TaskId::from_index(item)).state());
        states.any(|state| matches!(state, TaskState::Failed { .. } | TaskState::Canceled { .. }))
    }

    /// A completed effect that must not happen twice is repeated only on purpose. That of a task which an amendment
    /// put in the place of this one counts, too.
    pub(super) fn unless_repeated(
        &self,
        task: &Task,
        kept: Result<Kept, RunsAgain>,
    ) -> Result<Kept, RunsAgain> {
        let is_once = task.rules().effect == Effect::AtMostOnce;
        let has_result = |id: Option<TaskId>| id.is_some_and(|id| has_result(self.view, id));
        let before = self.find(task.name());
        let successor = self.view.graph().find(task.name());
        let successor = successor.filter(|_| successor != before);
        match kept {
            Err(RunsAgain::Upstream(_) | RunsAgain::Changed | RunsAgain::Later)
                if is_once && has_result(before) =>
            {
                Err(RunsAgain::EffectRepeated)
            }
            Err(why) if is_once && why != RunsAgain::Chosen && has_result(successor) => {
                Err(RunsAgain::EffectRepeated)
            }
            kept => kept,
        }
    }

    /// A task that makes its list anew repeats its items: the effects of those that completed, and of those whose
    /// end is not known.
    fn repeated_items(&self, task: &Task, why: RunsAgain) -> RunsAgain {
        let before = self.find(task.name());
        let items = before.and_then(|before| self.view.graph().items(before));
        if task.rules().effect != Effect::AtMostOnce {
            return why;
        }
        let items: Vec<TaskId> = items.unwrap_or_default().map(TaskId::from_index).collect();
        let is_completed = |item: &&TaskId| self.view.scheduler.task(**item).state().is_completed();
        let is_named = matches!(why, RunsAgain::Chosen);
        if items.iter().any(|item| self.unknown.contains(item)) {
            RunsAgain::EffectUnknown
        } else if !is_named && items.iter().any(|item| is_completed(&item)) {
            RunsAgain::EffectRepeated
        } else {
            why
        }
    }

    /// Adds to the graph the items of each task that runs again although neither its list nor its work has
    /// changed. Those with a result keep it.
    pub(super) fn keep(
        &self,
        graph: &mut TaskGraph,
        tasks: &mut Vec<Result<Kept, RunsAgain>>,
    ) -> Vec<(TaskId, ContentId, u32)> {
        let mut expanded = Vec::new();
        let ids: Vec<TaskId> = graph.ids().collect();
        for id in ids {
            let Some((list, count)) = self.kept_list(graph, tasks, id) else {
                if let Err(why) = tasks[id.index()] {
                    tasks[id.index()] = Err(self.repeated_items(graph.task(id), why));
                }
                continue;
            };
            // What it would repeat is decided for each item.
            tasks[id.index()] = Err(RunsAgain::NotCompleted);
            expanded.push((id, list, count));
        }
        for &(id, _, count) in &expanded {
            let Ok(items) = graph.expand(id, count) else {
                debug_assert!(false, "the expansion of {id} was checked");
                continue;
            };
            for item in items.map(TaskId::from_index) {
                let (item, kept) = (graph.task(item), self.item(graph.task(item)));
                tasks.push(self.unless_repeated(item, kept));
            }
        }
        expanded
    }

    /// The list of a task that keeps its items, and its length.
    fn kept_list(
        &self,
        graph: &TaskGraph,
        tasks: &[Result<Kept, RunsAgain>],
        id: TaskId,
    ) -> Option<(ContentId, u32)> {
        let task = graph.task(id);
        let before = self.find(task.name())?;
        let items = self.view.scheduler.items(before)?;
        if self.later.expanded(before) {
            return None;
        }
        let (earlier, spec) = (self.spec(before), &self.new.tasks[id.index()]);
        let is_same = earlier.work == spec.work && !(self.is_changed)(id, task);
        let parents = graph.parents(id);
        let is_root = parents.is_empty();
        let has_same_list = parents.iter().all(|parent| tasks[parent.index()].is_ok());
        let is_chosen = self.chosen.iter().any(|name| names_task(name, task.name()));
        let waits_for_failure = task.rules().trigger == Trigger::AnyFailed && !is_root;
        let is_fallback = graph.fallback_of(id).is_some();
        let fits = tasks[id.index()].is_err()
            && is_same
            && has_same_list
            && !is_chosen
            && !task.rules().finally
            && !waits_for_failure
            && !is_fallback
            && graph.check_expansion(id, items.total).is_ok();
        fits.then_some((items.list, items.total))
    }

    /// The task of the earlier run of that name.
    pub(super) fn find(&self, name: &str) -> Option<TaskId> {
        self.later.find(self.view.graph(), name)
    }

    /// What a task depended on, by the names in the plan.
    fn needs(&self, before: TaskId) -> BTreeSet<&str> {
        let graph = self.view.graph();
        let whole = |parent: &TaskId| graph.item(*parent).map_or(*parent, |(of, _)| of);
        let parents = graph.parents(before).iter().map(whole);
        parents.map(|parent| graph.written_name(parent)).collect()
    }

    fn spec(&self, before: TaskId) -> &TaskSpec {
        &self.old.tasks[before.index()]
    }

    /// What an item keeps.
    fn item(&self, item: &Task) -> Result<Kept, RunsAgain> {
        let before = self.find(item.name());
        let before = before.ok_or(RunsAgain::New)?;
        let kept = self.result_of(before)?;
        let is_chosen = self.chosen.contains(&item.name());
        if is_chosen {
            Err(RunsAgain::Chosen)
        } else {
            Ok(kept)
        }
    }
}
