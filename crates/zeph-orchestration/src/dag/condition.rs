//! Conditions: closures that say whether a task runs, once its trigger has fired.

use std::sync::Arc;

use zeph_executor::{ErrorClass, TaskError, closure::CONDITION_IS_FALSE};
use zeph_graph::{Attempt, Params, TaskId, Timestamp};
use zeph_runtime::driver::{self, Failure, PrepareReport};

use super::DagScheduler;
use super::attempt::AttemptContext;
use super::inbox::{ConditionReport, Report};
use super::pool::call;
use super::step::{Content, no_thread};

pub(crate) type AnyCondition =
    Arc<dyn Fn(&AttemptContext) -> Result<bool, TaskError> + Send + Sync>;

impl DagScheduler {
    /// Gives a task a condition: once its trigger has fired, and before it takes a slot or asks a person, the
    /// closure says whether it runs. `false` skips it, an error is its failure.
    ///
    /// The closure is called on a thread of its own, with the results of the parents and the number of the first
    /// attempt; it should have no effect. A task in which each item of a list runs is asked once, before the
    /// list is made. A second condition replaces the first.
    ///
    /// # Panics
    /// If the id is not one of this graph, or the run has started.
    ///
    /// # Examples
    /// ```
    /// use zeph_orchestration::{DagScheduler, TaskGraph};
    /// let mut graph = TaskGraph::new();
    /// let count = graph.add_task("count", []);
    /// let warn = graph.add_task("warn", [count]);
    /// let mut scheduler = DagScheduler::new(graph);
    /// scheduler
    ///     .body(count, || 3)
    ///     .body(warn, || ())
    ///     .when(warn, |cx| Ok(cx.input_as::<u32>("count")? > 10));
    /// while scheduler.tick() {}
    /// assert!(scheduler.state(warn).is_end() && !scheduler.state(warn).is_completed());
    /// assert!(scheduler.outcome().is_completed());
    /// ```
    #[track_caller]
    pub fn when<F>(&mut self, task: TaskId, condition: F) -> &mut Self
    where
        F: Fn(&AttemptContext) -> Result<bool, TaskError> + Send + Sync + 'static,
    {
        let Some((graph, _)) = self.run.draft() else {
            panic!("the run has started: set conditions before the first tick");
        };
        // Parameters of the rule are kept.
        if graph.task(task).rules().prepare.is_none() {
            graph.set_preparation(task, Params::none());
        }
        self.conditions.insert(task, Arc::new(condition));
        self
    }

    /// Evaluates the condition of a task. Without one, a caller that does the work itself runs the task.
    pub(crate) fn prepare(&mut self, task: TaskId) {
        let Some(condition) = self.conditions.get(&task).map(Arc::clone) else {
            let report = if self.external {
                PrepareReport::Run
            } else {
                let name = self.run.graph().task(task).name();
                let error = format!(
                    "no closure is registered for the preparation of task {name:?}: give it one with `when`"
                );
                failed(&TaskError::permanent(error))
            };
            return self.deliver_prepared(self.clock.now(), task, report);
        };
        let context = self.context(task, Attempt::FIRST);
        let job = move || {
            let result = call(&context, |context| condition(context));
            Report::Condition(ConditionReport { task, result })
        };
        match self.pool().submit(Box::new(job)) {
            Ok(()) => self.conditions_at_work += 1,
            Err(error) => self.deliver_prepared(self.clock.now(), task, failed(&no_thread(error))),
        }
    }

    /// Passes the value of a condition to the scheduler.
    pub(crate) fn decided(&mut self, now: Timestamp, report: ConditionReport) {
        self.conditions_at_work -= 1;
        let report_of = match report.result {
            Ok(true) => PrepareReport::Run,
            Ok(false) => failed(&TaskError::skip(CONDITION_IS_FALSE)),
            Err(Failure { error, .. }) => failed(&error),
        };
        self.deliver_prepared(now, report.task, report_of);
    }

    fn deliver_prepared(&mut self, now: Timestamp, task: TaskId, report: PrepareReport<Content>) {
        let scheduler = self.run.start(&self.clock);
        driver::deliver_prepared(scheduler, &mut self.contents, now, task, report);
    }
}

fn failed(error: &TaskError) -> PrepareReport<Content> {
    PrepareReport::Failed {
        is_skip: error.class() == ErrorClass::Skip,
        error: Content::Error(format!("{error:#}").into()),
    }
}
