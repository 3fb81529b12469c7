//! Import: from an untrusted `GraphSpec` to a valid `TaskGraph`, or to all its problems at once.

use std::collections::HashMap;
use std::ops::Range;
use std::time::Duration;

use super::check::{Checked, Origin, check};
use super::{Diagnostic, Diagnostics, GraphSpec, Limits, OnFailureSpec, TaskSpec, WorkSpec, code};
use crate::{
    AddError, AskFailure, LaneId, LaneUse, OnFailure, Params, Rules, Task, TaskGraph, TaskId, Work,
};

impl TryFrom<GraphSpec> for TaskGraph {
    type Error = Diagnostics;

    /// The graph, within [`Limits::default`]; see [`GraphSpec::check`].
    fn try_from(spec: GraphSpec) -> Result<Self, Diagnostics> {
        spec.check(&Limits::default())
    }
}

impl GraphSpec {
    /// The validated graph, or all its problems.
    ///
    /// The tasks are in the smallest topological order: a spec that lists every task after its dependencies
    /// keeps its order, and otherwise a task moves back only behind its dependencies. Ids are positions in
    /// that order, and journals store ids.
    ///
    /// # Errors
    /// All problems at once, each with a stable code.
    ///
    /// # Examples
    /// ```
    /// use zeph_graph::wire::{Code, GraphSpec, Limits, code};
    /// let spec = GraphSpec::from_json(r#"{"version":1,"tasks":[
    ///     {"name":"fetch"},
    ///     {"name":"parse","needs":["fecth"]},
    ///     {"name":"a","needs":["b"]},
    ///     {"name":"b","needs":["a"]}
    /// ]}"#)?;
    /// let problems = spec.check(&Limits::PLAN).unwrap_err();
    /// let codes: Vec<Code> = problems.iter().map(|problem| problem.code).collect();
    /// assert_eq!(codes, [code::UNKNOWN_DEPENDENCY, code::CYCLE]);
    /// assert_eq!(problems.as_slice()[0].help.as_deref(), Some("did you mean \"fetch\"?"));
    /// assert!(problems.as_slice()[1].message.contains("a → b → a"));
    /// # Ok::<(), zeph_graph::wire::BadSpec>(())
    /// ```
    pub fn check(self, limits: &Limits) -> Result<TaskGraph, Diagnostics> {
        let checked = check(&self, None, limits, Origin::Outside)?;
        build(self, &checked)
    }

    /// A graph that this program stored: every graph that can be built can be read back.
    pub(crate) fn restore(self) -> Result<TaskGraph, Diagnostics> {
        let checked = check(&self, None, &Limits::NONE, Origin::Store)?;
        build(self, &checked)
    }
}

impl TaskGraph {
    /// Applies all of a patch or nothing, within [`Limits::default`] for the resulting graph; see
    /// [`GraphSpec::check`].
    ///
    /// A new task may depend on tasks of the patch and of the graph, and use the graph's lanes by name. A
    /// patch declares no lanes, and its metadata is ignored. The new ids follow the existing ones, in the
    /// smallest topological order of the patch, so ids stay in topological order.
    ///
    /// The tasks that it [removes](GraphSpec::removes) stay in the graph under other names, as `build (removed)`,
    /// so that the new ones can have their names: a task is replaced by a patch that removes it, and lists it and
    /// the tasks that depend on it anew. Whether they have started is the scheduler's to check.
    ///
    /// Returns the positions of the new tasks. Cost: the size of the patch and the number of lanes; the
    /// first call also reads all names of the graph once.
    ///
    /// # Errors
    /// All problems at once, each with a stable code; the graph is unchanged.
    ///
    /// # Examples
    /// ```
    /// use zeph_graph::{TaskGraph, wire::GraphSpec};
    /// let mut graph = TaskGraph::new();
    /// let fetch = graph.add_task("fetch", []);
    /// let patch = GraphSpec::from_json(r#"{"version":1,"tasks":[
    ///     {"name":"parse","needs":["fetch"]},
    ///     {"name":"save","needs":["parse"]}
    /// ]}"#)?;
    /// assert_eq!(graph.extend(&patch)?, 1..3);
    /// assert_eq!(graph.parents(graph.find("parse").expect("it is new")), [fetch]);
    ///
    /// let problems = graph.extend(&patch).unwrap_err();
    /// assert_eq!(problems.as_slice().len(), 2); // both names are taken now
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn extend(&mut self, patch: &GraphSpec) -> Result<Range<u32>, Diagnostics> {
        self.fold_names();
        let checked = check(patch, Some(self), &Limits::default(), Origin::Outside)?;
        amend(self, patch, &checked)
    }

    /// Adds the tasks of a patch from a run's journal, which [`extend`](Self::extend) accepted before for the
    /// same graph.
    ///
    /// Limits and the rules for untrusted graphs are not applied again, so that a stored run stays readable
    /// when they change.
    ///
    /// # Errors
    /// If it does not fit the graph; the graph is unchanged.
    pub fn extend_again(&mut self, patch: &GraphSpec) -> Result<Range<u32>, Diagnostics> {
        let checked = check(patch, Some(self), &Limits::NONE, Origin::Store)?;
        amend(self, patch, &checked)
    }
}

fn build(spec: GraphSpec, checked: &Checked) -> Result<TaskGraph, Diagnostics> {
    let mut graph = TaskGraph::new();
    *graph.metadata_mut() = spec.metadata;
    for lane in spec.lanes {
        let added = match lane.shared {
            true => graph.try_add_shared_lane(lane.name.as_str(), lane.capacity),
            false => graph.try_add_lane(lane.name.as_str(), lane.capacity),
        };
        added.map_err(|error| refused(&error, None))?;
    }
    add_tasks(&mut graph, spec.tasks, checked)?;
    Ok(graph)
}

