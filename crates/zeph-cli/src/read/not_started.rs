//! The tasks that ended without an attempt because of something else, grouped by the cause.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use zeph_graph::{CancelWhy, EndingWhy, Record, SkipWhy, TaskId, TaskState};
use zeph_runtime::RunView;

use super::explain::name;
use super::page::count;

/// A group with more tasks is counted instead of named.
const MOST_NAMES: usize = 4;

/// The tasks that did not start for one cause.
pub(crate) struct NotStarted {
    /// The cause, as `build failed`.
    pub(crate) cause: String,
    pub(crate) tasks: Vec<TaskId>,
}

impl NotStarted {
    /// `a, b did not start: build failed`, or `12 tasks did not start: build failed`.
    pub(crate) fn line(&self, view: &RunView) -> String {
        let names = self.tasks.iter().map(|&id| name(view, id));
        format!(
            "{} did not start: {}",
            named_or_counted(names, self.tasks.len()),
            self.cause
        )
    }

    /// Whether the tasks are counted instead of named.
    pub(crate) const fn is_counted(&self) -> bool {
        self.tasks.len() > MOST_NAMES
    }
}

/// The names of a few tasks, or the number of many.
pub(crate) fn named_or_counted<'a>(names: impl Iterator<Item = &'a str>, total: usize) -> String {
    if total > MOST_NAMES {
        return count(total as u64, "task");
    }
    names.collect::<Vec<_>>().join(", ")
}

/// The groups, for programs.
pub(crate) fn to_json(view: &RunView, groups: &[NotStarted]) -> Value {
    let group = |group: &NotStarted| {
        let tasks = group.tasks.iter().map(|&id| name(view, id));
        json!({ "cause": group.cause, "tasks": tasks.collect::<Vec<_>>() })
    };
    groups.iter().map(group).collect()
}

/// How a task ended, as the cause why others did not start.
pub(crate) const fn end_words(state: TaskState) -> &'static str {
    match state {
        TaskState::Failed { .. } => "failed",
        TaskState::Canceled { .. } => "was canceled",
        TaskState::Skipped {
            why: SkipWhy::Declined,
        } => "was declined",
        TaskState::Skipped {
            why: SkipWhy::NoFailure | SkipWhy::Executor | SkipWhy::Override | SkipWhy::Removed,
        } => "was skipped",
        TaskState::Skipped {
            why: SkipWhy::Withdrawn,
        } => "was withdrawn",
        TaskState::Skipped { .. }
        | TaskState::Pending
        | TaskState::Ready
        | TaskState::Running { .. }
        | TaskState::BackingOff { .. }
        | TaskState::Asking { .. }
        | TaskState::Mapping
        | TaskState::FallingBack { .. }
        | TaskState::Canceling { .. }
        | TaskState::Completed { .. } => "did not complete",
    }
}

/// The tasks that ended without an attempt because of something else, by cause, in the order of the graph. Cost:
/// one pass over the tasks and the journal.
pub(crate) fn of(view: &RunView) -> Vec<NotStarted> {
    let mut groups: Vec<NotStarted> = Vec::new();
    let mut by_cause: BTreeMap<String, usize> = BTreeMap::new();
    let mut roots = BTreeMap::new();
    let aborted_by = view.entries.iter().find_map(|entry| {
        if let Record::Ending {
            why: EndingWhy::Abort(task),
        } = entry.record
        {
            return Some(task);
        }
        None
    });
    let by_task = |task| {
        let state = view.scheduler.task(task).state();
        format!("{} {}", name(view, task), end_words(state))
    };
    for id in view.graph().ids() {
        let task = view.scheduler.task(id);
        let cause = if let TaskState::Skipped {
            why: SkipWhy::Upstream(_),
        } = task.state()
        {
            by_task(root(view, &mut roots, id))
        } else if let TaskState::Canceled { why } = task.state()
            && task.last_attempt().is_none()
        {
            match (why, aborted_by) {
                (CancelWhy::Task, _) => continue,
                (CancelWhy::Downstream(root), _) if root as usize == id.index() => continue,
                (CancelWhy::Downstream(root), _) => by_task(TaskId::from_index(root)),
                (CancelWhy::Abort, Some(task)) => by_task(task),
                (CancelWhy::Item, _) => failed_sibling(view, id).map_or(why.to_string(), by_task),
                (CancelWhy::Abort | CancelWhy::Run | CancelWhy::RunTimeout, _) => why.to_string(),
            }
        } else {
            continue;
        };
        let index = *by_cause.entry(cause).or_insert_with_key(|cause| {
            groups.push(NotStarted {
                cause: cause.clone(),
                tasks: Vec::new(),
            });
            groups.len() - 1
        });
        groups[index].tasks.push(id);
    }
    groups
}

/// The item whose failure canceled this one.
fn failed_sibling(view: &RunView, item: TaskId) -> Option<TaskId> {
    let (of, _) = view.graph().item(item)?;
    let mut items = view.graph().items(of)?.map(TaskId::from_index);
    items.find(|&id| matches!(view.scheduler.task(id).state(), TaskState::Failed { .. }))
}

/// The task at the end of the chain of skipped tasks.
fn root(view: &RunView, roots: &mut BTreeMap<TaskId, TaskId>, task: TaskId) -> TaskId {
    let mut chain = Vec::new();
    let mut at = task;
    while let TaskState::Skipped {
        why: SkipWhy::Upstream(parent),
    } = view.scheduler.task(at).state()
        && !roots.contains_key(&at)
    {
        chain.push(at);
        at = parent;
    }
    let root = roots.get(&at).copied().unwrap_or(at);
    roots.extend(chain.into_iter().map(|task| (task, root)));
    root
}
