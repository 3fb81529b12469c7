//! Retry: the results of an ended run that a new run takes over, and the tasks that run again.

mod additions;
mod changes;
pub(crate) mod chosen;
mod cut_off;
mod earlier;
mod fallbacks;
mod items;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use zeph_graph::wire::GraphSpec;
use zeph_graph::{
    AttemptOutcome, ContentId, CutHow, Effect, Fault, Output, Policy, Record, RunId, Seq, Task,
    TaskGraph, TaskId, TaskState, Work,
};
use zeph_memory::{Content, RawGraphStore};

use earlier::Later;

use cut_off::Earlier;

use crate::content::ContentParts;
use crate::driver::defined_value;
use crate::error::RuntimeError;
use crate::labels;
use crate::restore::{closest, contents};
use crate::submission::Submission;
use crate::view::RunView;

/// The contents that are read from the store at a time.
const PAGE: usize = 64;

/// A new run of an ended one: which results it takes over, and which tasks run again.
///
/// Tasks are matched by name. A task keeps its result if it completed with one of its own, its work and its
/// dependencies are the same, and everything that it depends on keeps its result, too. Other rules of a task,
/// such as retries, time-outs and lanes, do not change a result.
///
/// A task that has added others and runs again may add them again, so what it added is left out.
///
/// # Examples
/// ```
/// # use std::sync::Arc;
/// use zeph_executor::double::{ScriptedExecutor, Step};
/// use zeph_executor::{Registry, TaskError};
/// use zeph_graph::{RunEnd, Task, TaskGraph};
/// use zeph_memory::MemoryStore;
/// use zeph_runtime::{Engine, RetryPlan, RunView, Submission};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut graph = TaskGraph::new();
/// let fetch = graph.add_task(Task::new("fetch").action("do"), []);
/// graph.add_task(Task::new("save").action("do"), [fetch]);
///
/// let broken = ScriptedExecutor::new()
///     .on("fetch", [Step::ok("text")])
///     .on("save", [Step::fail(TaskError::permanent("no disk"))]);
/// let store = Arc::new(MemoryStore::new());
/// let mut registry = Registry::new();
/// registry.register("do", Arc::new(broken) as _)?;
/// let engine = Engine::builder(store.clone()).registry(registry).start().await?;
/// let failed = engine.submit(Submission::new(graph)).await?;
/// assert_eq!(failed.wait().await?.end(), Some(RunEnd::Failed));
///
/// let view = RunView::load(&*store, failed.id()).await?;
/// let plan = RetryPlan::new(&view, None, &[], |_, _| false)?;
/// assert_eq!(plan.again().count(), 1);
/// let fixed = Arc::new(ScriptedExecutor::new().on("save", [Step::ok("saved")]));
/// let mut registry = Registry::new();
/// registry.register("do", Arc::clone(&fixed) as _)?;
/// let engine = Engine::builder(store.clone()).registry(registry).start().await?;
/// let again = engine.submit(plan.submission(&*store).await?).await?;
/// assert_eq!(again.wait().await?.end(), Some(RunEnd::Completed));
/// assert_eq!(fixed.called(), ["save"]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct RetryPlan {
    of: RunId,
    title: String,
    graph: TaskGraph,
    policy: Policy,
    /// By task: the result that is taken over, or why the task runs.
    tasks: Vec<Result<Kept, RunsAgain>>,
    /// The tasks whose items are kept, with the list in the earlier run and its length. Their items are the last
    /// tasks of the graph.
    expanded: Vec<(TaskId, ContentId, u32)>,
    gone: Vec<String>,
    /// The results of the earlier run, by task.
    earlier: BTreeMap<String, Earlier>,
    /// The tasks that keep their results if those of these tasks are the same.
    perhaps: BTreeMap<String, Vec<String>>,
    /// The tasks that have added others to the graph.
    proposers: Vec<TaskId>,
}

/// A result of the earlier run.
#[derive(Clone, Debug, PartialEq)]
enum Kept {
    Nothing,
    Stored(ContentId),
    /// The default of a question.
    Default(Value),
    /// The value that a person gives in its place.
    Given(Value),
    /// None, and none is needed: of the fallback of a task that keeps its result.
    StandsBy,
}

