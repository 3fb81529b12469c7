//! Fallbacks: tasks that run in place of a task that failed.

use std::collections::BTreeMap;

use crate::{AddError, OnFailure, Task, TaskGraph, TaskId, Work};

/// Who uses which task as its fallback, and which tasks have dependants: nothing may depend on a fallback.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fallbacks {
    /// The users by their fallbacks.
    user_of: BTreeMap<u32, u32>,
    /// Whether a task depends on the task with that number.
    is_needed: Vec<bool>,
}

impl Fallbacks {
    /// Adds the next task with its dependencies, and its fallback.
    pub(crate) fn push(&mut self, task: TaskId, parents: &[TaskId], fallback: Option<TaskId>) {
        self.is_needed.push(false);
        for parent in parents {
            self.is_needed[parent.index()] = true;
        }
        if let Some(fallback) = fallback {
            self.user_of.insert(fallback.as_u32(), task.as_u32());
        }
    }

    /// Forgets the tasks from that number on; `parents` are the dependencies of those that remain.
    pub(crate) fn truncate(&mut self, len: u32, parents: &[TaskId]) {
        self.user_of.retain(|_, &mut user| user < len);
        self.is_needed.clear();
        self.is_needed.resize(len as usize, false);
        for parent in parents {
            self.is_needed[parent.index()] = true;
        }
    }
}

/// Why a task cannot be the fallback of another one.
pub(crate) mod defect {
    pub(crate) const UNKNOWN: &str = "it is not a task of this graph";
    pub(crate) const KNOWN: &str = "it is in the graph already";
    pub(crate) const SELF: &str = "it is the task itself";
    pub(crate) const TAKEN: &str = "it is the fallback of another task already";
    pub(crate) const NEEDS: &str = "it depends on other tasks";
    pub(crate) const NEEDED: &str = "other tasks depend on it";
    pub(crate) const FINALLY: &str = "only one of the two runs at the end";
    pub(crate) const QUESTION: &str = "a question has a default answer instead";
    pub(crate) const CYCLE: &str = "the fallbacks would go round in a circle";
}

impl TaskGraph {
    /// The task that runs if this one fails, according to its strategy.
    ///
    /// # Panics
    /// If the id is not one of this graph.
    ///
    /// # Examples
    /// ```
    /// use zeph_graph::{OnFailure, Task, TaskGraph};
    /// let mut graph = TaskGraph::new();
    /// let mirror = graph.add_task(Task::new("mirror").action("http_get"), []);
    /// let fetch = Task::new("fetch").action("http_get");
    /// let fetch = graph.add_task(fetch.on_failure(OnFailure::Fallback(mirror)), []);
    /// assert_eq!(graph.fallback(fetch), Some(mirror));
    /// assert_eq!(graph.fallback_of(mirror), Some(fetch));
    /// assert_eq!(graph.fallback_of(fetch), None);
    /// ```
    #[must_use]
    #[track_caller]
    pub fn fallback(&self, task: TaskId) -> Option<TaskId> {
        match self.task(task).rules().on_failure {
            OnFailure::Fallback(to) => Some(TaskId::marked(to.as_u32(), self.mark)),
            OnFailure::Abort | OnFailure::Skip | OnFailure::Ask(_) | OnFailure::Value(_) => None,
        }
    }

    /// The task whose fallback this one is. Cost: a logarithm of the number of fallbacks.
    #[must_use]
    pub fn fallback_of(&self, task: TaskId) -> Option<TaskId> {
        let user = self.fallbacks.user_of.get(&task.as_u32())?;
        Some(TaskId::marked(*user, self.mark))
    }

    /// Whether a task has a fallback. Constant time.
    #[must_use]
    pub fn has_fallbacks(&self) -> bool {
        !self.fallbacks.user_of.is_empty()
    }

    /// Checks that no dependency is a fallback, and that the task's own fallback can be one.
    pub(crate) fn check_fallbacks(&self, task: &Task, parents: &[TaskId]) -> Result<(), AddError> {
        if let Some(&parent) = (parents.iter()).find(|&&parent| self.fallback_of(parent).is_some())
        {
            return Err(AddError::BadFallback {
                task: task.name().into(),
                fallback: self.task(parent).name().into(),
                why: defect::NEEDED,
            });
        }
        let OnFailure::Fallback(to) = task.rules().on_failure else {
            return Ok(());
        };
        let known = self.get(to);
        let why = match known {
            None => Some(defect::UNKNOWN),
            Some(_) if matches!(task.work(), Work::Question(_)) => Some(defect::QUESTION),
            Some(_) if self.fallback_of(to).is_some() => Some(defect::TAKEN),
            Some(_) if !self.parents(to).is_empty() => Some(defect::NEEDS),
            Some(_) if self.fallbacks.is_needed[to.index()] => Some(defect::NEEDED),
            Some(_) if self.item(to).is_some() => Some(defect::UNKNOWN),
            Some(other) if other.rules().finally != task.rules().finally => Some(defect::FINALLY),
            Some(_) => None,
        };
        let fallback = known.map_or_else(|| to.to_string(), |to| to.name().to_owned());
        match why {
            Some(why) => Err(AddError::BadFallback {
                task: task.name().into(),
                fallback,
                why,
            }),
            None => Ok(()),
        }
    }
}
