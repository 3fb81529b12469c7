//! Early cut-off: a task that would run again only because of what it depends on keeps its result, if that comes
//! out the same.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use zeph_graph::wire::{self, GraphSpec, Revision, TaskSpec};
use zeph_graph::{ContentId, Effect, Params, Task, TaskGraph, TaskId, Trigger, Work};
use zeph_memory::RawGraphStore;

use super::items::Compared;
use super::{Kept, RetryPlan, RunsAgain, result_of};
use crate::error::RuntimeError;
use crate::restore::output;
use crate::same_inputs::{PART, SameInputs, output_hash};
use crate::view::RunView;

/// The result that a task had in the earlier run.
#[derive(Clone, Debug)]
pub(super) struct Earlier {
    pub(super) kept: Kept,
    /// Whether it would be kept but for what it depends on.
    pub(super) is_unchanged: bool,
}

impl Compared<'_> {
    /// Notes the result that a task had, and whether it has changed. Nothing is known of a run at a record.
    pub(super) fn note_earlier(
        &self,
        graph: &TaskGraph,
        id: TaskId,
        earlier: &mut BTreeMap<String, Earlier>,
    ) {
        let name = graph.task(id).name();
        let before = self.view.graph().find(name);
        let Some(before) = before.filter(|_| !self.later.is_some()) else {
            return;
        };
        let stands_in = self.view.stand_in(before).is_some();
        if let Ok(kept) = result_of(self.view, before, self.unknown) {
            let is_unchanged = !stands_in && self.whole(graph, id).is_ok();
            let one = Earlier { kept, is_unchanged };
            earlier.insert(name.to_owned(), one);
        }
    }
}

impl RetryPlan {
    /// Lets tasks keep their results that would run again only because of what they depend on: a task is
    /// prepared when its turn has come, and keeps its result if everything that it depends on has the same
    /// result as in the earlier run.
    ///
    /// Only actions with an unchanged definition that completed there may keep their results, and not those that
    /// start before all that they depend on has ended. What they depend on and runs again must be
    /// [pure](Effect::Pure), or its result must be all that matters of it, as `reads` says of the task and the
    /// other task: else it may have left files or another effect behind. Call it last, after [`give`](Self::give)
    /// and [`only`](Self::only).
    #[must_use]
    pub fn cut_off(mut self, reads: impl Fn(&Task, &str) -> bool) -> Self {
        let mut perhaps = BTreeMap::new();
        for id in self.graph.ids() {
            if let Some(inputs) = self.inputs_to_compare(id, &reads) {
                perhaps.insert(self.graph.task(id).name().to_owned(), inputs);
            }
        }
        self.perhaps = perhaps;
        self
    }

    /// Whether the task keeps its result if what it depends on comes out the same; see
    /// [`cut_off`](Self::cut_off).
    ///
    /// # Panics
    /// If the id is not one of the [graph](Self::graph).
    #[must_use]
    pub fn is_perhaps(&self, task: TaskId) -> bool {
        self.perhaps.contains_key(self.graph.task(task).name())
    }

    /// The names of the tasks whose results decide; `None` if the task runs or is kept in any case.
    fn inputs_to_compare(
        &self,
        id: TaskId,
        reads: &impl Fn(&Task, &str) -> bool,
    ) -> Option<Vec<String>> {
        let task = self.graph.task(id);
        let rules = task.rules();
        let waits_for_all = matches!(
            rules.trigger,
            Trigger::AllSuccess | Trigger::AllDone | Trigger::NoneFailed
        );
        let is_because_of_others = matches!(
            self.tasks[id.index()],
            Err(RunsAgain::Upstream(_) | RunsAgain::EffectRepeated)
        );
        let is_action = matches!(task.work(), Work::Action { .. });
        // The part is added to a table, or to nothing.
        let has_place = rules.prepare.as_ref().is_none_or(|params| {
            (params.to_value()).is_ok_and(|value| value.is_object() || value.is_null())
        });
        let is_plain = self.graph.item(id).is_none() && self.graph.fallback_of(id).is_none();
        let is_unchanged = (self.earlier.get(task.name())).is_some_and(|one| one.is_unchanged);
        if !waits_for_all
            || !is_because_of_others
            || !is_action
            || !is_plain
            || !has_place
            || !is_unchanged
            || rules.finally
        {
            return None;
        }
        let mut inputs = Vec::new();
        for parent in self.results_behind(id) {
            let other = self.graph.task(parent);
            match &self.tasks[parent.index()] {
                Ok(Kept::Nothing | Kept::Stored(_) | Kept::Default(_)) => continue,
                Ok(Kept::Given(_) | Kept::StandsBy) | Err(_) => {}
            }
            let is_all = rules_are_pure(other) || reads(task, other.name());
            if !is_all || !self.earlier.contains_key(other.name()) {
                return None;
            }
            inputs.push(other.name().to_owned());
        }
        Some(inputs)
    }