/// Why a task runs in a retry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RunsAgain {
    /// It did not complete.
    NotCompleted,
    /// It did not complete, at most one attempt is allowed to take effect, and the end of one is not known.
    EffectUnknown,
    /// It completed, at most one attempt is allowed to take effect, and what it depends on or its work has
    /// changed or runs again.
    EffectRepeated,
    /// It completed with a substitute value in place of its result.
    Substituted,
    /// It waits for a failure of what it depends on, so its result is of the earlier run only.
    WaitsForFailure,
    /// The caller chose it.
    Chosen,
    /// Its work, its dependencies or a parameter that it uses has changed.
    Changed,
    /// It depends on this task, which runs or has a given result.
    Upstream(TaskId),
    /// It completed after the record at which the new run goes on.
    Later,
    /// It runs at the end of each run.
    Finally,
    /// It is the fallback of this task, which runs again, and runs only if that fails.
    StandsBy(TaskId),
    /// The earlier run has no task of that name.
    New,
}

impl RetryPlan {
    /// The key of the graph's [metadata](TaskGraph::metadata) that holds the earlier run.
    pub const METADATA_KEY: &'static str = "retry_of";

    /// The key of the graph's [metadata](TaskGraph::metadata) that holds the number of the record of
    /// [`at`](Self::at).
    pub const AT_KEY: &'static str = "retry_at";

    /// Compares an ended run with the graph of the new one: its own graph, or `changed`. Tasks of its own graph that
    /// were [withdrawn](zeph_graph::SkipWhy::Withdrawn) are left out, unless they are chosen.
    ///
    /// The tasks that `chosen` names run again in any case, and so do those that have changed in a way that
    /// the graphs do not show, as `is_changed` says.
    ///
    /// Cost: linear in the tasks and dependencies of both graphs.
    ///
    /// # Errors
    /// If the run has not ended, the new graph has no task of a chosen name, or a task of the same graph would
    /// run again that has added others to it, on which further tasks depend.
    pub fn new(
        view: &RunView,
        changed: Option<(TaskGraph, Policy)>,
        chosen: &[&str],
        is_changed: impl Fn(TaskId, &Task) -> bool,
    ) -> Result<Self, RuntimeError> {
        let is_same_graph = changed.is_none();
        let later = Later::default();
        let mut plan = Self::compare(view, changed, chosen, &is_changed, &later)?;
        if is_same_graph && let Some(graph) = additions::left_out(view, &plan, chosen) {
            let changed = Some((graph, *view.scheduler.policy()));
            plan = Self::compare(view, changed, chosen, &is_changed, &later)?;
            plan.title.clone_from(&view.title);
        }
        plan.check_proposers()?;
        Ok(plan)
    }

    /// Compares an ended run with what it was at an earlier record: results that came after that record are not
    /// taken over, tasks that were added after it are left out, and the rest is as in [`new`](Self::new) with the
    /// graph of the run.
    ///
    /// # Errors
    /// As [`new`](Self::new), and [`RuntimeError::NoSuchRecord`].
    pub fn at(
        view: &RunView,
        record: Seq,
        chosen: &[&str],
        is_changed: impl Fn(TaskId, &Task) -> bool,
    ) -> Result<Self, RuntimeError> {
        let (later, graph) = Later::than(view, record)?;
        let graph = additions::without_withdrawn(view, graph);
        let changed = Some((graph, *view.scheduler.policy()));
        let mut plan = Self::compare(view, changed, chosen, &is_changed, &later)?;
        plan.check_proposers()?;
        let key = Self::AT_KEY.to_owned();
        plan.graph.metadata_mut().insert(key, record.to_string());
        Ok(plan)
    }

