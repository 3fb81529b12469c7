//! TaskGraph: tasks and their dependencies, valid by construction.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use crate::fallback::Fallbacks;
use crate::id::GraphMark;
use crate::many::Many;
use crate::patches::Patches;
use crate::{AddError, Lane, LaneId, LaneUse, Links, OnFailure, Params, Rules, Task, TaskId, Work};

/// The most tasks that a graph can hold.
///
/// A scheduler counts the parents of a task in 29 bits.
pub const MAX_TASKS: usize = (1 << 29) - 1;
/// The longest name of a task or lane, in bytes.
pub const MAX_NAME_BYTES: usize = 200;

/// A directed acyclic graph of tasks.
///
/// A dependency is the id of a task that is already in the graph, so a cycle cannot be built. Graphs from
/// outside are validated by `TaskGraph::try_from(GraphSpec)`.
///
/// # Examples
/// ```
/// use zeph_graph::TaskGraph;
/// let mut graph = TaskGraph::new();
/// let fetch = graph.add_task("fetch", []);
/// let save = graph.add_task("save", [fetch]);
/// assert_eq!(graph.parents(save), [fetch]);
/// ```
#[derive(Clone, Debug)]
pub struct TaskGraph {
    pub(crate) mark: GraphMark,
    tasks: Vec<Task>,
    by_name: HashMap<Arc<str>, u32>,
    // Tasks by their names in lower case; built only for a graph that grows by patches.
    by_folded: Option<HashMap<String, u32>>,
    // Parents of task i: parents[parents_end[i - 1]..parents_end[i]], in the order they were given.
    parents: Vec<TaskId>,
    parents_end: Vec<usize>,
    pub(crate) lanes: Vec<Lane>,
    metadata: BTreeMap<String, String>,
    pub(crate) many: Many,
    pub(crate) fallbacks: Fallbacks,
    pub(crate) patches: Patches,
}

impl Default for TaskGraph {
    fn default() -> Self {
        Self::new()
    }
}

impl TaskGraph {
    /// The key of the [metadata](Self::metadata) that holds the folder in which commands and tools work.
    pub const FOLDER: &'static str = "plan_folder";

    /// The key of the [metadata](Self::metadata) of a run that looks for no result in the cache; its own results
    /// are found there all the same.
    pub const NO_CACHE: &'static str = "no_cache";

    /// An empty graph.
    #[must_use]
    pub fn new() -> Self {
        Self {
            mark: GraphMark::fresh(),
            tasks: Vec::new(),
            by_name: HashMap::new(),
            by_folded: None,
            parents: Vec::new(),
            parents_end: Vec::new(),
            lanes: Vec::new(),
            metadata: BTreeMap::new(),
            many: Many::default(),
            fallbacks: Fallbacks::default(),
            patches: Patches::default(),
        }
    }

    /// Adds a task that depends on tasks of this graph. A dependency listed twice counts once.
    ///
    /// # Panics
    /// With the caller's location if [`try_add_task`](Self::try_add_task) would return an error.
    #[track_caller]
    pub fn add_task(
        &mut self,
        task: impl Into<Task>,
        dependencies: impl IntoIterator<Item = TaskId>,
    ) -> TaskId {
        match self.try_add_task(task, dependencies) {
            Ok(id) => id,
            Err(error) => panic!("{error}"),
        }
    }

