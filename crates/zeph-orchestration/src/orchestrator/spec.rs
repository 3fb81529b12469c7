//! `RunSpec`: the specification of a new run.

use std::collections::BTreeMap;
use std::path::PathBuf;

use zeph_graph::{Group, RunId, TaskGraph};
use zeph_runtime::{BadLabel, set_label};

#[cfg(feature = "planfile")]
use super::LoadedPlan;

/// A new run: its work, its name and its title.
///
/// A goal, a [`LoadedPlan`] and a [`TaskGraph`] become one by `into()`, so each can be given to
/// [`Orchestrator::run`](super::Orchestrator::run) as it is.
#[derive(Clone, Debug)]
#[must_use]
pub struct RunSpec {
    pub(super) work: RunWork,
    pub(super) name: Option<RunId>,
    pub(super) title: Option<String>,
    pub(super) folder: Option<PathBuf>,
    pub(super) metadata: BTreeMap<String, String>,
}

/// The work of a run.
#[derive(Clone, Debug)]
pub(super) enum RunWork {
    Graph(Box<TaskGraph>),
    #[cfg(feature = "planfile")]
    Plan(Box<LoadedPlan>),
    #[cfg(feature = "planner")]
    Goal(String),
}

impl RunSpec {
    const fn new(work: RunWork) -> Self {
        Self {
            work,
            name: None,
            title: None,
            folder: None,
            metadata: BTreeMap::new(),
        }
    }

    /// Reaches a goal: a model plans it, the plan is confirmed and run, the results become one answer.
    #[cfg(feature = "planner")]
    pub fn goal(goal: impl Into<String>) -> Self {
        Self::new(RunWork::Goal(goal.into()))
    }

    /// Names the run. A name that the store already has is an error. Default: a random name.
    pub fn name(mut self, run: RunId) -> Self {
        self.name = Some(run);
        self
    }

    /// The title in lists. Default: the goal, or the name of the plan file.
    pub fn title(mut self, title: impl Into<String>) -> Self {
        self.title = Some(title.into());
        self
    }

    /// The folder in which commands and tools work; stored with the run. Default: that of the plan
    /// file, else that of the process.
    pub fn folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folder = Some(folder.into());
        self
    }

    /// The secrets that are given for the parameters of a plan, by name.
    #[cfg(feature = "planfile")]
    pub fn given_secrets(&self) -> impl Iterator<Item = (&str, &str)> {
        let plan = match &self.work {
            RunWork::Plan(plan) => Some(plan),
            RunWork::Graph(_) => None,
            #[cfg(feature = "planner")]
            RunWork::Goal(_) => None,
        };
        let secrets = plan.map(|plan| plan.bound.run_values().given_secrets());
        secrets.into_iter().flatten()
    }

    /// Labels the run. A later value of the same name counts.
    ///
    /// # Errors
    /// If the name or the value has characters that are not allowed.
    pub fn label(mut self, name: &str, value: &str) -> Result<Self, BadLabel> {
        set_label(&mut self.metadata, name, value)?;
        Ok(self)
    }

    /// Puts the run into a group, of which one run works at a time. Default: that of the plan or graph.
    pub fn group(mut self, group: &Group) -> Self {
        group.store(&mut self.metadata);
        self
    }

    /// The graph of the run; `None` of a goal, which has none yet.
    #[must_use]
    pub fn graph(&self) -> Option<&TaskGraph> {
        match &self.work {
            RunWork::Graph(graph) => Some(graph),
            #[cfg(feature = "planfile")]
            RunWork::Plan(plan) => Some(&plan.graph),
            #[cfg(feature = "planner")]
            RunWork::Goal(_) => None,
        }
    }

    /// Stores a text with the run's graph.
    pub fn metadata(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.metadata.insert(key.into(), value.into());
        self
    }
}

impl From<TaskGraph> for RunSpec {
    fn from(graph: TaskGraph) -> Self {
        Self::new(RunWork::Graph(Box::new(graph)))
    }
}

#[cfg(feature = "planfile")]
impl From<LoadedPlan> for RunSpec {
    fn from(plan: LoadedPlan) -> Self {
        Self::new(RunWork::Plan(Box::new(plan)))
    }
}

#[cfg(feature = "planner")]
impl From<&str> for RunSpec {
    fn from(goal: &str) -> Self {
        Self::goal(goal)
    }
}
