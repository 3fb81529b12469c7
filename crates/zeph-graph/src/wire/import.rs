//! The one door: from a graph by names, which may say anything, to a `TaskGraph`, which is valid.

use std::collections::HashMap;
use std::ops::Range;
use std::time::Duration;

use super::check::{Checked, Origin, check};
use super::{
    AnswerSpec, Diagnostic, Diagnostics, GraphSpec, Limits, OnFailureSpec, QuestionSpec, TaskSpec,
    WorkSpec, code,
};
use crate::{
    AddError, AnswerKind, Approval, AskFailure, LaneId, LaneUse, OnFailure, Params, Question,
    Rules, Task, TaskGraph, TaskId, Work,
};

impl TryFrom<GraphSpec> for TaskGraph {
    type Error = Diagnostics;

    /// The graph, within [`Limits::default`]; see [`GraphSpec::check`].
    fn try_from(spec: GraphSpec) -> Result<Self, Diagnostics> {
        spec.check(&Limits::default())
    }
}

impl GraphSpec {
    /// The graph that this is, or everything that is wrong with it.
    ///
    /// Its tasks come in the smallest topological order: a spec that lists every task after those
    /// it needs keeps its order, and otherwise a task moves back only behind those it needs. Ids are
    /// positions in that order, and journals hold ids.
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

    /// The graph that this program stored: every graph that could be built can be read back.
    pub(crate) fn restore(self) -> Result<TaskGraph, Diagnostics> {
        let checked = check(&self, None, &Limits::NONE, Origin::Store)?;
        build(self, &checked)
    }
}

impl TaskGraph {
    /// Adds the tasks of a patch, whole or not at all, within [`Limits::default`] for the graph as it
    /// then is; see [`GraphSpec::check`].
    ///
    /// A new task may need tasks of the patch and of the graph, and use the graph's lanes by name. A
    /// patch declares no lanes, and its metadata is not taken over; nothing that is there changes. The
    /// new ids follow those that are there, in the smallest topological order of the patch, so ids
    /// stay in topological order.
    ///
    /// Returns the positions of the new tasks. Cost: the size of the patch, and the graph's lanes; the
    /// first call makes a pass over the graph's names.
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
        add_tasks(self, patch.tasks.clone(), &checked)
    }

    /// Adds the tasks of a patch that [`extend`](Self::extend) has let in before, to the same graph:
    /// what a run's journal holds.
    ///
    /// Limits, and rules for what people may write, are not asked again, so that a stored run stays
    /// readable when they change.
    ///
    /// # Errors
    /// If it does not fit the graph; the graph is unchanged.
    pub fn extend_again(&mut self, patch: &GraphSpec) -> Result<Range<u32>, Diagnostics> {
        let checked = check(patch, Some(self), &Limits::NONE, Origin::Store)?;
        add_tasks(self, patch.tasks.clone(), &checked)
    }
}

fn build(spec: GraphSpec, checked: &Checked) -> Result<TaskGraph, Diagnostics> {
    let mut graph = TaskGraph::new();
    *graph.metadata_mut() = spec.metadata;
    for lane in spec.lanes {
        (graph.try_add_lane(lane.name.as_str(), lane.capacity))
            .map_err(|error| refused(&error, None))?;
    }
    add_tasks(&mut graph, spec.tasks, checked)?;
    Ok(graph)
}

/// Adds checked tasks; all of them or none. Returns their positions.
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
        match graph.try_add_task(task(spec, &lanes), parents) {
            Ok(id) => ids[position as usize] = id,
            Err(error) => {
                graph.truncate(first);
                return Err(refused(&error, Some(name)));
            }
        }
    }
    Ok(first..graph.len() as u32)
}

/// What only the graph itself found. The checks come first, so this is a second lock.
fn refused(error: &AddError, task: Option<String>) -> Diagnostics {
    let code = match error {
        AddError::ForeignTask { .. } => code::UNKNOWN_DEPENDENCY,
        AddError::BadName { .. } => code::BAD_NAME,
        AddError::DuplicateName { .. } => code::DUPLICATE_NAME,
        AddError::ZeroTimeout { .. } => code::ZERO_TIMEOUT,
        AddError::ZeroCapacity { .. } => code::ZERO_CAPACITY,
        AddError::UnknownLane { .. } => code::UNKNOWN_LANE,
        AddError::BadWeight { .. } => code::BAD_WEIGHT,
        AddError::RepeatedLane { .. } => code::DUPLICATE_LANE,
        AddError::TooManyTasks => code::TOO_MANY_TASKS,
    };
    let one = Diagnostic::new(code, error.to_string());
    match task {
        Some(task) => one.subject(task).into(),
        None => one.into(),
    }
}

fn task(spec: TaskSpec, lanes: &HashMap<String, LaneId>) -> Task {
    let used = spec.lanes.iter().filter_map(|used| {
        Some(LaneUse {
            lane: *lanes.get(&used.lane)?,
            weight: used.weight,
        })
    });
    let rules = Rules {
        trigger: spec.trigger,
        retry: spec.retry.into(),
        on_failure: on_failure(spec.on_failure),
        attempt_timeout: spec.attempt_timeout_us.map(Duration::from_micros),
        task_timeout: spec.task_timeout_us.map(Duration::from_micros),
        effect: spec.effect,
        lanes: used.collect(),
        priority: spec.priority,
        approve: spec.approve.map(|approve| Approval {
            text: approve.text,
            fallback: approve
                .default
                .map(|default| (Duration::from_micros(default.after_us), default.yes)),
        }),
        hint: spec.hint_us.map(Duration::from_micros),
        budget: spec.budget.into(),
        metadata: spec.metadata,
    };
    let work = match spec.work {
        WorkSpec::Milestone {} => Work::Milestone,
        WorkSpec::Action { name, params } => Work::Action {
            name: name.into(),
            params: params.into(),
        },
        WorkSpec::Question(asked) => Work::Question(Box::new(question(*asked))),
    };
    Task::new(spec.name).with_work(work).with_rules(rules)
}

fn on_failure(spec: OnFailureSpec) -> OnFailure {
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
    }
}

/// The question that a spec describes.
pub(crate) fn question(spec: QuestionSpec) -> Question {
    Question {
        text: spec.text,
        kind: match spec.answer {
            AnswerSpec::Text => AnswerKind::Text,
            AnswerSpec::Number => AnswerKind::Number,
            AnswerSpec::YesNo => AnswerKind::YesNo,
            AnswerSpec::Choice { choices } => AnswerKind::Choice(choices),
        },
        fallback: spec.default.map(|default| {
            let wait = Duration::from_micros(default.after_us);
            (wait, Params::from(default.value))
        }),
    }
}