    /// Adds a task that depends on tasks of this graph. A dependency listed twice counts once.
    ///
    /// # Errors
    /// An [`AddError`]; the graph is unchanged.
    pub fn try_add_task(
        &mut self,
        task: impl Into<Task>,
        dependencies: impl IntoIterator<Item = TaskId>,
    ) -> Result<TaskId, AddError> {
        let task = task.into();
        self.check(&task)?;
        let index = u32::try_from(self.tasks.len()).map_err(|_| AddError::TooManyTasks)?;
        if self.tasks.len() >= MAX_TASKS {
            return Err(AddError::TooManyTasks);
        }
        let start = self.parents.len();
        for dependency in dependencies {
            if !dependency.belongs_to(self.mark) || dependency.as_u32() >= index {
                self.parents.truncate(start);
                return Err(AddError::ForeignTask {
                    task: task.name().into(),
                    dependency,
                });
            }
            let parent = &self.tasks[dependency.index()];
            if parent.rules().finally && !task.rules().finally {
                let dependency = parent.name().into();
                self.parents.truncate(start);
                return Err(AddError::NeedsFinalizer {
                    task: task.name().into(),
                    dependency,
                });
            }
            self.parents
                .push(TaskId::marked(dependency.as_u32(), self.mark));
        }
        dedup_tail(&mut self.parents, start);
        if let Err(error) = self.check_fallbacks(&task, &self.parents[start..]) {
            self.parents.truncate(start);
            return Err(error);
        }
        let id = TaskId::marked(index, self.mark);
        let fallback = match task.rules().on_failure {
            OnFailure::Fallback(to) => Some(to),
            OnFailure::Abort | OnFailure::Skip | OnFailure::Ask(_) | OnFailure::Value(_) => None,
        };
        self.fallbacks.push(id, &self.parents[start..], fallback);
        self.parents_end.push(self.parents.len());
        self.by_name.insert(task.shared_name(), index);
        if let Some(by_folded) = &mut self.by_folded {
            by_folded.insert(task.name().to_lowercase(), index);
        }
        self.tasks.push(task);
        Ok(id)
    }

    /// Declares a lane.
    ///
    /// # Panics
    /// With the caller's location if [`try_add_lane`](Self::try_add_lane) would return an error.
    #[track_caller]
    pub fn add_lane(&mut self, name: impl Into<Arc<str>>, capacity: u32) -> LaneId {
        match self.try_add_lane(name, capacity) {
            Ok(id) => id,
            Err(error) => panic!("{error}"),
        }
    }

    /// Declares a lane.
    ///
    /// # Errors
    /// If the name is invalid or taken, or the capacity is 0.
    pub fn try_add_lane(
        &mut self,
        name: impl Into<Arc<str>>,
        capacity: u32,
    ) -> Result<LaneId, AddError> {
        let name = name.into();
        check_name(&name)?;
        if self.lanes.iter().any(|lane| lane.name == name) {
            return Err(AddError::DuplicateName {
                name: name.to_string(),
            });
        }
        if capacity == 0 {
            return Err(AddError::ZeroCapacity {
                lane: name.to_string(),
            });
        }
        let index = u32::try_from(self.lanes.len()).map_err(|_| AddError::TooManyTasks)?;
        self.lanes.push(Lane {
            name,
            capacity,
            shared: false,
        });
        Ok(LaneId::from_index(index))
    }

    /// The number of tasks.
    #[must_use]
    pub fn len(&self) -> usize {
        self.tasks.len()
    }

    /// Whether there is no task.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    /// The number of dependencies.
    #[must_use]
    pub fn edge_count(&self) -> usize {
        self.parents.len()
    }

    /// The definition of a task.
    ///
    /// # Panics
    /// If the id is not one of this graph; [`get`](Self::get) returns `None` instead.
    #[must_use]
    #[track_caller]
    pub fn task(&self, id: TaskId) -> &Task {
        match self.get(id) {
            Some(task) => task,
            None => panic!("{id} is not a task of this graph"),
        }
    }

    /// The definition of a task, if the id is one of this graph.
    #[must_use]
    pub fn get(&self, id: TaskId) -> Option<&Task> {
        if id.belongs_to(self.mark) {
            self.tasks.get(id.index())
        } else {
            None
        }
    }

    /// Replaces the work of a task, before the graph is run.
    ///
    /// # Panics
    /// If the id is not one of this graph.
    #[track_caller]
    pub fn set_work(&mut self, id: TaskId, work: Work) {
        assert!(self.contains(id), "{id} is not a task of this graph");
        self.tasks[id.index()].work = work;
    }

    /// Lets a task be [prepared](crate::Rules::prepare) with these parameters, before the graph is run.
    ///
    /// # Panics
    /// If the id is not one of this graph.
    #[track_caller]
    pub fn set_preparation(&mut self, id: TaskId, params: Params) {
        assert!(self.contains(id), "{id} is not a task of this graph");
        self.tasks[id.index()].rules_mut().prepare = Some(params);
    }