    fn compare(
        view: &RunView,
        changed: Option<(TaskGraph, Policy)>,
        chosen: &[&str],
        is_changed: &dyn Fn(TaskId, &Task) -> bool,
        later: &Later,
    ) -> Result<Self, RuntimeError> {
        if view.scheduler.end().is_none() {
            let run = view.run.clone();
            return Err(RuntimeError::NotEnded { run });
        }
        let is_same_graph = changed.is_none() || later.is_some();
        let same = || (view.graph().as_written(), *view.scheduler.policy());
        let (graph, policy) = changed.unwrap_or_else(same);
        let mut graph = cut_off::without_preparations(graph);
        let unknown = unknown_ends(view);
        check_chosen(view, &graph, chosen)?;
        let (old, new) = (GraphSpec::from(view.graph()), GraphSpec::from(&graph));
        let compared = items::Compared {
            view,
            old: &old,
            new: &new,
            chosen,
            unknown: &unknown,
            later,
            is_changed,
        };
        let mut tasks: Vec<Result<Kept, RunsAgain>> = Vec::with_capacity(graph.len());
        let mut earlier = BTreeMap::new();
        for id in graph.ids() {
            let kept = compared.whole(&graph, id);
            let runs = |parent: &&TaskId| tasks[parent.index()].is_err();
            let upstream = graph.parents(id).iter().find(runs).copied();
            let kept = match upstream {
                Some(parent) if kept.is_ok() => Err(RunsAgain::Upstream(parent)),
                Some(_) | None => kept,
            };
            compared.note_earlier(&graph, id, &mut earlier);
            let changed = kept.is_ok().then(|| compared.fallback_changed(&graph, id));
            let kept = changed.flatten().map_or(kept, Err);
            tasks.push(compared.unless_repeated(graph.task(id), kept));
        }
        let expanded = compared.keep(&mut graph, &mut tasks);
        let mut proposers = Vec::new();
        let entries = view.entries.iter().filter(|entry| !later.has(entry.seq));
        for entry in entries.filter(|_| is_same_graph) {
            if let Record::Amended { task, .. } = entry.record {
                let name = task.map(|task| view.graph().task(task).name());
                proposers.extend(name.and_then(|name| graph.find(name)));
            }
        }
        let names = view
            .graph()
            .tasks()
            .filter(|(id, _)| view.graph().item(*id).is_none() && !view.graph().is_removed(*id));
        let gone = names.filter(|(_, task)| graph.find(task.name()).is_none());
        let gone = gone.map(|(_, task)| task.name().to_owned()).collect();
        let title = graph.metadata().get("goal").filter(|_| !is_same_graph);
        let title = title.cloned().unwrap_or_else(|| view.title.clone());
        let key = Self::METADATA_KEY.to_owned();
        graph.metadata_mut().insert(key, view.run.to_string());
        graph.metadata_mut().remove(Self::GIVEN_KEY);
        graph.metadata_mut().remove(Self::AT_KEY);
        graph.metadata_mut().remove(TaskGraph::NO_CACHE);
        chosen::note(&mut graph, chosen);
        labels::inherit(view.graph(), graph.metadata_mut());
        let mut plan = Self {
            of: view.run.clone(),
            title,
            graph,
            policy,
            tasks,
            expanded,
            gone,
            earlier,
            perhaps: BTreeMap::new(),
            proposers,
        };
        plan.stand_by();
        Ok(plan)
    }

    /// A task that has added others would add them twice.
    fn check_proposers(&self) -> Result<(), RuntimeError> {
        let mut again = self
            .proposers
            .iter()
            .filter(|id| self.runs_again(**id).is_some());
        again.next().map_or(Ok(()), |task| {
            Err(RuntimeError::Proposer {
                run: self.of.clone(),
                task: self.graph.task(*task).name().to_owned(),
            })
        })
    }

    /// The earlier run.
    #[must_use]
    pub const fn of(&self) -> &RunId {
        &self.of
    }

    /// The graph of the new run.
    #[must_use]
    pub const fn graph(&self) -> &TaskGraph {
        &self.graph
    }

    /// The metadata of the new run.
    pub fn metadata_mut(&mut self) -> &mut BTreeMap<String, String> {
        self.graph.metadata_mut()
    }

    /// Changes rules of the new run's tasks, such as approvals. `change` must keep the tasks and their order.
    ///
    /// # Errors
    /// That of `change`; then the plan is unchanged.
    pub fn change_rules<E>(
        &mut self,
        change: impl FnOnce(TaskGraph) -> Result<TaskGraph, E>,
    ) -> Result<(), E> {
        let changed = change(self.graph.clone())?;
        debug_assert_eq!(changed.len(), self.graph.len());
        self.graph = changed;
        Ok(())
    }

    /// The title of the new run.
    pub fn title_mut(&mut self) -> &mut String {
        &mut self.title
    }

    /// The policy of the new run.
    #[must_use]
    pub const fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Why a task runs; `None` if its result is taken over.
    ///
    /// # Panics
    /// If the id is not one of the [graph](Self::graph).
    #[must_use]
    pub fn runs_again(&self, task: TaskId) -> Option<RunsAgain> {
        self.tasks[task.index()].as_ref().err().copied()
    }

    /// The tasks that run, in order, each with the reason.
    pub fn again(&self) -> impl Iterator<Item = (TaskId, RunsAgain)> {
        let ids = self.graph.ids();
        ids.filter_map(|id| Some((id, self.runs_again(id)?)))
    }

