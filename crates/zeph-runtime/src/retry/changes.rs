//! Changes of a retry: results that a person gives, and a run of some tasks alone.

use std::collections::BTreeMap;

use serde_json::Value;
use zeph_graph::wire::GraphSpec;
use zeph_graph::{ContentId, Effect, TaskGraph, TaskId, Trigger};

use super::{Kept, RetryPlan, RunsAgain, chosen};
use crate::error::RuntimeError;
use crate::restore::closest;

impl RetryPlan {
    /// The key of the graph's [metadata](TaskGraph::metadata) that holds the names of the tasks with given
    /// results, as a list in JSON.
    pub const GIVEN_KEY: &'static str = "retry_given";

    /// Gives tasks results in place of those that they have or would have. What depends on them runs.
    ///
    /// # Errors
    /// If there is no such task, one that it depends on has no result, or a task would run again that has
    /// added others to the graph.
    pub fn give(mut self, values: BTreeMap<String, Value>) -> Result<Self, RuntimeError> {
        if values.is_empty() {
            return Ok(self);
        }
        let names: Vec<&String> = values.keys().collect();
        // Plain data: a list of texts.
        let names = serde_json::to_string(&names).unwrap_or_default();
        let key = Self::GIVEN_KEY.to_owned();
        self.graph.metadata_mut().insert(key, names);
        let mut given = BTreeMap::new();
        for (name, value) in values {
            let id = self.find(&name)?;
            self.check_own_result(id, "give its result to")?;
            self.check_fires(id)?;
            given.insert(id, value);
        }
        let ids: Vec<TaskId> = self.graph.ids().collect();
        for id in ids {
            let is_new = |parent: &&TaskId| match &self.tasks[parent.index()] {
                Ok(Kept::Given(_)) | Err(_) => true,
                Ok(Kept::Nothing | Kept::Stored(_) | Kept::Default(_) | Kept::StandsBy) => false,
            };
            let parents = self.graph.parents(id);
            let runs = parents
                .iter()
                .find(|parent| self.tasks[parent.index()].is_err());
            let task = match (given.remove(&id), runs, parents.iter().find(is_new)) {
                (Some(_), Some(parent), _) => return Err(self.no_result(id, *parent)),
                (Some(value), None, _) => Ok(Kept::Given(value)),
                (None, _, Some(parent)) if self.tasks[id.index()].is_ok() => {
                    Err(match self.graph.task(id).rules().effect {
                        Effect::AtMostOnce => RunsAgain::EffectRepeated,
                        Effect::Idempotent | Effect::Pure => RunsAgain::Upstream(*parent),
                    })
                }
                (None, _, _) => continue,
            };
            self.tasks[id.index()] = task;
        }
        self.stand_by();
        self.drop_lists()?;
        self.check_proposers()?;
        Ok(self)
    }

    /// Refuses a result of a task that waits for a failure: what it depends on has results, so it is skipped.
    fn check_fires(&self, task: TaskId) -> Result<(), RuntimeError> {
        let waits = self.graph.task(task).rules().trigger == Trigger::AnyFailed;
        if !waits || self.graph.parents(task).is_empty() {
            return Ok(());
        }
        let name = self.graph.task(task).name();
        Err(RuntimeError::Refused {
            run: self.of.clone(),
            reason: format!(
                "{name} runs only if a task before it fails, and takes no other result: give one to what depends on it"
            ),
        })
    }

    /// A task that has a given result, or whose list may be another one, keeps no items of the earlier run.
    fn drop_lists(&mut self) -> Result<(), RuntimeError> {
        let is_kept = |id: TaskId| {
            let is_same = |parent: &TaskId| match &self.tasks[parent.index()] {
                Ok(Kept::Given(_)) | Err(_) => false,
                Ok(Kept::Nothing | Kept::Stored(_) | Kept::Default(_) | Kept::StandsBy) => true,
            };
            self.tasks[id.index()].is_err() && self.graph.parents(id).iter().all(is_same)
        };
        let (kept, dropped): (Vec<_>, Vec<_>) =
            (self.expanded.iter().copied()).partition(|(id, ..)| is_kept(*id));
        if dropped.is_empty() {
            return Ok(());
        }
        for (id, ..) in &dropped {
            let task = self.graph.task(*id);
            let items = self.graph.items(*id).unwrap_or_default();
            let mut items = items.map(|item| &self.tasks[item as usize]);
            let has_effects = items.any(|item| {
                matches!(
                    item,
                    Ok(_) | Err(RunsAgain::EffectUnknown | RunsAgain::EffectRepeated)
                )
            });
            let is_once = task.rules().effect == Effect::AtMostOnce;
            if is_once && has_effects && self.tasks[id.index()].is_err() {
                self.tasks[id.index()] = Err(RunsAgain::EffectRepeated);
            }
        }
        self.regroup(kept)
    }