    /// The tasks whose results a task depends on: its parents, and in place of a milestone those before it.
    fn results_behind(&self, id: TaskId) -> Vec<TaskId> {
        let mut open: Vec<TaskId> = self.graph.parents(id).to_vec();
        let mut found = Vec::new();
        let mut is_seen = vec![false; self.graph.len()];
        while let Some(parent) = open.pop() {
            if std::mem::replace(&mut is_seen[parent.index()], true) {
                continue;
            }
            match self.graph.task(parent).work() {
                Work::Milestone => open.extend(self.graph.parents(parent)),
                Work::Action { .. } | Work::Question(_) => found.push(parent),
            }
        }
        found
    }

    /// The graph of the new run, in which the tasks that may keep their results are prepared.
    ///
    /// # Errors
    /// If the store cannot read a result of the earlier run.
    pub(super) async fn prepared_graph(
        &self,
        store: &dyn RawGraphStore,
    ) -> Result<TaskGraph, RuntimeError> {
        let graph = self.graph.as_written();
        if self.perhaps.is_empty() {
            return Ok(graph);
        }
        let mut hashes: BTreeMap<&str, String> = BTreeMap::new();
        for name in self.perhaps.values().flatten() {
            if !hashes.contains_key(&**name)
                && let Some(earlier) = self.earlier.get(name)
            {
                let hash = self.hash(store, &earlier.kept).await?;
                hashes.insert(name, hash);
            }
        }
        let mut spec = GraphSpec::from(&graph);
        for task in &mut spec.tasks {
            let (Some(inputs), Some(earlier)) =
                (self.perhaps.get(&task.name), self.earlier.get(&task.name))
            else {
                continue;
            };
            let hash = |name: &String| Some((name.clone(), hashes.get(&**name)?.clone()));
            let same = SameInputs {
                run: self.of.to_string(),
                output: stored(&earlier.kept),
                inputs: inputs.iter().filter_map(hash).collect(),
            };
            let prepare = task.prepare.get_or_insert_with(|| json!({}));
            prepare[PART] = json!(same);
        }
        TaskGraph::try_from(spec).map_err(|problems| RuntimeError::Refused {
            run: self.of.clone(),
            reason: format!("its tasks cannot be prepared: {problems}"),
        })
    }

    async fn hash(&self, store: &dyn RawGraphStore, kept: &Kept) -> Result<String, RuntimeError> {
        Ok(match kept {
            Kept::Stored(id) => output_hash(&*output(store, &self.of, *id).await?),
            Kept::Nothing | Kept::StandsBy => output_hash(&Value::Null.into()),
            Kept::Default(value) | Kept::Given(value) => output_hash(&value.clone().into()),
        })
    }
}

/// Whether the result of a task is all that it leaves behind.
fn rules_are_pure(task: &Task) -> bool {
    task.rules().effect == Effect::Pure
}

fn stored(kept: &Kept) -> Option<ContentId> {
    if let Kept::Stored(id) = kept {
        Some(*id)
    } else {
        None
    }
}

/// Whether a retry has added preparations to the graph.
fn has_preparations(graph: &TaskGraph) -> bool {
    let is_prepared = |params: &Params| {
        let value = params.to_value();
        value.is_ok_and(|value| !value[PART].is_null())
    };
    (graph.tasks()).any(|(_, task)| task.rules().prepare.as_ref().is_some_and(is_prepared))
}

/// Removes the preparation that a retry added.
fn strip(task: &mut TaskSpec) {
    if let Some(fields) = task.prepare.as_mut().and_then(Value::as_object_mut) {
        fields.remove(PART);
        if fields.is_empty() {
            task.prepare = None;
        }
    }
}

/// The graph without the preparations that an earlier retry added.
pub(super) fn without_preparations(graph: TaskGraph) -> TaskGraph {
    if !has_preparations(&graph) {
        return graph;
    }
    let mut spec = GraphSpec::from(&graph);
    spec.tasks.iter_mut().for_each(strip);
    TaskGraph::try_from(spec).unwrap_or(graph)
}

/// The plan with the preparations that a retry added to tasks of the run, for tasks that are the same otherwise.
fn with_preparations(plan: &TaskGraph, run: &TaskGraph) -> Option<TaskGraph> {
    if !has_preparations(run) {
        return None;
    }
    let tasks = GraphSpec::from(&run.as_written()).tasks.into_iter();
    let old: BTreeMap<String, TaskSpec> = tasks.map(|task| (task.name.clone(), task)).collect();
    let mut spec = GraphSpec::from(plan);
    for task in &mut spec.tasks {
        if let Some(old) = old.get(&task.name) {
            let mut planned = old.clone();
            strip(&mut planned);
            if planned == *task {
                task.prepare.clone_from(&old.prepare);
            }
        }
    }
    TaskGraph::try_from(spec).ok()
}

impl RunView {
    /// What another version of its plan changes in the run; see [`wire::revision`]. A task of a retry that may
    /// [keep its result](RetryPlan::cut_off) is the same as without that.
    #[must_use]
    pub fn revision(&self, plan: &TaskGraph) -> Revision {
        let prepared = with_preparations(plan, self.graph());
        let plan = prepared.as_ref().unwrap_or(plan);
        wire::revision(self.graph(), plan, |id| self.scheduler.can_change(id))
    }
}
