//! Tasks: the definition of a task, which is its work and its rules. The scheduler keeps its state.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::rules::{Approval, Effect, Foreach, LaneUse, OnFailure, Question, Retry, Trigger};
use crate::{Budget, LaneId, Params, TaskId};

/// The definition of a task: its work and its rules.
///
/// Building one never fails; [`TaskGraph::add_task`](crate::TaskGraph::add_task) checks it.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use zeph_graph::{OnFailure, Task};
/// let task = Task::new("fetch")
///     .action("http_get")
///     .retries(3)
///     .timeout(Duration::from_secs(30))
///     .on_failure(OnFailure::Skip);
/// assert_eq!(task.name(), "fetch");
/// assert_eq!(task.rules().retry.max_retries, 3);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Task {
    name: Arc<str>,
    pub(crate) work: Work,
    /// `None` for the default rules, so that the many tasks of a large graph that have them need no
    /// memory for them. Shared by the items of one task.
    rules: Option<Arc<Rules>>,
}

/// The work of a task, as data. The driver has the code, registered by action name or by task name.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Work {
    /// No work: the task completes as soon as it is ready. Joins several branches of a graph.
    #[default]
    Milestone,
    /// A call of the executor registered under `name`.
    Action {
        /// The executor's name.
        name: Arc<str>,
        /// Its parameters.
        params: Params,
    },
    /// A question to a person; the answer is the result. It has no attempts and occupies no lane.
    Question(Box<Question>),
}

/// The rules of a task: trigger, retries, time-outs, failure strategy, lanes and limits.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Rules {
    /// When the task may start, depending on its parents. Default: all of them completed.
    pub trigger: Trigger,
    /// Whether the task is a finalizer: it starts when every other task has ended, also after an
    /// abort, a run time-out or a cancel of the run. Only finalizers may depend on it. Default: no.
    pub finally: bool,
    /// Whether it runs once for each item of a list. Default: no.
    pub foreach: Option<Foreach>,
    /// Whether the task is prepared, with what parameters: once its trigger has fired, and before an approval,
    /// the driver is asked whether it runs. It may have a condition, or a result already. Default: no.
    pub prepare: Option<Params>,
    /// How often and how soon a failed attempt is repeated. Default: never.
    pub retry: Retry,
    /// What happens when the last attempt has failed. Default: abort the run.
    pub on_failure: OnFailure,
    /// The longest that one attempt may run. Default: no limit.
    pub attempt_timeout: Option<Duration>,
    /// The longest that an attempt may run without output, heartbeat or progress. Default: no limit.
    pub idle_timeout: Option<Duration>,
    /// The longest that all attempts and back-offs together may take. Default: no limit.
    pub task_timeout: Option<Duration>,
    /// The effect class: what a repeated attempt does to the outside world. Default: idempotent.
    pub effect: Effect,
    /// The lanes that an attempt occupies, besides the global one.
    pub lanes: Vec<LaneUse>,
    /// Of the ready tasks, those with a higher priority start first. Default: 0.
    pub priority: i32,
    /// An approval by a person before the first attempt. Default: none.
    pub approve: Option<Approval>,
    /// How long an attempt is expected to take: its weight in the critical path. Default: unknown.
    pub hint: Option<Duration>,
    /// The most that all attempts together may cost, besides the run's budget. Default: no limit.
    pub budget: Budget,
    /// Free text for people and tools; the engine does not read it.
    pub metadata: BTreeMap<String, String>,
}

static DEFAULT_RULES: Rules = Rules {
    trigger: Trigger::AllSuccess,
    finally: false,
    foreach: None,
    prepare: None,
    retry: Retry::NEVER,
    on_failure: OnFailure::Abort,
    attempt_timeout: None,
    idle_timeout: None,
    task_timeout: None,
    effect: Effect::Idempotent,
    lanes: Vec::new(),
    priority: 0,
    approve: None,
    hint: None,
    budget: Budget::UNLIMITED,
    metadata: BTreeMap::new(),
};

