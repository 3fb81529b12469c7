//! Many of one: the items into which a task of a graph was expanded.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use crate::{AddError, MAX_NAME_BYTES, MAX_TASKS, OnFailure, Rules, TaskGraph, TaskId};

/// The items of each expanded task: consecutive ids.
#[derive(Clone, Debug, Default)]
pub(crate) struct Many {
    /// By the expanded task.
    items: BTreeMap<u32, Range<u32>>,
    /// The expanded task by its first item; a task without items is not here.
    task_of: BTreeMap<u32, u32>,
}

impl Many {
    /// Forgets the expansions that reach beyond that number of tasks.
    pub(crate) fn truncate(&mut self, len: u32) {
        self.items.retain(|_, items| items.end <= len);
        self.task_of.retain(|&first, _| first < len);
    }
}

impl TaskGraph {
    /// Adds the items of a task that [runs for each item of a list](crate::Foreach), all of them or none:
    /// `count` tasks `NAME[0]`, `NAME[1]`, … with its parents, its work and its rules, but without its approval and its
    /// preparation.
    /// An item that fails stays Failed; the rest follows from [`Foreach::on_failure`](crate::Foreach).
    ///
    /// Returns the positions of the items. Cost: a name and the parents for each item; the work and the
    /// rules are shared.
    ///
    /// # Errors
    /// If a name is taken, the graph is full, the task was expanded before or does not run for items; the
    /// graph is unchanged.
    ///
    /// # Examples
    /// ```
    /// use zeph_graph::{Foreach, Task, TaskGraph};
    /// let mut graph = TaskGraph::new();
    /// let fetch = Task::new("fetch").action("http_get").foreach(Foreach::DEFAULT);
    /// let fetch = graph.add_task(fetch, []);
    /// let save = graph.add_task("save", [fetch]);
    /// assert_eq!(graph.expand(fetch, 3)?, 2..5);
    /// let second = graph.find("fetch[1]").expect("it is an item");
    /// assert_eq!(graph.item(second), Some((fetch, 1)));
    /// assert_eq!(graph.items(fetch), Some(2..5));
    /// assert_eq!(graph.items(save), None);
    /// # Ok::<(), zeph_graph::AddError>(())
    /// ```
    pub fn expand(&mut self, task: TaskId, count: u32) -> Result<Range<u32>, AddError> {
        self.check_expansion(task, count)?;
        let definition = self.task(task).clone();
        let prepares_items = (definition.rules().foreach).is_some_and(|one| one.prepare_items);
        let rules = Arc::new(Rules {
            foreach: None,
            approve: None,
            prepare: (definition.rules().prepare.clone()).filter(|_| prepares_items),
            on_failure: OnFailure::Skip,
            ..definition.rules().clone()
        });
        let parents = self.parents(task).to_vec();
        // A graph holds fewer tasks than a u32 counts.
        let first = self.len() as u32;
        for index in 0..count {
            let item = definition.item(item_name(definition.name(), index), &rules);
            if let Err(error) = self.try_add_task(item, parents.iter().copied()) {
                self.truncate(first);
                return Err(error);
            }
        }
        let items = first..first + count;
        if count > 0 {
            self.many.task_of.insert(first, task.as_u32());
        }
        self.many.items.insert(task.as_u32(), items.clone());
        Ok(items)
    }

    /// Whether [`expand`](Self::expand) would succeed.
    ///
    /// # Errors
    /// Those of [`expand`](Self::expand).
    pub fn check_expansion(&self, task: TaskId, count: u32) -> Result<(), AddError> {
        let definition = self.task(task);
        let why = match definition.rules().foreach {
            None => Some("it is one task"),
            Some(_) if self.items(task).is_some() => Some("it has its items"),
            Some(foreach) if count > foreach.max => Some("there are more items than its `max`"),
            Some(_) => None,
        };
        if let Some(why) = why {
            let task = definition.name().into();
            return Err(AddError::BadForeach { task, why });
        }
        if self.len() + count as usize > MAX_TASKS {
            return Err(AddError::TooManyTasks);
        }
        let longest = item_name(definition.name(), count.saturating_sub(1));
        if count > 0 && longest.len() > MAX_NAME_BYTES {
            return Err(AddError::BadName { name: longest });
        }
        let mut names = (0..count).map(|index| item_name(definition.name(), index));
        match names.find(|name| self.find(name).is_some()) {
            Some(name) => Err(AddError::DuplicateName { name }),
            None => Ok(()),
        }
    }

    /// The positions of the items of a task, if it was expanded.
    #[must_use]
    pub fn items(&self, task: TaskId) -> Option<Range<u32>> {
        self.many.items.get(&task.as_u32()).cloned()
    }

    /// The expanded task that a task is an item of, and its place in the list. Cost: a logarithm.
    #[must_use]
    pub fn item(&self, task: TaskId) -> Option<(TaskId, u32)> {
        let (first, &of) = self.many.task_of.range(..=task.as_u32()).next_back()?;
        let items = self.many.items.get(&of)?;
        let place = task.as_u32() - first;
        let of = TaskId::marked(of, self.mark);
        (task.as_u32() < items.end).then_some((of, place))
    }
}

fn item_name(task: &str, index: u32) -> String {
    format!("{task}[{index}]")
}