    /// Leaves out the items of all tasks but these.
    fn regroup(&mut self, kept: Vec<(TaskId, ContentId, u32)>) -> Result<(), RuntimeError> {
        let before = std::mem::take(&mut self.graph);
        self.graph = before.as_written();
        let mut tasks: Vec<_> = (self.graph.ids())
            .map(|id| self.tasks[id.index()].clone())
            .collect();
        for &(id, _, count) in &kept {
            let items = before.items(id).unwrap_or_default();
            tasks.extend(items.map(|item| self.tasks[item as usize].clone()));
            let id = TaskId::from_index(id.as_u32());
            self.graph
                .expand(id, count)
                .map_err(|error| RuntimeError::Refused {
                    run: self.of.clone(),
                    reason: error.to_string(),
                })?;
        }
        self.tasks = tasks;
        self.expanded = (kept.into_iter())
            .map(|(id, list, count)| (TaskId::from_index(id.as_u32()), list, count))
            .collect();
        self.proposers = (self.proposers.iter())
            .map(|id| TaskId::from_index(id.as_u32()))
            .collect();
        Ok(())
    }

    /// Leaves out all tasks but these and those that they depend on.
    ///
    /// # Errors
    /// If there is no such task, or one that it depends on has no result that is kept.
    pub fn only(mut self, names: &[&str]) -> Result<Self, RuntimeError> {
        let mut is_needed = vec![false; self.graph.len()];
        let mut named = Vec::with_capacity(names.len());
        for name in names {
            let id = self.find(name)?;
            if let Some((of, _)) = self.graph.item(id) {
                let of = self.graph.task(of).name();
                let reason = format!(
                    "{name} is an item of {of}, and does not run without it: choose {of}, or `--from {name}`"
                );
                let run = self.of.clone();
                return Err(RuntimeError::Refused { run, reason });
            }
            self.check_own_result(id, "choose")?;
            is_needed[id.index()] = true;
            named.push(id);
        }
        let ids: Vec<TaskId> = self.graph.ids().collect();
        // A task comes after all that it depends on.
        for id in ids.iter().rev() {
            if is_needed[id.index()] {
                self.need_parents(*id, &mut is_needed, &named)?;
                if let Some(fallback) = self.graph.fallback(*id) {
                    is_needed[fallback.index()] = true;
                }
            }
        }
        for (task, ..) in &self.expanded {
            let is_task_needed = is_needed[task.index()];
            for item in self.graph.items(*task).unwrap_or_default() {
                is_needed[item as usize] = is_task_needed;
            }
        }
        let mut spec = GraphSpec::from(&self.graph.as_written());
        let mut old: BTreeMap<String, Result<Kept, RunsAgain>> = BTreeMap::new();
        for (id, kept) in ids.iter().zip(self.tasks) {
            let name = self.graph.task(*id).name().to_owned();
            if is_needed[id.index()] {
                old.insert(name, kept);
            } else if self.graph.item(*id).is_none() {
                self.gone.push(name);
            }
        }
        spec.tasks.retain(|task| old.contains_key(&task.name));
        let before = self.graph;
        self.graph = TaskGraph::try_from(spec).map_err(|problems| RuntimeError::Refused {
            run: self.of.clone(),
            reason: format!("the tasks cannot run alone: {problems}"),
        })?;
        let find = |graph: &TaskGraph, id: TaskId| graph.find(before.task(id).name());
        let lists = self.expanded.iter();
        let lists =
            lists.filter_map(|&(id, list, count)| Some((find(&self.graph, id)?, list, count)));
        self.expanded = lists.collect();
        for &(id, _, count) in &self.expanded {
            let expanded = self.graph.expand(id, count);
            debug_assert!(expanded.is_ok(), "{expanded:?}");
        }
        let renumbered = |id: TaskId| find(&self.graph, id);
        let tasks = self.graph.tasks().map(|(_, task)| {
            let kept = old.remove(task.name());
            match kept.unwrap_or(Err(RunsAgain::New)) {
                Err(RunsAgain::Upstream(parent)) => {
                    Err(renumbered(parent).map_or(RunsAgain::Chosen, RunsAgain::Upstream))
                }
                kept => kept,
            }
        });
        self.tasks = tasks.collect();
        self.proposers = self
            .proposers
            .iter()
            .filter_map(|id| renumbered(*id))
            .collect();
        chosen::note(&mut self.graph, names);
        self.stand_by();
        Ok(self)
    }

    /// Marks what a task depends on.
    fn need_parents(
        &self,
        id: TaskId,
        is_needed: &mut [bool],
        named: &[TaskId],
    ) -> Result<(), RuntimeError> {
        for parent in self.graph.parents(id) {
            let is_missing = match self.tasks[parent.index()] {
                // It comes to its turn between two named tasks.
                Ok(_) | Err(RunsAgain::Upstream(_)) => false,
                Err(_) => !named.contains(parent),
            };
            if is_missing {
                return Err(self.no_result(id, *parent));
            }
            is_needed[parent.index()] = true;
        }
        Ok(())
    }

    /// The tasks with given results.
    pub fn given(&self) -> impl Iterator<Item = TaskId> {
        let is_given = |id: &TaskId| matches!(self.tasks[id.index()], Ok(Kept::Given(_)));
        self.graph.ids().filter(is_given)
    }

    fn find(&self, name: &str) -> Result<TaskId, RuntimeError> {
        self.graph
            .find(name)
            .ok_or_else(|| RuntimeError::NoSuchTask {
                run: self.of.clone(),
                suggestion: closest(&self.graph, name),
                task: name.to_owned(),
            })
    }

    fn no_result(&self, task: TaskId, parent: TaskId) -> RuntimeError {
        let name = |id| self.graph.task(id).name().to_owned();
        RuntimeError::NoResult {
            run: self.of.clone(),
            task: name(task),
            parent: name(parent),
        }
    }
}
