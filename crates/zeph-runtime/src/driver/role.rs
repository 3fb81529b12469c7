//! Roles: what an attempt does of a task that runs once for each item of a list.

use std::ops::Range;

use serde_json::Value;
use zeph_executor::TaskError;
use zeph_graph::{TaskGraph, TaskId, TaskState};
use zeph_scheduler::Scheduler;

/// What the next attempt of a task does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Role {
    /// All of its work.
    Whole,
    /// It makes the list of items.
    List,
    /// It works on one item.
    Item {
        /// The task that it is an item of; its executor is called.
        of: TaskId,
        /// The place of the item in the list.
        index: u32,
    },
    /// It collects the results of the items, for which no executor is called.
    Collect(Range<u32>),
}

impl Role {
    /// The role of the next attempt of a task.
    ///
    /// # Panics
    /// If the id is not one of this graph.
    #[must_use]
    pub fn of(graph: &TaskGraph, task: TaskId) -> Self {
        if let Some(items) = graph.items(task) {
            return Self::Collect(items);
        }
        if graph.task(task).rules().foreach.is_some() {
            return Self::List;
        }
        match graph.item(task) {
            Some((of, index)) => Self::Item { of, index },
            None => Self::Whole,
        }
    }
}

/// How many items of an expanded task failed, with the names of the first ones; `None` if none did.
///
/// ```text
/// 3 of 500 items failed: fetch[3], fetch[17], fetch[401]
/// ```
#[must_use]
pub fn failed_items(scheduler: &Scheduler, task: TaskId) -> Option<String> {
    const NAMED: usize = 4;
    let counts = scheduler.items(task).filter(|counts| counts.failed > 0)?;
    let graph = scheduler.graph();
    let items = graph.items(task)?.map(TaskId::from_index);
    let failed =
        items.filter(|&item| matches!(scheduler.task(item).state(), TaskState::Failed { .. }));
    let names = failed.take(NAMED).map(|item| graph.task(item).name());
    let mut names: Vec<String> = names.map(str::to_owned).collect();
    let more = counts.failed as usize - names.len();
    if more > 0 {
        names.push(format!("and {more} more"));
    }
    let items = if counts.total == 1 { "item" } else { "items" };
    let (failed, total) = (counts.failed, counts.total);
    Some(format!(
        "{failed} of {total} {items} failed: {}",
        names.join(", ")
    ))
}

/// The number of items of the list that an attempt returned.
///
/// # Errors
/// Permanent, with the code `not_a_list` for another value, `too_many_items` for more than the task's `max`,
/// and `items_refused` if the graph cannot have them.
pub fn count_items(graph: &TaskGraph, task: TaskId, value: &Value) -> Result<u32, TaskError> {
    let Some(items) = value.as_array() else {
        let kind = match value {
            Value::Null => "null",
            Value::Bool(_) => "true or false",
            Value::Number(_) => "a number",
            Value::String(_) => "a text",
            Value::Array(_) | Value::Object(_) => "an object",
        };
        let text = format!("the task runs for each item of a list, and its list is {kind}");
        return Err(TaskError::permanent(text).with_code("not_a_list"));
    };
    let max = graph.task(task).rules().foreach.unwrap_or_default().max;
    let count = u32::try_from(items.len()).unwrap_or(u32::MAX);
    if count > max {
        let text = format!("the list has {} items, and the most are {max}", items.len());
        return Err(TaskError::permanent(text).with_code("too_many_items"));
    }
    match graph.check_expansion(task, count) {
        Ok(()) => Ok(count),
        Err(error) => Err(TaskError::permanent(error.to_string()).with_code("items_refused")),
    }
}