impl Task {
    /// A milestone of that name under the default rules.
    #[must_use]
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        Self {
            name: name.into(),
            work: Work::Milestone,
            rules: None,
        }
    }

    /// The name, unique in its graph.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Changes the name, and returns the one that it had.
    pub(crate) fn rename(&mut self, name: Arc<str>) -> Arc<str> {
        std::mem::replace(&mut self.name, name)
    }

    /// The name as an `Arc`, so that events and attempts share it.
    #[must_use]
    pub fn shared_name(&self) -> Arc<str> {
        Arc::clone(&self.name)
    }

    /// The work of the task.
    #[must_use]
    pub const fn work(&self) -> &Work {
        &self.work
    }

    /// The rules of the task.
    #[must_use]
    pub fn rules(&self) -> &Rules {
        self.rules.as_deref().unwrap_or(&DEFAULT_RULES)
    }

    /// Mutable access to the rules.
    pub fn rules_mut(&mut self) -> &mut Rules {
        Arc::make_mut(self.rules.get_or_insert_with(Arc::default))
    }

    /// The task of that name with the same work and these rules.
    pub(crate) fn item(&self, name: String, rules: &Arc<Rules>) -> Self {
        Self {
            name: name.into(),
            work: self.work.clone(),
            rules: Some(Arc::clone(rules)),
        }
    }

    /// Replaces the rules.
    #[must_use]
    pub fn with_rules(mut self, rules: Rules) -> Self {
        self.rules = if rules == DEFAULT_RULES {
            None
        } else {
            Some(Arc::new(rules))
        };
        self
    }

    /// Calls the executor registered under `name`, without parameters.
    #[must_use]
    pub fn action(self, name: impl Into<Arc<str>>) -> Self {
        self.with_work(Work::Action {
            name: name.into(),
            params: Params::none(),
        })
    }

    /// Calls the executor registered under `name` with `params`.
    #[must_use]
    pub fn action_with(self, name: impl Into<Arc<str>>, params: Params) -> Self {
        self.with_work(Work::Action {
            name: name.into(),
            params,
        })
    }

    /// Asks a person; the answer is the result.
    #[must_use]
    pub fn question(self, question: Question) -> Self {
        self.with_work(Work::Question(Box::new(question)))
    }

    /// Replaces the work of the task.
    #[must_use]
    pub fn with_work(mut self, work: Work) -> Self {
        self.work = work;
        self
    }

    /// Sets when the task may start, given how its parents ended.
    #[must_use]
    pub fn trigger(mut self, trigger: Trigger) -> Self {
        self.rules_mut().trigger = trigger;
        self
    }

    /// Makes it a finalizer: it starts when every other task has ended, whatever the reason.
    ///
    /// Only finalizers may depend on it. Its failure makes a completed run Degraded and never aborts a run.
    #[must_use]
    pub fn finally(mut self) -> Self {
        self.rules_mut().finally = true;
        self
    }

    /// Runs it once for each item of the list that its first attempt returns.
    ///
    /// The executor is called without an item for the list, and then with each item.
    #[must_use]
    pub fn foreach(mut self, foreach: Foreach) -> Self {
        self.rules_mut().foreach = Some(foreach);
        self
    }

    /// Asks the driver whether the task runs, once its trigger has fired.
    ///
    /// An executor, which gets these parameters, can skip it, fail it or give it a result then, without an
    /// attempt and without a slot.
    #[must_use]
    pub fn prepare(mut self, params: Params) -> Self {
        self.rules_mut().prepare = Some(params);
        self
    }

    /// Repeats a failed attempt up to `retries` times, with the default back-off.
    #[must_use]
    pub fn retries(mut self, retries: u32) -> Self {
        self.rules_mut().retry.max_retries = retries;
        self
    }

    /// Sets how often and how soon a failed attempt is repeated.
    #[must_use]
    pub fn retry(mut self, retry: Retry) -> Self {
        self.rules_mut().retry = retry;
        self
    }

    /// Sets what happens when the last attempt has failed.
    #[must_use]
    pub fn on_failure(mut self, on_failure: OnFailure) -> Self {
        self.rules_mut().on_failure = on_failure;
        self
    }

    /// Lets another task of the graph run in place of this one when its last attempt has failed.
    ///
    /// As [`on_failure`](Self::on_failure) with [`OnFailure::Fallback`], where the conditions are.
    ///
    /// # Examples
    /// ```
    /// use zeph_graph::{Task, TaskGraph};
    /// let mut graph = TaskGraph::new();
    /// let mirror = graph.add_task(Task::new("mirror").action("http_get"), []);
    /// let fetch = graph.add_task(Task::new("fetch").action("http_get").fallback(mirror), []);
    /// assert_eq!(graph.fallback(fetch), Some(mirror));
    /// ```
    #[must_use]
    pub fn fallback(self, task: TaskId) -> Self {
        self.on_failure(OnFailure::Fallback(task))
    }

    /// Limits each attempt. Zero is refused when the task is added.
    #[must_use]
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.rules_mut().attempt_timeout = Some(limit);
        self
    }

    /// Limits the time of an attempt without output, heartbeat or progress. Zero is refused when the task is
    /// added.
    #[must_use]
    pub fn idle_timeout(mut self, limit: Duration) -> Self {
        self.rules_mut().idle_timeout = Some(limit);
        self
    }

    /// Limits all attempts and back-offs together. Zero is refused when the task is added.
    #[must_use]
    pub fn total_timeout(mut self, limit: Duration) -> Self {
        self.rules_mut().task_timeout = Some(limit);
        self
    }

    /// Sets the effect class: what a repeated attempt does to the outside world.
    #[must_use]
    pub fn effect(mut self, effect: Effect) -> Self {
        self.rules_mut().effect = effect;
        self
    }

    /// Occupies one unit of that lane while it runs.
    #[must_use]
    pub fn lane(self, lane: LaneId) -> Self {
        self.lane_weight(lane, 1)
    }

    /// Occupies `weight` units of that lane while it runs.
    #[must_use]
    pub fn lane_weight(mut self, lane: LaneId, weight: u32) -> Self {
        self.rules_mut().lanes.push(LaneUse { lane, weight });
        self
    }

    /// Sets the priority; of the ready tasks, those with a higher one start first. Default: 0.
    #[must_use]
    pub fn priority(mut self, priority: i32) -> Self {
        self.rules_mut().priority = priority;
        self
    }

    /// Asks a person before the first attempt; "no" skips the task.
    #[must_use]
    pub fn approve(mut self, approval: impl Into<Approval>) -> Self {
        self.rules_mut().approve = Some(approval.into());
        self
    }

    /// Sets how long an attempt is expected to take: its weight in the critical path.
    #[must_use]
    pub fn hint(mut self, hint: Duration) -> Self {
        self.rules_mut().hint = Some(hint);
        self
    }

    /// Limits what all attempts together may cost, besides the run's budget. Default: no limit.
    #[must_use]
    pub fn budget(mut self, budget: Budget) -> Self {
        self.rules_mut().budget = budget;
        self
    }

    /// Adds an entry to the metadata. A second call with the same key replaces the first.
    #[must_use]
    pub fn meta(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.rules_mut().metadata.insert(key.into(), value.into());
        self
    }
}

impl<T: Into<Arc<str>>> From<T> for Task {
    fn from(name: T) -> Self {
        Self::new(name)
    }
}