    /// Whether the id is one of this graph.
    #[must_use]
    pub fn contains(&self, id: TaskId) -> bool {
        self.get(id).is_some()
    }

    /// The task of that name. Constant time.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<TaskId> {
        self.by_name
            .get(name)
            .map(|&index| TaskId::marked(index, self.mark))
    }

    /// Prepares [`find_folded`](Self::find_folded): one pass over all names, the first time.
    pub(crate) fn fold_names(&mut self) {
        if self.by_folded.is_none() {
            let names = (0..).zip(&self.tasks);
            let folded = names.map(|(index, task)| (task.name().to_lowercase(), index));
            self.by_folded = Some(folded.collect());
        }
    }

    /// The name of a task that is equal to `folded`, which is in lower case, apart from case.
    pub(crate) fn find_folded(&self, folded: &str) -> Option<&str> {
        let index = *self.by_folded.as_ref()?.get(folded)?;
        Some(self.tasks[index as usize].name())
    }

    /// Gives a task another name, which is free.
    pub(crate) fn rename(&mut self, id: TaskId, name: Arc<str>) {
        // A task of this graph has a position.
        let index = id.as_u32();
        let old = self.tasks[id.index()].rename(Arc::clone(&name));
        self.by_name.remove(&old);
        if let Some(by_folded) = &mut self.by_folded {
            let old = old.to_lowercase();
            if by_folded.get(&old) == Some(&index) {
                by_folded.remove(&old);
            }
            by_folded.insert(name.to_lowercase(), index);
        }
        self.by_name.insert(name, index);
    }

    /// All names, in the order of insertion.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> + Clone {
        self.tasks.iter().map(Task::name)
    }

    /// Removes the last tasks, so that `len` remain.
    pub(crate) fn truncate(&mut self, len: u32) {
        for task in self.tasks.drain(len as usize..) {
            self.by_name.remove(task.name());
            if let Some(by_folded) = &mut self.by_folded {
                by_folded.remove(&task.name().to_lowercase());
            }
        }
        self.many.truncate(len);
        self.parents_end.truncate(len as usize);
        self.parents
            .truncate(self.parents_end.last().copied().unwrap_or(0));
        self.fallbacks.truncate(len, &self.parents);
    }

    /// All ids, in the order of insertion, which is a topological order.
    #[must_use]
    pub fn ids(&self) -> impl DoubleEndedIterator<Item = TaskId> + ExactSizeIterator + use<> {
        let mark = self.mark;
        // The number of tasks fits: `try_add_task` refuses more.
        (0..self.tasks.len() as u32).map(move |index| TaskId::marked(index, mark))
    }

    /// All definitions, in the order of insertion.
    #[must_use]
    pub fn tasks(&self) -> impl ExactSizeIterator<Item = (TaskId, &Task)> {
        self.ids().zip(&self.tasks)
    }

    /// The dependencies of a task, in the given order, each once.
    ///
    /// # Panics
    /// If the id is not one of this graph.
    #[must_use]
    #[track_caller]
    pub fn parents(&self, id: TaskId) -> &[TaskId] {
        assert!(self.contains(id), "{id} is not a task of this graph");
        let start = match id.index() {
            0 => 0,
            index => self.parents_end[index - 1],
        };
        &self.parents[start..self.parents_end[id.index()]]
    }

    /// The children of every task, computed in one pass over all dependencies.
    #[must_use]
    pub fn links(&self) -> Links {
        Links::of(self)
    }

    /// The lanes, in the order of declaration.
    #[must_use]
    pub fn lanes(&self) -> &[Lane] {
        &self.lanes
    }

    /// The lane of that name.
    #[must_use]
    pub fn find_lane(&self, name: &str) -> Option<LaneId> {
        let index = self.lanes.iter().position(|lane| &*lane.name == name)?;
        Some(LaneId::from_index(u32::try_from(index).ok()?))
    }

    /// Free text about the graph, such as its goal and its origin; the scheduler does not read it.
    #[must_use]
    pub fn metadata(&self) -> &BTreeMap<String, String> {
        &self.metadata
    }

    /// Mutable access to the free text about the graph.
    pub fn metadata_mut(&mut self) -> &mut BTreeMap<String, String> {
        &mut self.metadata
    }

    fn check(&self, task: &Task) -> Result<(), AddError> {
        check_name(task.name())?;
        if self.by_name.contains_key(task.name()) {
            return Err(AddError::DuplicateName {
                name: task.name().into(),
            });
        }
        check_times(task.name(), task.rules(), task.work())?;
        let is_action = matches!(task.work(), Work::Action { .. });
        let asks = matches!(task.rules().on_failure, OnFailure::Ask(_));
        let foreach = task.rules().foreach;
        if let Some(why) = foreach.and_then(|foreach| foreach.defect(is_action, asks)) {
            let task = task.name().into();
            return Err(AddError::BadForeach { task, why });
        }
        let all = &task.rules().lanes;
        for (i, used) in all.iter().enumerate() {
            let Some(lane) = self.lanes.get(used.lane.index()) else {
                return Err(AddError::UnknownLane {
                    task: task.name().into(),
                });
            };
            let same = task
                .rules()
                .lanes
                .iter()
                .filter(|other| other.lane == used.lane);
            // A lane that is listed twice counts with the sum of its weights.
            let weight = same.fold(0u32, |sum, other| sum.saturating_add(other.weight));
            if used.weight == 0 || weight > lane.capacity {
                return Err(AddError::BadWeight {
                    task: task.name().into(),
                    lane: lane.name.to_string(),
                    weight,
                    capacity: lane.capacity,
                });
            }
            let is_shared = |used: &LaneUse| self.lanes[used.lane.index()].shared;
            if lane.shared && (weight != 1 || all[..i].iter().any(is_shared)) {
                return Err(AddError::SharedLane {
                    task: task.name().into(),
                    lane: lane.name.to_string(),
                });
            }
            if all[..i].iter().any(|before| before.lane == used.lane) {
                return Err(AddError::RepeatedLane {
                    task: task.name().into(),
                    lane: lane.name.to_string(),
                });
            }
        }
        Ok(())
    }
}