/// Applies a checked patch, or nothing of it. Returns the positions of the new tasks.
fn amend(
    graph: &mut TaskGraph,
    patch: &GraphSpec,
    checked: &Checked,
) -> Result<Range<u32>, Diagnostics> {
    let removed = graph.remove(&patch.removes);
    let added = add_tasks(graph, patch.tasks.clone(), checked);
    match &added {
        Ok(added) => graph.patches.note(added.start),
        Err(_) => graph.put_back(removed),
    }
    added
}

/// Adds all checked tasks or none. Returns their positions.
fn add_tasks(
    graph: &mut TaskGraph,
    tasks: Vec<TaskSpec>,
    checked: &Checked,
) -> Result<Range<u32>, Diagnostics> {
    // A graph holds fewer tasks than a u32 counts.
    let first = graph.len() as u32;
    let lanes: HashMap<String, LaneId> = (0..)
        .zip(graph.lanes())
        .map(|(index, lane)| (lane.name.to_string(), LaneId::from_index(index)))
        .collect();
    let mut tasks: Vec<Option<TaskSpec>> = tasks.into_iter().map(Some).collect();
    let mut ids = vec![TaskId::from_index(0); tasks.len()];
    for &position in &checked.order {
        let Some(spec) = tasks[position as usize].take() else {
            continue;
        };
        let name = spec.name.clone();
        let needs = checked.needs[position as usize].iter();
        let parent = |&need: &u32| match need.checked_sub(first) {
            Some(position) => ids[position as usize],
            None => TaskId::from_index(need),
        };
        let parents: Vec<TaskId> = needs.map(parent).collect();
        let fallback = checked.fallbacks[position as usize].map(|at| ids[at as usize]);
        match graph.try_add_task(task(spec, &lanes, fallback), parents) {
            Ok(id) => ids[position as usize] = id,
            Err(error) => {
                graph.truncate(first);
                return Err(refused(&error, Some(name)));
            }
        }
    }
    Ok(first..graph.len() as u32)
}

/// A problem that the checks missed and the graph itself refused.
fn refused(error: &AddError, task: Option<String>) -> Diagnostics {
    let code = match error {
        AddError::ForeignTask { .. } => code::UNKNOWN_DEPENDENCY,
        AddError::NeedsFinalizer { .. } => code::NEEDS_FINALIZER,
        AddError::BadName { .. } => code::BAD_NAME,
        AddError::DuplicateName { .. } => code::DUPLICATE_NAME,
        AddError::ZeroTimeout { .. } => code::ZERO_TIMEOUT,
        AddError::BadForeach { .. } => code::BAD_FOREACH,
        AddError::BadFallback { .. } => code::BAD_FALLBACK,
        AddError::ZeroCapacity { .. } => code::ZERO_CAPACITY,
        AddError::UnknownLane { .. } => code::UNKNOWN_LANE,
        AddError::BadWeight { .. } => code::BAD_WEIGHT,
        AddError::SharedLane { .. } | AddError::TooManySlots { .. } => code::SHARED_LANE,
        AddError::RepeatedLane { .. } => code::DUPLICATE_LANE,
        AddError::TooManyTasks => code::TOO_MANY_TASKS,
    };
    let one = Diagnostic::new(code, error.to_string());
    match task {
        Some(task) => one.subject(task).into(),
        None => one.into(),
    }
}

fn task(spec: TaskSpec, lanes: &HashMap<String, LaneId>, fallback: Option<TaskId>) -> Task {
    let used = spec.lanes.iter().filter_map(|used| {
        Some(LaneUse {
            lane: *lanes.get(&used.lane)?,
            weight: used.weight,
        })
    });
    let rules = Rules {
        trigger: spec.trigger,
        finally: spec.finally,
        prepare: spec.prepare.map(Params::from),
        foreach: spec.foreach,
        retry: spec.retry,
        on_failure: on_failure(spec.on_failure, fallback),
        attempt_timeout: spec.attempt_timeout_us.map(Duration::from_micros),
        idle_timeout: spec.idle_timeout_us.map(Duration::from_micros),
        task_timeout: spec.task_timeout_us.map(Duration::from_micros),
        effect: spec.effect,
        lanes: used.collect(),
        priority: spec.priority,
        approve: spec.approve,
        hint: spec.hint_us.map(Duration::from_micros),
        budget: spec.budget,
        metadata: spec.metadata,
    };
    let work = match spec.work {
        WorkSpec::Milestone {} => Work::Milestone,
        WorkSpec::Action { name, params } => Work::Action {
            name: name.into(),
            params: params.into(),
        },
        WorkSpec::Question(asked) => Work::Question(Box::new((*asked).into())),
    };
    Task::new(spec.name).with_work(work).with_rules(rules)
}

fn on_failure(spec: OnFailureSpec, fallback: Option<TaskId>) -> OnFailure {
    match spec {
        OnFailureSpec::Abort {} => OnFailure::Abort,
        OnFailureSpec::Skip {} => OnFailure::Skip,
        OnFailureSpec::Ask { default } => OnFailure::Ask(AskFailure {
            fallback: default.map(|default| {
                let wait = Duration::from_micros(default.after_us);
                (wait, default.answer)
            }),
        }),
        OnFailureSpec::Value { value } => OnFailure::Value(value.into()),
        // The checks have found it.
        OnFailureSpec::Fallback { .. } => fallback.map_or(OnFailure::Abort, OnFailure::Fallback),
    }
}