    /// The tasks of the earlier run that the graph does not have.
    #[must_use]
    pub fn gone(&self) -> &[String] {
        &self.gone
    }

    /// The new run. Reads the results that it takes over, and holds all of them until they are saved.
    ///
    /// # Errors
    /// If the store cannot read a result. A store refuses to save results of more than about 900 MB together.
    pub async fn submission(self, store: &dyn RawGraphStore) -> Result<Submission, RuntimeError> {
        let ids = self.tasks.iter().filter_map(|task| match task {
            Ok(Kept::Stored(id)) => Some(*id),
            Ok(Kept::Nothing | Kept::Default(_) | Kept::Given(_) | Kept::StandsBy) | Err(_) => None,
        });
        let lists = self.expanded.iter().map(|(_, list, _)| *list);
        let ids: Vec<ContentId> = ids.chain(lists).collect();
        let mut stored: BTreeMap<ContentId, Vec<Content>> = BTreeMap::new();
        for page in ids.chunks(PAGE) {
            for part in contents(store, &self.of, page).await? {
                stored.entry(part.id).or_default().push(part);
            }
        }
        let graph = self.prepared_graph(store).await?;
        let mut submission = Submission::new(graph).policy(self.policy).title(self.title);
        for (index, task) in (0..).zip(self.tasks) {
            let parts = match task {
                Ok(Kept::Nothing) => None,
                Ok(Kept::Stored(id)) => stored.remove(&id).map(ContentParts::of_stored_output),
                Ok(Kept::Default(value) | Kept::Given(value)) => {
                    Some(ContentParts::of_value(&value))
                }
                Ok(Kept::StandsBy) | Err(_) => continue,
            };
            submission.supplied.push((TaskId::from_index(index), parts));
        }
        for (task, list, count) in self.expanded {
            let list = stored.remove(&list).map(ContentParts::of_stored_output);
            let list = list.unwrap_or_default();
            let task = TaskId::from_index(task.as_u32());
            submission.supplied_items.push((task, list, count));
        }
        Ok(submission)
    }
}

fn check_chosen(view: &RunView, graph: &TaskGraph, chosen: &[&str]) -> Result<(), RuntimeError> {
    for name in chosen {
        let mut tasks = graph.tasks().chain(view.graph().tasks());
        if !tasks.any(|(_, task)| names_task(name, task.name())) {
            return Err(RuntimeError::NoSuchTask {
                run: view.run.clone(),
                suggestion: closest(graph, name),
                task: (*name).to_owned(),
            });
        }
    }
    Ok(())
}

/// Whether a chosen name means that task: its own name, that of its matrix, or that of the sub-plan that it is
/// of.
fn names_task(chosen: &str, task: &str) -> bool {
    let rest = task.strip_prefix(chosen);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

/// The tasks with an attempt whose end is not known: it may have taken effect.
fn unknown_ends(view: &RunView) -> BTreeSet<TaskId> {
    let ends = view.entries.iter().filter_map(|entry| {
        let end = entry.record.attempt_end()?;
        let is_unknown = matches!(
            end.outcome,
            AttemptOutcome::Cut(CutHow::Lost | CutHow::Killed | CutHow::Abandoned)
                | AttemptOutcome::Failed {
                    fault: Fault::Interrupted,
                    ..
                }
        );
        is_unknown.then_some(end.task)
    });
    ends.collect()
}

/// The result of a task that can be taken over.
fn result_of(view: &RunView, task: TaskId, unknown: &BTreeSet<TaskId>) -> Result<Kept, RunsAgain> {
    let definition = view.graph().task(task);
    let TaskState::Completed { output } = view.scheduler.task(task).state() else {
        let rules = definition.rules();
        let is_once = rules.effect == Effect::AtMostOnce && rules.foreach.is_none();
        return Err(if is_once && unknown.contains(&task) {
            RunsAgain::EffectUnknown
        } else {
            RunsAgain::NotCompleted
        });
    };
    match (output, definition.work()) {
        (Output::None, _) => Ok(Kept::Nothing),
        (Output::Content(id), _) => Ok(Kept::Stored(id)),
        (Output::Definition, Work::Question(_)) => {
            Ok(Kept::Default(defined_value(view.graph(), task)))
        }
        (Output::Definition, Work::Milestone | Work::Action { .. }) => Err(RunsAgain::Substituted),
    }
}