fn check_name(name: &str) -> Result<(), AddError> {
    let fine = (1..=MAX_NAME_BYTES).contains(&name.len()) && !name.chars().any(char::is_control);
    if fine {
        Ok(())
    } else {
        Err(AddError::BadName {
            name: name.chars().take(80).collect(),
        })
    }
}

fn check_times(task: &str, rules: &Rules, work: &Work) -> Result<(), AddError> {
    let ask = match &rules.on_failure {
        OnFailure::Ask(ask) => ask.fallback.map(|(wait, _)| wait),
        OnFailure::Abort | OnFailure::Skip | OnFailure::Value(_) | OnFailure::Fallback(_) => None,
    };
    let question = match work {
        Work::Question(question) => question.fallback.as_ref().map(|(wait, _)| *wait),
        Work::Milestone | Work::Action { .. } => None,
    };
    let approval = rules
        .approve
        .as_ref()
        .and_then(|a| a.fallback)
        .map(|(wait, _)| wait);
    let all = [
        ("the attempt time-out", rules.attempt_timeout),
        ("the idle time-out", rules.idle_timeout),
        ("the task time-out", rules.task_timeout),
        ("the wait for an answer to a failure", ask),
        ("the wait for an answer", question),
        ("the wait for an approval", approval),
    ];
    match all
        .into_iter()
        .find(|(_, limit)| *limit == Some(Duration::ZERO))
    {
        Some((what, _)) => Err(AddError::ZeroTimeout {
            task: task.into(),
            what,
        }),
        None => Ok(()),
    }
}

/// Removes repeated ids from `ids[start..]`, keeping the first of each and the order.
fn dedup_tail(ids: &mut Vec<TaskId>, start: usize) {
    let tail = &ids[start..];
    let repeats = if tail.len() <= 16 {
        (1..tail.len()).any(|i| tail[..i].contains(&tail[i]))
    } else {
        let mut sorted = tail.to_vec();
        sorted.sort_unstable();
        sorted.windows(2).any(|pair| pair[0] == pair[1])
    };
    if repeats {
        let mut seen = std::collections::BTreeSet::new();
        let kept: Vec<TaskId> = tail.iter().copied().filter(|&id| seen.insert(id)).collect();
        ids.truncate(start);
        ids.extend(kept);
    }
}
