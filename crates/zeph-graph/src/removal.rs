//! Removal: tasks that a patch takes out of a graph. They keep their ids, because journals refer to them.

use std::sync::Arc;

use crate::{MAX_NAME_BYTES, TaskGraph, TaskId};

impl TaskGraph {
    /// Whether a patch took the task out of the graph. Its name has a mark then, and nothing that can still
    /// start depends on it.
    #[must_use]
    pub fn is_removed(&self, task: TaskId) -> bool {
        self.removed.contains(&task.as_u32())
    }

    /// Takes the tasks of these names out of the graph, which frees the names. Returns their ids with the names
    /// that they had.
    pub(crate) fn remove(&mut self, names: &[String]) -> Vec<(TaskId, Arc<str>)> {
        let mut removed = Vec::with_capacity(names.len());
        for name in names {
            let Some(task) = self.find(name) else {
                continue;
            };
            removed.push((task, self.task(task).shared_name()));
            let name = self.removed_name(name);
            self.rename(task, name);
            self.removed.insert(task.as_u32());
        }
        removed
    }

    /// Undoes [`remove`](Self::remove).
    pub(crate) fn put_back(&mut self, removed: Vec<(TaskId, Arc<str>)>) {
        for (task, name) in removed {
            self.rename(task, name);
            self.removed.remove(&task.as_u32());
        }
    }

    /// A free name for a removed task: `build (removed)`, `build (removed 2)`, …
    fn removed_name(&self, name: &str) -> Arc<str> {
        let mut mark = " (removed)".to_owned();
        for number in 2u64.. {
            let room = name.floor_char_boundary(MAX_NAME_BYTES - mark.len());
            let marked = format!("{}{mark}", &name[..room]);
            if self.find(&marked).is_none() {
                return marked.into();
            }
            mark = format!(" (removed {number})");
        }
        name.into()
    }
}
